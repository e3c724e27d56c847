"""The flags of ``benchmark backend``, what they ask for, and its tables."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openpose_ros.backends import SOURCES
from openpose_ros.benchmark import backend, table
from openpose_ros.benchmark.untrained import measurable
from openpose_ros.card import Card
from openpose_ros.options import BackendOptions
from openpose_ros.weights.default import default_model

ABOUT = "a frame on every backend, precision and input size, beside PyTorch's own way and a decoder on the host"

EPILOG = """The whole table on a GPU, with OpenPose's network of 2017 (random weights will do for speed):
benchmark backend --models lightweight cmu --json OUT. What is measured stands in OUT at once, row by row."""

KEY = ("network", "backend", "precision", "size", "people")


def backend_flags(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.description, parser.epilog = f"A{ABOUT[1:]}.", EPILOG
    offered = {option.name: option for option in BackendOptions.options()}
    parser.add_argument(
        "--models", nargs="*", default=[], metavar="MODEL",
        help="cards or models (the best there is); a network without weights, such as cmu, gets random ones",
    )  # fmt: skip
    parser.add_argument(
        "--backend", nargs="+", choices=list(SOURCES), default=list(SOURCES), help="backends (all that work here)"
    )
    parser.add_argument(
        "--precision", nargs="+", choices=offered["precision"].choices, default=["auto", "float32"],
        help="arithmetic of the network (auto float32)",
    )  # fmt: skip
    parser.add_argument(
        "--sizes", type=_size, nargs="+", default=[(256, 456), (368, 656), (736, 1312)], metavar="HxW",
        help="sizes of the network's input, height x width (256x456 368x656 736x1312)",
    )  # fmt: skip
    parser.add_argument("--people", type=_count, nargs="+", default=[1, 20, 100], help="numbers of people (1 20 100)")
    parser.add_argument("--repeats", type=_count, default=100, help="frames of each measurement (100)")
    BackendOptions.add_arguments(parser, skip=("backend", "precision"))


def measure(arguments: argparse.Namespace) -> None:
    """Measure what is asked for, write each row at once, show the tables."""
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="openpose_ros_") as folder:
        for row in backend.rows(_plan(arguments, Path(folder))):
            rows.append(row)
            if arguments.json:
                table.save(arguments.json, "backend", rows, arguments.command)
    print("\n\n".join(_tables(rows)))


def _plan(arguments: argparse.Namespace, folder: Path) -> backend.Plan:
    cards = [measurable(name, folder) for name in arguments.models] or [Card.load(default_model())]
    return backend.Plan(
        cards=tuple(cards),
        backends=tuple(arguments.backend),
        precisions=tuple(arguments.precision),
        sizes=tuple(arguments.sizes),
        people=tuple(arguments.people),
        repeats=arguments.repeats,
        options=BackendOptions(device=backend.device_to_measure(arguments.device), threads=arguments.threads),
    )


def _tables(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Medians of the stages, their 95th percentiles, and what follows from them."""
    stages = (*backend.STAGES, "total")
    shares = ("candidates_ms", "decode_ms", "host_decode", "eager", "network_share", "frames_per_second")
    rest = (*shares, "in_flight_ms", "in_flight_p95_ms", "memory_mib")
    return [
        table.show(rows, (*KEY, *(f"{stage}_ms" for stage in stages))),
        table.show(rows, (*KEY, *(f"{stage}_p95_ms" for stage in stages))),
        table.show(rows, (*KEY, *rest)),
    ]


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or int(match[1]) % 8 or int(match[2]) % 8 or not int(match[1]) * int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no height x width in multiples of 8 such as 368x656")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)
