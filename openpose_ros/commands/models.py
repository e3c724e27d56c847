"""``models``: the networks there are, with size, cost, licence and accuracy."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openpose_ros.card import CardError
from openpose_ros.weights.published import PUBLISHED

if TYPE_CHECKING:
    from openpose_ros.weights.listing import Entry

DESCRIPTION = """List the networks there are: those with weights on this machine, which every command and the node take
by name (--model NAME), those that can be trained (train -c FILE card=NAME), and those that others published and
`download NAME` brings.

parameters are counted with normalisation folded in, MB are those of the weight file, or of the parameters in float32
where there is none. GFLOPs are of one image of --size: a multiplication and an addition count as two. AP is COCO's; of
a network to train it is that of weights that others published for it, as is the licence. `models NAME` says on what
photos it was measured, and everything else that is known.
"""

HEADS = ("name", "skeleton", "stride", "parameters", "MB", "GFLOPs", "AP", "licence")
LICENCE_WIDTH = 36


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        height, width = _size(arguments.size)
    except ValueError as error:
        parser.error(str(error))
    try:
        from openpose_ros.weights.listing import installed, trainable

        found = list(installed(height, width))
        here = [entry for entry in found if not isinstance(entry, CardError)]
        to_train = list(trainable(height, width))
    except ImportError as error:
        print(f"models: needs the Python package {error.name}, which is not installed", file=sys.stderr)
        return 1
    except CardError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    named = [entry for entry in (*here, *to_train) if not arguments.name or entry.card.name == arguments.name]
    if not named:
        names = sorted({entry.card.name for entry in (*here, *to_train)})
        print(f"models: no model {arguments.name!r}; there are {', '.join(names)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps([_row(entry) for entry in named], indent=1))
    elif arguments.name:
        print("\n\n".join(map(_everything, named)))
    else:
        print(f"With weights, for an input of {height}x{width} (height x width):\n{_table(here)}\n")
        print(f"To train, AP and licence those of published weights:\n{_table(to_train)}\n")
        print(f"To download, with `download NAME`:\n{_aligned(_downloads({entry.card.name for entry in here}))}")
    for entry in found:
        if isinstance(entry, CardError):
            print(f"models: left out: {entry}", file=sys.stderr)
    return 0


def _table(entries: Sequence[Entry]) -> str:
    return _aligned([HEADS, *(_texts(entry) for entry in entries)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Two columns of words, columns of numbers, and one of words that is as wide as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        cells += [text.rjust(width) for text, width in zip(row[2:-1], widths[2:-1], strict=True)]
        lines.append("  ".join([*cells, row[-1]]))
    return "\n".join(lines)


def _downloads(here: set[str]) -> list[tuple[str, ...]]:
    """What others published and is not installed yet."""
    rows: list[tuple[str, ...]] = [("name", "what", "MB", "licence")]
    for entry in PUBLISHED.values():
        if entry.name not in here:
            megabytes = f"{entry.megabytes:.1f}" if entry.megabytes else "-"
            rows.append((entry.name, entry.about, megabytes, "non-commercial" if entry.restricted else entry.licence))
    return rows


def _short(licence: str) -> str:
    return licence if len(licence) <= LICENCE_WIDTH else f"{licence[: LICENCE_WIDTH - 3].rstrip()}..."


def _texts(entry: Entry) -> tuple[str, ...]:
    cost = (f"{entry.cost.parameters / 1e6:.2f} M", f"{entry.cost.gflops:.1f}") if entry.cost else ("-", "-")
    return (
        entry.card.name,
        entry.card.skeleton.name,
        str(entry.card.stride),
        cost[0],
        "-" if entry.megabytes is None else f"{entry.megabytes:.1f}",
        cost[1],
        "-" if entry.ap is None else f"{entry.ap:.1f}",
        _short(entry.licence) or "-",
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.card.name,
        "card": str(entry.card.path),
        "skeleton": entry.card.skeleton.name,
        "stride": entry.card.stride,
        "parameters": entry.cost.parameters if entry.cost else None,
        "megabytes": None if entry.megabytes is None else round(entry.megabytes, 3),
        "gflops": round(entry.cost.gflops, 3) if entry.cost else None,
        "ap": entry.ap,
        "photos": entry.photos,
        "licence": entry.licence,
        "weights": entry.weights,
    }


def _everything(entry: Entry) -> str:
    card = entry.card
    accuracy = "not stated" if entry.ap is None else f"{entry.ap:g} AP on {entry.photos or 'photos not named'}"
    network = ", ".join(f"{name} {value}" for name, value in card.network.items())
    lines = {
        "name": card.name,
        "card": card.path,
        "network": network,
        "skeleton": f"{card.skeleton.name}, {len(card.skeleton.joints)} joints, {len(card.skeleton.limbs)} limbs",
        "input": f"{card.channels}, stride {card.stride}",
        "size": f"{_texts(entry)[3]} parameters, {_texts(entry)[4]} MB, {_texts(entry)[5]} GFLOPs",
        "accuracy": accuracy if card.weights else f"{accuracy} (published weights)",
        "licence": entry.licence or "not stated",
        "weights": entry.weights or "none published",
        "source": card.source,
        "note": card.notes,
    }
    return "\n".join(f"{name:9} {value}" for name, value in lines.items() if value)


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit()) or not (16 <= int(height) <= 4096 and 16 <= int(width) <= 4096):
        raise ValueError(f"--size is {text!r}; expected HEIGHTxWIDTH such as 368x656, each from 16 to 4096")
    return int(height), int(width)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="models", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="tell everything of this one")
    parser.add_argument("--size", default="368x656", metavar="HxW", help="network input for GFLOPs (368x656)")
    parser.add_argument("--json", action="store_true", help="print JSON with all digits")
    return parser


if __name__ == "__main__":
    sys.exit(main())
