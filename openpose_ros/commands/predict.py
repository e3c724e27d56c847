"""``predict``: photos, a folder, a video or a webcam -> annotated pictures or video, and OpenPose's JSON."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from openpose_ros.options import BackendOptions, DecodeOptions, DrawOptions, InputOptions

if TYPE_CHECKING:
    from openpose_ros.media import Frames
    from openpose_ros.results import Results

USAGE = "%(prog)s SOURCE [SOURCE ...] [--output DIR] [--json] [--show] [other options]"

DESCRIPTION = """Finds the people in photos, in a folder of photos, in a video or before a webcam. Writes annotated
pictures (STEM_rendered.png), for a video or webcam an annotated video (STEM_rendered.mp4), and on request the people
as OpenPose's JSON (STEM_keypoints.json, version 1.3)."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 is success, 1 a sentence on stderr, 2 bad usage, 130 Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("openpose_ros").setLevel(logging.INFO)
    try:
        inputs, drawing = InputOptions.from_arguments(arguments), DrawOptions.from_arguments(arguments)
        backend, decode = BackendOptions.from_arguments(arguments), DecodeOptions.from_arguments(arguments)
    except ValueError as error:
        parser.error(str(error))

    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.backends import BackendError
    from openpose_ros.card import CardError
    from openpose_ros.estimator import Estimator
    from openpose_ros.media import MediaError, frames
    from openpose_ros.prediction import Window, WindowError, predict
    from openpose_ros.results import ResultError

    try:
        window = Window() if arguments.show else None
        with frames(arguments.source, arguments.limit) as source, _results(arguments, source) as results:
            estimator = Estimator.load(arguments.model, **asdict(backend), inputs=inputs, decode=decode)
            left = {name: value for name, value in estimator.card.thresholds().items() if vars(arguments)[name] is None}
            estimator.decode = DecodeOptions.from_mapping({**asdict(decode), **left})
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
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="photo(s), a folder, a video, or a webcam's index")
    parser.add_argument(
        "--model", default="", help="card or weight file beside its card, or a name (default: the best there is)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("predict_out"), metavar="DIR", help="folder of the results (%(default)s)"
    )
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--json", action="store_true", help="write a JSON file for each frame")
    parser.add_argument("--pictures", action=flag, help="write a picture for each frame (default: for photos)")
    parser.add_argument("--video", action=flag, help="write one video of all frames (default: for videos and webcams)")
    parser.add_argument("--show", action="store_true", help="show the frames in a window as they come")
    parser.add_argument("--limit", type=_count, default=0, metavar="N", help="look at no more than N frames")
    InputOptions.add_arguments(parser)
    DecodeOptions.add_arguments(parser, from_card=True)
    BackendOptions.add_arguments(parser)
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
