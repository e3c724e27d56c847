"""``preview``: a sheet of what ``train`` shows to the network and expects of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_intermixed_args(argv)
    folder = arguments.out.absolute().parent
    if not folder.is_dir() or not cv2.haveImageWriter(str(arguments.out)):
        why = f"there is no folder {folder}" if not folder.is_dir() else "its ending is of no picture, such as .jpg"
        print(f"preview: {arguments.out} cannot be written: {why}", file=sys.stderr)
        return 2
    try:
        _preview(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"preview: {error}", file=sys.stderr)
        return 1
    return 0


def _preview(arguments: argparse.Namespace) -> None:
    from openpose_ros.training.config import load
    from openpose_ros.training.data.report import show
    from openpose_ros.training.data.sheet import look

    # A sheet needs no loader processes, and the run no name.
    words = ["name=preview", *arguments.settings, "data.workers=0", f"batch={arguments.count}"]
    picture, reports = look(load(arguments.config, words), arguments.batch)
    print(show(reports))
    if not cv2.imwrite(str(arguments.out), picture):
        raise OSError(f"{arguments.out} cannot be written")
    print(f"{arguments.count} crops in {arguments.out}; red strokes lie over what carries no loss")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="preview",
        description="Draw a sheet of augmented crops as train would show them: people, heatmaps, PAFs and what is "
        "masked. It also counts what the sources offer and what is wrong with them.",
    )
    parser.add_argument("-c", "--config", action="append", default=[], metavar="FILE", help="YAML; later ones win")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="single settings, as for train")
    parser.add_argument("--out", required=True, type=Path, metavar="SHEET", help="picture to write, such as sheet.jpg")
    parser.add_argument("--count", type=int, default=12, help="crops on the sheet (12)")
    parser.add_argument("--batch", type=int, default=0, help="show the run's batch of this number (0)")
    return parser
