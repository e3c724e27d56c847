"""``benchmark soak``: a pose node as a process of its own, and hours of what may happen to one.

First it is left in peace, then it gets three times the images that it has time for, and after that listeners come and
go, parameters change, and it is switched off, deactivated and configured anew, over and over. After each of these it
must answer again; and whenever all is quiet, every image that it received must be accounted for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from openpose_ros.benchmark.ledger import held_rows, latency_rows
from openpose_ros.benchmark.process import Held, held
from openpose_ros.ros.soak_events import Events
from openpose_ros.ros.soak_rig import DIAGNOSTICS_PERIOD, Rig, SoakError

START = 120.0
"""Seconds until the node is given up at its start, which loads the network's libraries."""

PEACE, TURMOIL = 0.1, 0.95
"""Shares of the time after which the peace ends, and after which nothing new happens any more."""

TIMES = 3.0
"""Images in the overload, in multiples of what the node has time for."""

OVERLOAD, OVERLOAD_SHARE = 60.0, 0.25
"""Seconds of the overload at most, and share of the time at most."""

MEASURING = 0.1
"""Share of the overload's time in which is measured what there is time for."""

TOGETHER = 2
"""Images under way while that is measured: the one that is worked on, and the next."""


@dataclass(frozen=True)
class Plan:
    """How long, and with which camera.

    Attributes:
        seconds: of the whole run.
        width, height, rate: of the camera: pixels, and images a second.
        seed: of the order in which things happen.
    """

    seconds: float
    width: int = 640
    height: int = 480
    rate: float = 30.0
    seed: int = 0


def parameters(given: dict[str, object]) -> dict[str, object]:
    """What the node is started with, besides model and backend."""
    return {**given, "diagnostics_period": DIAGNOSTICS_PERIOD}


def run(plan: Plan, pid: int, check: Callable[[], None]) -> tuple[list[dict[str, Any]], list[str]]:
    """Put a node that was just started with :func:`parameters` to the test.

    Args:
        pid: of the node's process.
        check: raises a SoakError when that process has ended.

    Returns:
        The rows of the table, and what was wrong, in sentences.
    """
    rig = Rig(plan.width, plan.height, plan.rate, check)
    try:
        soak = Soak(plan, rig, pid)
        try:
            soak.live()
        except (SoakError, ProcessLookupError) as error:
            rig.ledger.trouble.append(str(error))
        return soak.rows(), rig.ledger.trouble
    finally:
        rig.close()


class Soak:
    """One run, from the first image to the last look at the counts."""

    def __init__(self, plan: Plan, rig: Rig, pid: int) -> None:
        self._plan = plan
        self._rig = rig
        self._pid = pid
        self._happened = 0
        self._times: list[float] = []
        self._held: list[Held] = []
        self._calm: list[float] = []
        self._flood: list[dict[str, Any]] = []
        self._began = 0.0

    def live(self) -> None:
        """Everything, in order.

        Raises:
            SoakError: the node has ended, or does not do what it must.
        """
        rig, seconds = self._rig, self._plan.seconds
        rig.until(lambda: rig.state == "active", "the node to become active", START)
        rig.listen("poses", True)
        rig.filming = True
        rig.until(lambda: rig.latencies, "the first result", START)
        rig.latencies.clear()
        self._began = time.monotonic()
        with tqdm(total=round(seconds), unit="s", disable=None) as bar:
            self._bar = bar
            self._in_peace(PEACE * seconds)
            self._too_much(min(OVERLOAD, OVERLOAD_SHARE * seconds))
            self._in_turmoil(self._began + TURMOIL * seconds)
            self._spend(self._began + seconds - time.monotonic(), "in peace again")
            rig.quiet("at the end")

    def rows(self) -> list[dict[str, Any]]:
        """What is told at the end."""
        return [
            *self._rig.ledger.rows(),
            {"what": "events", "value": self._happened, "unit": "", "about": "after each of them it answered again"},
            *latency_rows(self._calm, "in peace"),
            *latency_rows(self._rig.latencies, "all the time"),
            *self._flood,
            *(held_rows(self._times, self._held, "of the node") if self._held else []),
        ]

    def _in_peace(self, seconds: float) -> None:
        self._spend(seconds, "in peace")
        self._calm = list(self._rig.latencies)
        self._rig.quiet("after a time in peace")

    def _too_much(self, seconds: float) -> None:
        """Measure what there is time for, and send three times as much."""
        rig = self._rig
        capacity = self._capacity(MEASURING * seconds)
        before, first = held(self._pid), len(rig.latencies)
        sent, lost, processed = rig.ledger.sent, rig.ledger.lost, rig.ledger.total("processed")
        rig.rate, rig.filming = TIMES * capacity, True
        began = time.monotonic()
        self._spend((1.0 - MEASURING) * seconds, "overload")
        passed = time.monotonic() - began
        late = rig.latencies[first:]
        rig.quiet("after the overload")
        rig.rate = self._plan.rate
        after, half = held(self._pid), len(late) // 2
        sent, processed = rig.ledger.sent - sent, rig.ledger.total("processed") - processed
        lost = rig.ledger.lost - lost
        self._flood = [
            {"what": "capacity", "value": round(capacity, 1), "unit": "images/s", "about": "measured"},
            {"what": "sent", "value": round(sent / passed, 1), "unit": "images/s", "about": "overload"},
            {"what": "processed", "value": round(processed / passed, 1), "unit": "images/s", "about": "overload"},
            {"what": "transport", "value": lost, "unit": "images", "about": f"of the {sent} of the overload"},
            *latency_rows(late[:half], "overload, first half", "frames", capacity),
            *latency_rows(late[half:], "overload, second half", "frames", capacity),
            {"what": "own memory first", "value": round(before.own, 1), "unit": "MB", "about": "overload"},
            {"what": "own memory last", "value": round(after.own, 1), "unit": "MB", "about": "overload"},
        ]

    def _capacity(self, seconds: float) -> float:
        """Images a second while one is worked on and the next one waits."""
        rig = self._rig
        rig.filming = False
        first, began = len(rig.latencies), time.monotonic()
        under_way = [rig.shoot()]
        while time.monotonic() < began + seconds or len(rig.latencies) == first:
            while len(under_way) < TOGETHER:
                under_way.append(rig.shoot())
            rig.answer(under_way[0], "a result")
            under_way = [stamp for stamp in under_way if stamp > rig.answered]
        capacity = (len(rig.latencies) - first) / (time.monotonic() - began)
        rig.quiet("after the measurement of capacity")
        return capacity

    def _in_turmoil(self, end: float) -> None:
        """One event after the other, all kinds in ever changing order."""
        rig, random = self._rig, np.random.default_rng(self._plan.seed)
        events = list(Events(rig, random).all().items())
        while True:
            for number in random.permutation(len(events)):
                name, happen = events[number]
                happen()
                rig.answer(rig.now(), f"a result after '{name}'")
                self._spend(float(random.uniform(0.2, 1.0)), name)
                rig.quiet(f"after '{name}'")
                self._happened += 1
                if time.monotonic() >= end:
                    return

    def _spend(self, seconds: float, about: str) -> None:
        """Let time pass, and look at the process every second."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._rig.wait(min(1.0, left))
            passed = time.monotonic() - self._began
            self._bar.set_description(about)
            self._bar.update(min(round(passed), round(self._plan.seconds)) - self._bar.n)
            if not self._times or passed >= self._times[-1] + 1.0:
                self._times.append(passed)
                self._held.append(held(self._pid))
