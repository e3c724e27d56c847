"""``download``: bring what is not shipped, which nothing else here ever does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"download: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndownload: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _coco2017(arguments: argparse.Namespace) -> None:
    from openpose_ros.training.data.coco2017 import PARTS, SERVER, TERMS, at, complete, mark_complete, unpack
    from openpose_ros.training.data.fetch import fetch, require_space

    folder = arguments.to
    parts = [at(PARTS[name], arguments.server or SERVER) for name in arguments.only or PARTS]
    missing = [part for part in parts if not complete(part, folder)]
    print(TERMS, flush=True)
    kept = sum(part.remote.size for part in missing) if arguments.keep_archives else 0
    largest = max((part.remote.size for part in missing), default=0)
    there = sum(file.stat().st_size for file in folder.glob("*.zip*")) if folder.is_dir() else 0
    require_space(folder, sum(part.unpacked for part in missing) + max(kept, largest) - there)
    for part in missing:
        name, size = part.remote.name, part.remote.size
        with _bar(f"fetching {name}", size) as bar:
            archive = fetch(part.remote, folder, bar.update)
        with _bar(f"unpacking {name}", part.unpacked) as bar:
            files = unpack(archive, part, folder, bar.update)
        mark_complete(part, folder)
        if not arguments.keep_archives:
            archive.unlink()
        print(f"{name}: {files} files in {folder}", flush=True)
    for part in parts:
        if part not in missing:
            print(f"{part.remote.name}: was complete in {folder}")


def _bar(text: str, size: int) -> tqdm[NoReturn]:
    return tqdm(desc=text, total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download", description="Fetch data that is not shipped. An interrupted download goes on where it was."
    )
    kinds = parser.add_subparsers(required=True, metavar="coco2017")
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
    coco.add_argument("--server", help="address of a mirror that has the same paths")
    coco.add_argument("--keep-archives", action="store_true", help="leave the zip files beside what they held")
    return parser
