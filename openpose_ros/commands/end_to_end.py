"""What ``benchmark end-to-end`` is asked for on its command line."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from openpose_ros.options import BackendOptions

if TYPE_CHECKING:
    from openpose_ros.benchmark.end_to_end import Plan, Setup

SAME = "same"


def end_to_end_flags(parser: argparse.ArgumentParser) -> None:
    """The flags, besides those of BackendOptions and --json."""
    parser.add_argument(
        "--size", type=_pair, nargs="+", default=[(256, 456), (368, 656)], metavar="HxW",
        help="sizes of the network's input, height x width (256x456 368x656)",
    )  # fmt: skip
    parser.add_argument(
        "--camera", type=_pair, nargs="+", default=[(640, 480), (1280, 720)], metavar="WxH",
        help="sizes of the images, width x height (640x480 1280x720)",
    )  # fmt: skip
    parser.add_argument("--model", default="", help="card or installed model (default: the best there is)")
    parser.add_argument(
        "--also", nargs="+", default=[], metavar="BACKEND:PRECISION[:MODEL]",
        help="more of them in the same run, such as openvino:int8 torch:float32:mobilenet_thin",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", default=SAME, metavar="PRECISION[:MODEL]",
        help="with the textbook's decoder: such as int8:human-pose-estimation-0001, which runs through OpenVINO; same "
        "is the first network as it runs, none leaves it out (same)",
    )  # fmt: skip
    parser.add_argument("--rates", type=_rate, nargs="*", default=[10.0, 30.0], help="fixed rates in images/s (10 30)")
    parser.add_argument("--seconds", type=_rate, default=4.0, help="of a trial at one rate (4)")
    parser.add_argument("--loss", type=_percent, default=2.0, help="percent that may be lost at the peak rate (2)")
    parser.add_argument("--annotations", type=Path, metavar="JSON", help="COCO person_keypoints: measure AP, too")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the photos it names")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only so many photos, spread evenly (all)")
    parser.add_argument(
        "--accuracy-only", action="store_true",
        help="no ROS and no speed: AP alone, for benchmark/pareto.py to put beside speeds of another run",
    )  # fmt: skip


def end_to_end_plan(arguments: argparse.Namespace) -> Plan:
    """What was asked for.

    Raises:
        ValueError: annotations without photos or the other way round, or a configuration that cannot be read.
    """
    from openpose_ros.benchmark.end_to_end import Plan

    if (arguments.annotations is None) != (arguments.images is None):
        raise ValueError("--annotations and --images go together: the file and the folder of its photos")
    if arguments.accuracy_only and arguments.annotations is None:
        raise ValueError("--accuracy-only needs --annotations and --images")
    photos = None
    if arguments.annotations is not None:
        from openpose_ros.evaluation.coco import AnnotatedPhotos

        photos = AnnotatedPhotos(arguments.annotations, arguments.images, arguments.limit)
    return Plan(
        setups=tuple(_setups(arguments)),
        sizes=tuple(arguments.size),
        cameras=() if arguments.accuracy_only else tuple(arguments.camera),
        rates=tuple(arguments.rates),
        seconds=arguments.seconds,
        loss=arguments.loss / 100.0,
        photos=photos,
    )


def _setups(arguments: argparse.Namespace) -> list[Setup]:
    from openpose_ros.benchmark.end_to_end import Setup

    first = Setup(arguments.model, BackendOptions.from_arguments(arguments))
    setups = [first]
    for text in arguments.also:
        backend, _, rest = text.partition(":")
        setups.append(_changed(first, rest, backend))
    if arguments.baseline == SAME:
        setups.append(replace(first, textbook=True))
    elif arguments.baseline != "none":
        setups.append(replace(_changed(first, arguments.baseline, "openvino"), textbook=True))
    return setups


def _changed(setup: Setup, text: str, backend: str) -> Setup:
    """The same with what PRECISION[:MODEL] says."""
    precision, _, model = text.partition(":")
    values = {"backend": backend, "precision": precision or "auto", "threads": setup.options.threads}
    return replace(setup, model=model or setup.model, options=BackendOptions.from_mapping(values))


def _pair(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if match is None or min(int(match[1]), int(match[2])) < 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair of pixels, 16 to 9999, such as 256x456")
    return int(match[1]), int(match[2])


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.1 <= rate <= 1000.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0.1 to 1000")
    return rate


def _percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0.0 <= percent < 100.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage from 0 to 100")
    return percent
