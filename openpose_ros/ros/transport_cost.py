"""``benchmark transport``: what an image costs on its way from one process to another, and whether it arrives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from rclpy.utilities import get_rmw_implementation_identifier
from tqdm import tqdm

from openpose_ros.ros import fastdds
from openpose_ros.ros.transport_ends import PATIENCE, SILENCE, Stream

DOMAINS = range(1, 102)
"""Domain ids whose ports stay clear of those that Linux hands out to other programs."""

PROFILES = ("default", "fastdds.xml")
"""Fast DDS as it comes, and with the profile of this package."""


@dataclass(frozen=True)
class Plan:
    """What to measure: sizes (width, height), images in each run, images a second, and runs to take the median of."""

    sizes: tuple[tuple[int, int], ...]
    images: int
    rate: float
    repeats: int


def rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """One row for each size, transport, profile and reliability: medians over the runs.

    The runs of a row lie apart in time, with every other row between two of them, so that something that disturbs the
    machine for a while does not spoil one row alone.

    Raises:
        OSError: one of the two processes failed or hung.
    """
    cases = list(product(plan.sizes, (False, True), PROFILES, (False, True)))
    found: dict[Any, list[dict[str, float]]] = {case: [] for case in cases}
    steps = tqdm(total=len(cases) * plan.repeats, unit="run", leave=False, disable=not sys.stderr.isatty())
    with steps:
        for _ in range(plan.repeats):
            for case in cases:
                (width, height), compressed, profile, reliable = case
                stream = Stream(width, height, compressed, reliable, plan.images, plan.rate)
                found[case].append(run(stream, profile))
                steps.update()
    for (width, height), compressed, profile, reliable in cases:
        runs = found[(width, height), compressed, profile, reliable]
        yield {
            "rmw": get_rmw_implementation_identifier(),
            "size": f"{width}x{height}",
            "transport": "compressed" if compressed else "raw",
            "profile": profile,
            "reliability": "reliable" if reliable else "best effort",
            **{name: _median([run.get(name) for run in runs]) for name in runs[0]},
        }


def run(stream: Stream, profile: str) -> dict[str, Any]:
    """Send a stream once, between two new processes in a domain of their own.

    Raises:
        OSError: one of them failed or hung.
    """
    environment = _environment(profile)
    ends = {end: _start(end, stream, environment) for end in ("receive", "send")}
    try:
        heard, sent = (_finish(end, process, stream) for end, process in ends.items())
    finally:
        for process in ends.values():
            process.kill()
            process.wait()
    latencies = heard["latency_ms"]
    return {
        "arrived_percent": 100.0 * heard["arrived"] / stream.images,
        "latency_ms": float(np.median(latencies)) if latencies else None,
        "latency_p95_ms": float(np.percentile(latencies, 95)) if latencies else None,
        "make_ms": sent["make_ms"],
        "publish_ms": sent["publish_ms"],
        "sender_cpu_ms": sent["cpu_ms"],
        "receiver_cpu_ms": heard["cpu_ms"],
        "read_ms": heard["read_ms"],
        "kilobytes": sent["kilobytes"],
    }


def _environment(profile: str) -> dict[str, str]:
    """Ours, but alone in a domain on this machine, and with the profile that is asked for."""
    own = {name: value for name, value in os.environ.items() if name not in fastdds.VARIABLES}
    own["ROS_DOMAIN_ID"] = str(DOMAINS[os.getpid() % len(DOMAINS)])
    if own.get("ROS_DISTRO") == "humble":
        own["ROS_LOCALHOST_ONLY"] = "1"
    else:
        own["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return own if profile == PROFILES[0] else own | fastdds.added_to(own)


def _start(end: str, stream: Stream, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "openpose_ros.ros.transport_ends", end, stream.as_json()]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def _finish(end: str, process: subprocess.Popen[str], stream: Stream) -> dict[str, Any]:
    limit = 2 * PATIENCE + SILENCE + stream.images / stream.rate
    try:
        said, complaint = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise ChildProcessError(f"the process that is to {end} images did not end within {limit:.0f} s") from None
    if process.returncode != 0:
        last = (complaint.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
        raise ChildProcessError(f"the process that is to {end} images ended: {last}")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _median(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 2) if known else None
