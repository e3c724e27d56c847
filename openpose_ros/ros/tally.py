"""What became of the images: counted by the node, told in the log and on /diagnostics."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 10.0
"""Seconds over which rates and latencies are told."""

KEPT = 2048
"""Latencies remembered at most, so that the window takes no more memory at any rate."""


@dataclass
class Tally:
    """Counts since the node was activated. Every image received is in exactly one of the others, or on its way.

    Attributes:
        received: images that came from the camera.
        replaced: never looked at because a newer one came.
        outdated: older than max_age when their turn came.
        broken: could not be read.
        failed: the network or the decoder raised an exception.
        processed: gave a result, with or without people.
        people: people in all results.
        unpaired: of those processed, without a depth image of their time, or without a calibration.
        jumps: how often time jumped back.
        seconds: time spent on those processed, from the message to the published result.
    """

    received: int = 0
    replaced: int = 0
    outdated: int = 0
    broken: int = 0
    failed: int = 0
    processed: int = 0
    people: int = 0
    unpaired: int = 0
    jumps: int = 0
    seconds: float = 0.0

    def since(self, before: Tally, seconds: float) -> str:
        """What happened in the ``seconds`` since ``before``, as a line for the log."""
        processed = self.processed - before.processed
        parts = [
            f"{(self.received - before.received) / seconds:.1f} images/s in",
            f"{processed / seconds:.1f} processed",
            f"{(self.replaced - before.replaced) / seconds:.1f} replaced by newer ones",
        ]
        if processed:
            parts.append(f"{1e3 * (self.seconds - before.seconds) / processed:.0f} ms each")
            parts.append(f"{(self.people - before.people) / processed:.1f} people each")
        for name in ("outdated", "broken", "failed", "unpaired"):
            if count := getattr(self, name) - getattr(before, name):
                parts.append(f"{count} {name}")
        return ", ".join(parts)


class Window:
    """The latest seconds of one camera: tallies and latencies. For one thread that adds and one that reads."""

    def __init__(self) -> None:
        self._tallies: deque[tuple[float, Tally]] = deque()
        self._latencies: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def latency(self, seconds: float) -> None:
        """Remember the time from the stamp of an image to its published result."""
        self._latencies.append((time.monotonic(), seconds))

    def latencies(self) -> tuple[float, float] | None:
        """Median and 95th percentile in seconds; None when nothing was published lately."""
        since = time.monotonic() - WINDOW
        recent = [seconds for when, seconds in list(self._latencies) if when >= since]
        if not recent:
            return None
        median, high = np.percentile(recent, (50, 95)).tolist()
        return median, high

    def look(self, tally: Tally) -> tuple[Tally, float]:
        """Remember the tally of now; what it was a window ago (or when first looked at), and how many seconds ago."""
        now = time.monotonic()
        self._tallies.append((now, tally))
        while len(self._tallies) > 2 and self._tallies[1][0] <= now - WINDOW:
            self._tallies.popleft()
        when, before = self._tallies[0]
        return before, now - when
