"""Which of a few input sizes keeps a target rate: the largest one that the machine has time for, and no flapping.

What an image costs is measured as it comes, load of other programs included. A size is given up when the median cost
of the latest images has been above what is allowed for a moment; the next larger one is tried when it has, by all that
is known, fitted for a longer time and with a margin. Who comes back from such a trial soon waits twice as long before
the next one: a machine on the edge between two sizes stays with the smaller one.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from openpose_ros.options import InputOptions

LATEST = 15
"""Images whose median cost counts."""

ENOUGH = 7
"""Images of a size before anything is said about it."""

UNPREPARED = 1
"""Images after a change that do not count: a backend may prepare itself for the new size."""

ROOM = 0.85
"""Share of the allowed cost that a larger size may be expected to take."""

LATE, CALM = 0.5, 3.0
"""Seconds for which a size must have been too slow, and for which the next one must have seemed to fit."""

TRIAL = 20.0
"""Seconds after which a larger size has stood its trial."""

MOST_CALM = 120.0
"""Bound on the time before a size that did not stand its trial is tried again, in seconds."""


class Change(NamedTuple):
    """Another size from now on: seconds an image took at the old one, and how many there are for it."""

    before: str
    after: str
    cost: float
    allowed: float


class AdaptiveSize:
    """Chooses the size of the network's input. Knows nothing of clocks: every method is told the time.

    Args:
        sizes: as :meth:`AdaptiveOptions.sizes` gives them, the smallest first; with that it begins.
        rate: images a second that the network has to look at, those of all cameras together.

    Attributes:
        size: the one that is chosen now.
        allowed: seconds that an image may take.
        cost: median of the seconds that the latest images took; None while too few are known.
    """

    def __init__(self, sizes: Sequence[str], rate: float) -> None:
        self.allowed = 1.0 / rate
        self.cost: float | None = None
        self._sizes = list(sizes)
        self._pixels = [_pixels(size) for size in sizes]
        self._chosen = 0
        self._costs: deque[float] = deque(maxlen=LATEST)
        self._skip = UNPREPARED
        self._late_since: float | None = None
        self._room_since: float | None = None
        self._chosen_at: float | None = None
        self._calm = [CALM] * len(sizes)

    @property
    def size(self) -> str:
        return self._sizes[self._chosen]

    @property
    def too_slow(self) -> bool:
        """Whether not even the smallest size keeps the rate."""
        return self._chosen == 0 and self.cost is not None and self.cost > self.allowed

    def took(self, seconds: float, now: float) -> Change | None:
        """Count one image.

        Args:
            seconds: that it took at the present size, from the mailbox to the published result.
            now: seconds of any clock that does not jump.

        Returns:
            The change of size that follows, None if none does.
        """
        if self._chosen_at is None:
            self._chosen_at = now
        if self._skip:
            self._skip -= 1
            return None
        self._costs.append(seconds)
        if len(self._costs) < ENOUGH:
            return None
        self.cost = statistics.median(self._costs)
        late = self._chosen > 0 and self.cost > self.allowed
        room = self._chosen + 1 < len(self._sizes) and self._expected(self._chosen + 1) <= ROOM * self.allowed
        self._late_since = (now if self._late_since is None else self._late_since) if late else None
        self._room_since = (now if self._room_since is None else self._room_since) if room else None
        if self._late_since is not None and now - self._late_since >= LATE:
            return self._change(self._fitting(), now)
        if self._room_since is not None and now - self._room_since >= self._calm[self._chosen + 1]:
            return self._change(self._chosen + 1, now)
        return None

    def _expected(self, other: int) -> float:
        """Seconds an image of another size should take if all of the cost is the network's, which follows the area."""
        assert self.cost is not None
        return self.cost * self._pixels[other] / self._pixels[self._chosen]

    def _fitting(self) -> int:
        """The largest of the smaller sizes that should fit."""
        return max((size for size in range(self._chosen) if self._expected(size) <= self.allowed), default=0)

    def _change(self, chosen: int, now: float) -> Change:
        assert self.cost is not None and self._chosen_at is not None
        if chosen < self._chosen:
            failed = now - self._chosen_at < TRIAL
            self._calm[self._chosen] = min(2.0 * self._calm[self._chosen], MOST_CALM) if failed else CALM
        change = Change(self.size, self._sizes[chosen], self.cost, self.allowed)
        self._chosen, self._chosen_at = chosen, now
        self._costs.clear()
        self._skip = UNPREPARED
        self.cost = self._late_since = self._room_since = None
        return change


def _pixels(size: str) -> float:
    """How much work a size is, in comparison with others written in the same way."""
    sides = InputOptions(input_size=size).size()
    return float(sides**2 if isinstance(sides, int) else sides[0] * sides[1])
