"""``bag_poses``: recorded bags with images -> bags with the people in them, under the same stamps."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from openpose_ros.bags import FILES, stem
from openpose_ros.commands import flags
from openpose_ros.options import DrawOptions, PoseNodeOptions, TrackOptions

if TYPE_CHECKING:
    from openpose_ros.recorded.run import Outcome, Task

USAGE = """%(prog)s IN OUT [other options]
       %(prog)s IN [IN ...] --output FOLDER [--jobs N] [other options]"""

DESCRIPTION = """Finds the people in the images of recorded bags, without ROS. IN is a folder of ROS 2, an .mcap or .db3
file, or a .bag file of ROS 1. OUT becomes one file if its name ends in .mcap or .db3, else a folder. It holds
openpose_msgs/People with the header of every image, the skeleton (latched) on poses/skeleton, and on request the
annotated pictures on annotated/compressed."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 is success, 1 a sentence on stderr, 2 bad usage, 130 Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("openpose_ros").setLevel(logging.INFO)
    try:
        flags.check_estimator(arguments)
        drawing, tracking = DrawOptions.from_arguments(arguments), TrackOptions.from_arguments(arguments)
        value_range = PoseNodeOptions(value_range=arguments.value_range).black_and_white()
        pairs = _pairs(arguments)
    except ValueError as error:
        parser.error(str(error))

    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.backends import BackendError
    from openpose_ros.bags import BagError
    from openpose_ros.card import CardError
    from openpose_ros.recorded.run import Task

    tasks = [
        Task(
            source,
            target,
            topics=tuple(arguments.topic),
            poses=arguments.poses,
            overlay=arguments.overlay,
            copy=arguments.copy,
            json=_json(arguments, target),
            storage=arguments.storage,
            overwrite=arguments.overwrite,
            every=arguments.every,
            limit=arguments.limit,
            value_range=value_range,
            drawing=drawing,
            tracking=tracking,
        )
        for source, target in pairs
    ]
    try:
        return _one(arguments, tasks[0]) if len(tasks) == 1 else _several(arguments, tasks)
    except (BagError, CardError, BackendError) as error:
        print(f"bag_poses: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        finished = "; the bags that were finished stay" if len(tasks) > 1 else f", and {tasks[0].target} is not written"
        print(f"bag_poses: ended by Ctrl-C{finished}", file=sys.stderr)
        return 130


def _one(arguments: argparse.Namespace, task: Task) -> int:
    """One bag, its images shown as they are done."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from openpose_ros.recorded.run import check, run

    check(task)  # before a network is loaded
    estimator = flags.load_estimator(arguments)
    try:
        with tqdm(unit="image", disable=None) as bar, logging_redirect_tqdm():

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            outcome = run(estimator, task, progress)
    finally:
        estimator.close()
    for image, poses in outcome.topics.items():
        print(f"{image} -> {poses}")
    print(f"{outcome.tally}\n{_written(outcome)}")
    return 0


def _several(arguments: argparse.Namespace, tasks: list[Task]) -> int:
    """Several bags, each told when it is done."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from openpose_ros.bags import BagError
    from openpose_ros.recorded.processes import run_all

    jobs = min(arguments.jobs, len(tasks))
    load = partial(flags.load_estimator, arguments, max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0)
    failed = frames = people = 0
    with tqdm(total=len(tasks), unit="bag", disable=None) as bar, logging_redirect_tqdm():
        for task, outcome in run_all(tasks, load, jobs):
            bar.update(1)
            if isinstance(outcome, BagError):
                failed += 1
                bar.write(f"bag_poses: {outcome}", file=sys.stderr)
            else:
                frames, people = frames + outcome.tally.frames, people + outcome.tally.people
                bar.write(f"{task.source}: {_written(outcome)}", file=sys.stdout)
    print(f"{len(tasks) - failed} of {len(tasks)} bags, {frames} frames, {people} people")
    return 1 if failed else 0


def _written(outcome: Outcome) -> str:
    rate = outcome.tally.frames / max(outcome.seconds, 1e-9)
    skipped = f", {outcome.broken} skipped" if outcome.broken else ""
    files = f"{outcome.task.target} and {outcome.task.json}" if outcome.task.json else f"{outcome.task.target}"
    return f"{outcome.tally.frames} images{skipped}, {rate:.1f} a second, written: {files}"


def _pairs(arguments: argparse.Namespace) -> list[tuple[Path, Path]]:
    """The bags to read and to write; a ValueError says what is wrong with the arguments."""
    if arguments.output is None:
        if len(arguments.bags) != 2:
            given = " ".join(map(str, arguments.bags))
            raise ValueError(f"the bags are {given}; expected two, IN and OUT, or --output FOLDER")
        return [(arguments.bags[0], arguments.bags[1])]
    suffix = ".db3" if arguments.storage == "sqlite3" else ".mcap"
    targets: dict[Path, Path] = {}
    for source in arguments.bags:
        target = arguments.output / (f"{stem(source)}{suffix}" if source.suffix.lower() in FILES else stem(source))
        if target in targets:
            raise ValueError(f"{targets[target]} and {source} would both become {target}; give them one by one")
        targets[target] = source
    return [(source, target) for target, source in targets.items()]


def _json(arguments: argparse.Namespace, target: Path) -> Path | None:
    """One file, or one for each bag in a folder."""
    given: Path | None = arguments.json
    return given if given is None or arguments.output is None else given / f"{stem(target)}.jsonl"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bag_poses", usage=USAGE, description=DESCRIPTION)
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="the bag to read and the one to write")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="all bags are read; the new ones go there")
    parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="bags side by side (%(default)s)")
    flags.add_model(parser)
    read = parser.add_argument_group("What is read")
    read.add_argument(
        "--topic", action="append", default=[], help="image topic, may be given again (default: all that hold pictures)"
    )
    read.add_argument("--every", type=_count, default=1, metavar="N", help="look at every Nth image of a topic")
    read.add_argument("--limit", type=_count, default=0, metavar="N", help="look at no more than N images of a bag")
    about = next(option.description for option in PoseNodeOptions.options() if option.name == "value_range")
    read.add_argument("--value-range", default="", metavar="BLACK,WHITE", help=about)
    written = parser.add_argument_group("What is written")
    written.add_argument(
        "--poses",
        default="",
        metavar="TOPIC",
        help="topic of the people (default: /poses; with several image topics poses, beside each of them)",
    )
    written.add_argument("--overlay", action="store_true", help="write the annotated pictures as JPEG, too")
    written.add_argument("--copy", action="store_true", help="write everything that was in the bag, too")
    written.add_argument(
        "--json", type=Path, metavar="FILE", help="write JSON lines, one an image; with --output it is a folder"
    )
    written.add_argument("--storage", default="", choices=("mcap", "sqlite3"), help="(default: by the name, else mcap)")
    written.add_argument("--overwrite", action="store_true", help="replace what is there")
    flags.add_estimator(parser)
    TrackOptions.add_arguments(parser)
    DrawOptions.add_arguments(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
