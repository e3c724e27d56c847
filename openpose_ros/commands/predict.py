"""``predict``: photos, a folder, a video, a bag or a webcam -> annotated pictures or video, and OpenPose's JSON."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openpose_ros.commands import flags
from openpose_ros.commands.openpose_flags import translated
from openpose_ros.options import EVERYBODY, DrawOptions, FrameOptions, PictureOptions, ResultOptions

if TYPE_CHECKING:
    from openpose_ros.media import Frames
    from openpose_ros.results import Results

USAGE = "%(prog)s SOURCE [SOURCE ...] [--output DIR] [--json] [--show] [other options]"

DESCRIPTION = """Finds the people in photos, in a folder of photos, in a video, in a bag or before a camera. Writes
annotated pictures (STEM_rendered.png), for what moves an annotated video (STEM_rendered.mp4), and on request the people
as OpenPose's JSON (STEM_keypoints.json, version 1.3). bag_poses writes them into a bag. The flags of CMU's OpenPose
(--image_dir, --net_resolution, --write_json and the like) are taken where they mean the same: docs/migration.md."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 is success, 1 a sentence on stderr, 2 bad usage, 130 Ctrl-C."""
    parser = _parser()
    try:
        arguments = parser.parse_args(translated(sys.argv[1:] if argv is None else argv))
        flags.check_estimator(arguments)
        drawing, pictures = DrawOptions.from_arguments(arguments), PictureOptions.from_arguments(arguments)
        choice, writing = FrameOptions.from_arguments(arguments), ResultOptions.from_arguments(arguments)
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("openpose_ros").setLevel(logging.INFO)

    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.media import frames
    from openpose_ros.prediction import Window, WindowError, predict
    from openpose_ros.results import ResultError
    from openpose_ros.selection import selected

    try:
        window = Window() if arguments.show else None
        with (
            selected(frames(arguments.source, topic=arguments.topic), choice, arguments.limit) as source,
            _results(arguments, writing, source) as results,
        ):
            estimator = flags.load_estimator(arguments)
            try:
                tally = predict(estimator, source, results, drawing, window, pictures)
            finally:
                estimator.close()
    except (ValueError, ResultError, WindowError) as error:
        print(f"predict: {error}", file=sys.stderr)
        return 1
    if not tally.frames and not tally.interrupted:
        print(f"predict: nothing in {source.source} could be read", file=sys.stderr)
        return 1
    print(tally)
    if results.files:
        folders = sorted({str(file.parent) for file in results.files})
        print(f"written: {len(results.files)} file{'s' * (len(results.files) > 1)} in {', '.join(folders)}")
    return 130 if tally.interrupted and not source.live else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="predict", usage=USAGE, description=DESCRIPTION)
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="photo(s), a folder, a video, a bag, a webcam's index, or a URL"
    )
    flags.add_model(parser)
    parser.add_argument("--topic", default="", help="image topic of a bag (default: the only one)")
    parser.add_argument("--limit", type=_count, default=0, metavar="N", help="look at no more than N frames")
    parser.add_argument("--show", action="store_true", help="show the frames in a window as they come")
    flag = argparse.BooleanOptionalAction
    written = parser.add_argument_group("What is written, and where")
    written.add_argument(
        "--output", type=Path, default=Path("predict_out"), metavar="DIR", help="folder of the results (%(default)s)"
    )
    written.add_argument("--json", action="store_true", help="write a JSON file for each frame")
    written.add_argument("--pictures", action=flag, help="write a picture for each frame (default: for photos)")
    written.add_argument("--video", action=flag, help="write one video of all frames (default: for videos and webcams)")
    written.add_argument("--json-to", type=Path, metavar="DIR", help="write the JSON files here")
    written.add_argument("--pictures-to", type=Path, metavar="DIR", help="write the pictures here")
    written.add_argument("--video-to", type=Path, metavar="FILE", help="write the video here (.mp4, .avi and others)")
    written.add_argument("--coco-json", type=Path, metavar="FILE", help="write COCO's keypoint results of all photos")
    written.add_argument("--maps-to", type=Path, metavar="DIR", help="write heatmaps and PAFs of each frame here")
    ResultOptions.add_arguments(parser)
    FrameOptions.add_arguments(parser)
    PictureOptions.add_arguments(parser)
    DrawOptions.add_arguments(parser, fine_people=EVERYBODY)
    flags.add_estimator(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames")
    return int(text)


def _results(arguments: argparse.Namespace, writing: ResultOptions, source: Frames) -> Results:
    from openpose_ros.results import Results, Wanted

    moving = source.live or source.rate is not None
    pictures = not moving if arguments.pictures is None else arguments.pictures
    video = moving if arguments.video is None else arguments.video
    film = arguments.output / f"{Path(source.source).stem.replace(' ', '_')}_rendered"
    wanted = Wanted(
        pictures=arguments.pictures_to or (arguments.output if pictures else None),
        json=arguments.json_to or (arguments.output if arguments.json else None),
        maps=arguments.maps_to,
        video=arguments.video_to or (film if video else None),
        coco=arguments.coco_json,
    )
    return Results(wanted, writing, source.rate or 5.0)
