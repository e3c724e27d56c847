"""``predict``: photos, a folder, a video, a bag or a webcam -> annotated pictures or video, and OpenPose's JSON."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openpose_ros.commands import flags
from openpose_ros.options import DrawOptions

if TYPE_CHECKING:
    from openpose_ros.media import Frames
    from openpose_ros.results import Results

USAGE = "%(prog)s SOURCE [SOURCE ...] [--output DIR] [--json] [--show] [other options]"

DESCRIPTION = """Finds the people in photos, in a folder of photos, in a video, in a bag or before a webcam. Writes
annotated pictures (STEM_rendered.png), for what moves an annotated video (STEM_rendered.mp4), and on request the people
as OpenPose's JSON (STEM_keypoints.json, version 1.3). bag_poses writes them into a bag."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 is success, 1 a sentence on stderr, 2 bad usage, 130 Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("openpose_ros").setLevel(logging.INFO)
    try:
        flags.check_estimator(arguments)
        drawing = DrawOptions.from_arguments(arguments)
    except ValueError as error:
        parser.error(str(error))

    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.backends import BackendError
    from openpose_ros.card import CardError
    from openpose_ros.media import MediaError, frames
    from openpose_ros.prediction import Window, WindowError, predict
    from openpose_ros.results import ResultError

    try:
        window = Window() if arguments.show else None
        with (
            frames(arguments.source, arguments.limit, arguments.topic) as source,
            _results(arguments, source) as results,
        ):
            estimator = flags.load_estimator(arguments)
            try:
                tally = predict(estimator, source, results, drawing, window)
            finally:
                estimator.close()
    except (MediaError, CardError, BackendError, ResultError, WindowError) as error:
        print(f"predict: {error}", file=sys.stderr)
        return 1
    if not tally.frames and not tally.interrupted:
        print(f"predict: nothing in {source.source} could be read", file=sys.stderr)
        return 1
    print(tally)
    if results.files:
        print(f"written: {len(results.files)} file{'s' * (len(results.files) > 1)} in {results.folder}")
    return 130 if tally.interrupted and not source.live else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="predict", usage=USAGE, description=DESCRIPTION)
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="photo(s), a folder, a video, a bag, or a webcam's index"
    )
    flags.add_model(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("predict_out"), metavar="DIR", help="folder of the results (%(default)s)"
    )
    parser.add_argument("--topic", default="", help="image topic of a bag (default: the only one)")
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--json", action="store_true", help="write a JSON file for each frame")
    parser.add_argument("--pictures", action=flag, help="write a picture for each frame (default: for photos)")
    parser.add_argument("--video", action=flag, help="write one video of all frames (default: for videos and webcams)")
    parser.add_argument("--show", action="store_true", help="show the frames in a window as they come")
    parser.add_argument("--limit", type=_count, default=0, metavar="N", help="look at no more than N frames")
    flags.add_estimator(parser)
    DrawOptions.add_arguments(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames")
    return int(text)


def _results(arguments: argparse.Namespace, source: Frames) -> Results:
    from openpose_ros.results import Results

    moving = source.live or source.rate is not None
    video = moving if arguments.video is None else arguments.video
    return Results(
        arguments.output,
        pictures=not moving if arguments.pictures is None else arguments.pictures,
        video=Path(source.source).stem.replace(" ", "_") if video else "",
        json=arguments.json,
        rate=source.rate or 5.0,
    )
