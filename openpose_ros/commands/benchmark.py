"""``benchmark``: what a frame costs, stage by stage."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from openpose_ros.benchmark import decode, memory, table
from openpose_ros.estimator import Estimator
from openpose_ros.options import BackendOptions, InputOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    arguments.command = "python -m openpose_ros benchmark " + shlex.join(given)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    return 0


def _decode(arguments: argparse.Namespace) -> None:
    estimator = _estimator(arguments) if arguments.model or arguments.backend == "synthetic" else None
    rows = list(decode.rows(decode.Plan(tuple(arguments.sizes), tuple(arguments.people), arguments.repeats, estimator)))
    print(table.show(rows, ("stage", "size", "people", "median_ms", "p95_ms", "speedup_vs_textbook")))
    for size in dict.fromkeys(row["size"] for row in rows):
        for count in arguments.people:
            own = sum(
                row["median_ms"]
                for row in rows
                if row["size"] == size
                and row["people"] in (None, count)
                and row["stage"] in ("convert", "preprocess", "decode", "message", "publish")
            )
            print(f"{size}, {count} people: everything but the network {own:.2f} ms a frame")
    if arguments.json:
        table.save(arguments.json, "decode", rows, arguments.command)


def _memory(arguments: argparse.Namespace) -> None:
    rows = memory.rows(_estimator(arguments), arguments.frames)
    print(table.show(rows, ("frames", "resident_mb")))
    if arguments.json:
        table.save(arguments.json, "memory", rows, arguments.command)


def _loader(arguments: argparse.Namespace) -> None:
    from openpose_ros.benchmark import loader
    from openpose_ros.training.config import load

    config = load(arguments.config, ["name=benchmark", *arguments.settings])
    rows = list(loader.rows(config, arguments.workers, arguments.crops))
    print(table.show(rows, ("what", "workers", "median_ms", "p95_ms", "crops_per_second", "per_worker")))
    if arguments.json:
        table.save(arguments.json, "loader", rows, arguments.command)


def _training(arguments: argparse.Namespace) -> None:
    from openpose_ros.training import cost
    from openpose_ros.training.config import load

    config = load(arguments.config, ["name=benchmark", *arguments.settings])
    rows = list(cost.rows(config, arguments.steps))
    print(table.show(rows, ("what", "mean_ms", "crops_per_second", "share")))
    if arguments.json:
        table.save(arguments.json, "training", rows, arguments.command)


def _estimator(arguments: argparse.Namespace) -> Estimator:
    options = BackendOptions.from_arguments(arguments)
    return Estimator.load(
        arguments.model, options.backend, options.device, precision=options.precision, threads=options.threads,
        inputs=InputOptions(input_size=getattr(arguments, "size", "256x456")),
    )  # fmt: skip


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or int(match[1]) % 8 or int(match[2]) % 8 or not int(match[1]) * int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no height x width in multiples of 8 such as 368x656")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdigit() or int(text) > 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 256")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmark", description="What a frame costs, stage by stage.")
    kinds = parser.add_subparsers(required=True, metavar="decode|memory|loader|training")

    about = "every stage of a frame for input sizes and numbers of people, beside a textbook decoder in the same run"
    stages = kinds.add_parser("decode", help=about, description=about.capitalize() + ".")
    stages.set_defaults(run=_decode)
    stages.add_argument(
        "--sizes", type=_size, nargs="+", default=[(256, 456), (368, 656)], metavar="HxW",
        help="sizes of the network's input, height x width (256x456 368x656)",
    )  # fmt: skip
    stages.add_argument(
        "--people", type=_count, nargs="+", default=[1, 5, 20, 100], help="numbers of people (1 5 20 100)"
    )
    stages.add_argument("--repeats", type=_count, default=100, help="calls to take the median of (100)")
    stages.add_argument("--model", default="", help="also measure this network: a card or an installed model")

    about = "resident size of the process over many frames"
    growth = kinds.add_parser("memory", help=about, description=about.capitalize() + ".")
    growth.set_defaults(run=_memory)
    growth.add_argument("--frames", type=_count, default=10_000, help="how many (10000)")
    growth.add_argument("--size", default="128x224", metavar="HxW", help="size of the network's input (128x224)")
    growth.add_argument("--model", default="", help="card or installed model; none with --backend synthetic")

    about = "crops a second that the training's loader delivers, and where the time goes"
    crops = kinds.add_parser("loader", help=about, description=about.capitalize() + ".")
    crops.set_defaults(run=_loader)
    crops.add_argument("--workers", type=_workers, nargs="+", default=[0, 1, 2], help="loader processes (0 1 2)")
    crops.add_argument("--crops", type=_count, default=512, help="how many to load each time (512)")

    about = "what a training step costs: the network alone, with targets and light, with the loader"
    steps = kinds.add_parser("training", help=about, description=about.capitalize() + ".")
    steps.set_defaults(run=_training)
    steps.add_argument("--steps", type=_count, default=20, help="how many of each kind (20)")
    for kind in (crops, steps):
        kind.add_argument("-c", "--config", action="append", default=[], metavar="FILE", help="YAML, as for train")
        kind.add_argument("settings", nargs="*", metavar="key=value", help="single settings, as for train")
    for kind in (stages, growth):
        BackendOptions.add_arguments(kind)
    for kind in (stages, growth, crops, steps):
        kind.add_argument("--json", type=Path, metavar="OUT", help="write the rows, the command and the hardware")
    return parser
