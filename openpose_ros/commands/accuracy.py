"""``benchmark accuracy``: its flags, what an earlier call has measured, and the table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpose_ros.benchmark import table
from openpose_ros.options import BackendOptions

ACCURACY = """With --json it goes on where an earlier call was interrupted. Arithmetic is float32 unless --precision
says otherwise. The networks are those installed by name and those in --weights."""


def accuracy_flags(parser: argparse.ArgumentParser, count: Callable[[str], int]) -> None:
    """Everything but those of the backend; ``count`` reads a number."""
    parser.add_argument("--annotations", required=True, type=Path, metavar="JSON", help="COCO person_keypoints")
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="folder of the photos it names")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], metavar="DIR", help="folders of weight files that convert reads"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these networks (all)")
    parser.add_argument(
        "--looks", nargs="+", choices=("one", "four"), default=["one", "four"],
        help="one look at short side 368; four are 368 and 552, both mirrored too (one four)",
    )  # fmt: skip
    parser.add_argument("--limit", type=count, default=0, help="only so many photos, spread evenly (all)")
    parser.add_argument(
        "--by-turns", type=count, default=0, metavar="N",
        help="take the milliseconds from N photos that all networks look at by turns, so that they can be compared",
    )  # fmt: skip
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/accuracy.md has it")


def measure_accuracy(arguments: argparse.Namespace) -> None:
    """Measure what is missing, and print all.

    Raises:
        ValueError: photos, annotations or the file of an earlier call cannot be used.
    """
    from openpose_ros.benchmark import accuracy
    from openpose_ros.evaluation.coco import AnnotatedPhotos

    photos = AnnotatedPhotos(arguments.annotations, arguments.images, arguments.limit)
    kept = _kept(arguments.json, len(photos)) if arguments.json else []
    with tempfile.TemporaryDirectory(prefix="openpose_ros_") as folder:
        cards, trouble = accuracy.at_hand(arguments.weights, Path(folder))
        if arguments.only:
            cards = [card for card in cards if card.name in arguments.only]
        for sentence in trouble:
            print(f"left out: {sentence}", file=sys.stderr)
        options = BackendOptions.from_arguments(arguments)
        plan = accuracy.Plan(cards, arguments.looks, photos, options, arguments.json)
        for row in accuracy.rows(plan, {(row["network"], row["looks"]) for row in kept}):
            kept.append(row)
            print(table.show([row], ("network", "looks", "AP", "photo_ms", "trouble")), flush=True)
            if arguments.json:
                table.save(arguments.json, "accuracy", kept, arguments.command)
        times = accuracy.by_turns(plan, arguments.by_turns) if arguments.by_turns else {}
    kept = [row | times.get((row["network"], row["looks"]), {}) for row in kept]
    if arguments.json and times:
        table.save(arguments.json, "accuracy", kept, arguments.command)
    rows = sorted(kept, key=lambda row: (-row.get("AP", 0.0), row["network"]))
    print(accuracy.markdown(rows) if arguments.markdown else table.show(rows, accuracy.COLUMNS))


def _kept(path: Path, images: int) -> list[dict[str, Any]]:
    """What an earlier call has measured on as many photos; it is not measured again."""
    if not path.is_file():
        return []
    rows = [row for row in json.loads(path.read_text()).get("accuracy", []) if "AP" in row]
    if any(row["images"] != images for row in rows):
        raise ValueError(
            f"{path} holds measures of {rows[0]['images']} photos, and here are {images}: take another file"
        )
    return rows
