"""``download``: bring what is not shipped, which nothing else here ever does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from openpose_ros.fetch import MIRROR
from openpose_ros.weights.published import PUBLISHED, Published

EPILOG = f"""Networks are checked, converted and installed under their names into your cache
(~/.cache/openpose_ros); the files are kept there, too, so that this needs no second connection.
A mirror has networks as NAME/FILE, and COCO as its server has it: --mirror, or the environment
variable {MIRROR}, such as file:///srv/mirror."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, ImportError) as error:
        print(f"download: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndownload: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _network(arguments: argparse.Namespace) -> None:
    from openpose_ros.weights.download import Way, download

    way = Way(
        mirror=arguments.mirror, file=arguments.file, accept_licence=arguments.accept_licence,
        network=arguments.network, progress=_fetching,
    )  # fmt: skip
    download(arguments.name, way)


def _coco2017(arguments: argparse.Namespace) -> None:
    from openpose_ros.fetch import fetch, require_space
    from openpose_ros.training.data.coco2017 import PARTS, SERVER, TERMS, at, complete, mark_complete, unpack

    folder = arguments.to
    server = arguments.mirror or os.environ.get(MIRROR) or SERVER
    parts = [at(PARTS[name], server) for name in arguments.only or PARTS]
    missing = [part for part in parts if not complete(part, folder)]
    print(TERMS, flush=True)
    kept = sum(part.remote.size for part in missing) if arguments.keep_archives else 0
    largest = max((part.remote.size for part in missing), default=0)
    there = sum(file.stat().st_size for file in folder.glob("*.zip*")) if folder.is_dir() else 0
    require_space(folder, sum(part.unpacked for part in missing) + max(kept, largest) - there)
    for part in missing:
        name = part.remote.name
        with _fetching(name, part.remote.size) as told:
            archive = fetch(part.remote, folder, told)
        with _bar(f"unpacking {name}", part.unpacked) as bar:
            files = unpack(archive, part, folder, bar.update)
        mark_complete(part, folder)
        if not arguments.keep_archives:
            archive.unlink()
        print(f"{name}: {files} files in {folder}", flush=True)
    for part in parts:
        if part not in missing:
            print(f"{part.remote.name}: was complete in {folder}")


@contextmanager
def _fetching(name: str, size: int) -> Iterator[Callable[[int], object]]:
    with _bar(f"fetching {name}", size) as bar:
        yield bar.update


def _bar(text: str, size: int) -> tqdm[NoReturn]:
    return tqdm(desc=text, total=size or None, unit="B", unit_scale=True, disable=not sys.stderr.isatty())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download",
        description="Fetch what is not shipped: data sets and networks. An interrupted download goes on where it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="NAME", title="what there is")
    about = "photos and keypoint annotations of COCO 2017, for train and evaluate"
    coco = kinds.add_parser(
        "coco2017",
        help=about,
        description=f"{about[0].upper()}{about[1:]}: 20.4 GB, checked and unpacked. Its terms are shown first.",
    )
    coco.set_defaults(run=_coco2017)
    coco.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where it goes")
    coco.add_argument(
        "--only", nargs="+", choices=("annotations", "train", "val"),
        help="fetch only these: annotations 0.3 GB, val 0.8 GB, train 19.3 GB",
    )  # fmt: skip
    coco.add_argument(
        "--mirror", "--server", metavar="URL", help="a server or file:/// that has the same paths in place of COCO's"
    )
    coco.add_argument("--keep-archives", action="store_true", help="leave the zip files beside what they held")
    for entry in PUBLISHED.values():
        _add_network(kinds, entry)
    return parser


def _add_network(kinds: argparse._SubParsersAction[argparse.ArgumentParser], entry: Published) -> None:
    size = f"{entry.megabytes:.0f} MB, " if entry.megabytes else ""
    short = "non-commercial" if entry.restricted else entry.licence
    network = kinds.add_parser(
        entry.name,
        help=f"{entry.about} ({size}{short})",
        description=f"{entry.about[0].upper()}{entry.about[1:]}: {size}from {entry.credit}. Licence: {entry.licence}.",
    )
    network.set_defaults(run=_network, name=entry.name)
    network.add_argument("--mirror", default="", metavar="URL", help=f"asked for {entry.name}/FILE in place of servers")
    network.add_argument("--file", type=Path, help="a file that you have; it is checked and nothing is fetched")
    network.add_argument(
        "--accept-licence", action="store_true", help="say that your use is one that the licence allows"
    )
    network.add_argument(
        "--network", action="store_true", help="rebuild a frozen graph for PyTorch instead of keeping it as it is"
    )
