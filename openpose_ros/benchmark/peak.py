"""The highest rate that something keeps up with, found by trials of a few seconds at one rate after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

CLOSE = 1.04
"""Ratio of the rate that failed to the rate that held at which the search ends."""

STEP = 1.25
"""From rate to rate until both are known."""

MOST_TRIALS = 12


@dataclass(frozen=True)
class Trial:
    """What became of the images of one trial.

    Attributes:
        seconds: how long they were sent.
        sent: how many.
        latencies: seconds from the stamp of an image to its people, of those that had an answer.
        cpu: seconds of CPU of the process under test.
        own_cpu: the same of the process that sent the images.
    """

    seconds: float
    sent: int
    latencies: list[float] = field(default_factory=list)
    cpu: float = 0.0
    own_cpu: float = 0.0

    @property
    def offered(self) -> float:
        """Images sent a second."""
        return self.sent / self.seconds

    @property
    def answered(self) -> float:
        """Images a second that had an answer."""
        return len(self.latencies) / self.seconds

    @property
    def loss(self) -> float:
        """Share of the images without an answer."""
        return 1.0 - len(self.latencies) / self.sent if self.sent else 0.0

    def latency_ms(self, percent: float) -> float | None:
        """A percentile of the latencies; None if there was no answer."""
        return 1e3 * float(np.percentile(self.latencies, percent)) if self.latencies else None


def peak(trial: Callable[[float], Trial], guess: float, bound: float) -> Trial | None:
    """The trial at the highest rate whose loss is at most ``bound``.

    From a guess up or down until one rate held and one did not, then by halves. A trial whose sender did not reach its
    rate counts as one at the rate that it reached.

    Args:
        trial: sends images so many times a second.
        guess: a rate to begin with.
        bound: share of the images that may be lost.

    Returns:
        None if no rate held.
    """
    best: Trial | None = None
    failed, rate = 0.0, guess
    for _ in range(MOST_TRIALS):
        seen = trial(rate)
        reached = min(rate, seen.offered)
        if seen.loss <= bound:
            if best is None or seen.offered > best.offered:
                best = seen
            if reached < rate / CLOSE:  # the sender's limit
                break
        else:
            failed = reached if not failed else min(failed, reached)
        held = best.offered if best is not None else 0.0
        if not failed:
            rate = held * STEP
        elif not held:
            rate = failed / STEP
        elif failed <= held * CLOSE:
            break
        else:
            rate = (held + failed) / 2.0
    return best
