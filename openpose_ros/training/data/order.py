"""Which crop comes when: a pure function of seed and position, so that any process can begin anywhere.

Position k of a run is the same crop whatever the number of loader processes and of training processes, and after
any interruption.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

BLOCK = 4096
"""Positions in which every entry gets exactly its share."""

Indices = npt.NDArray[np.int64]
Kept = TypeVar("Kept")


class Mix:
    """Shares positions out to several entries by their weights."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        """Shares are rounded to 1 / 4096; none is less than that."""
        if not weights or min(weights) <= 0.0:
            raise ValueError(f"weights are {list(weights)}; expected positive numbers")
        shares = BLOCK * np.asarray(weights) / np.sum(weights)
        self.counts = np.maximum(1, np.floor(shares)).astype(np.int64)
        rest = np.argsort(self.counts - shares, kind="stable")
        for place in range(BLOCK - int(self.counts.sum())):
            self.counts[rest[place % len(rest)]] += 1
        while self.counts.sum() > BLOCK:
            self.counts[self.counts.argmax()] -= 1
        self.seed = seed
        self._kept: dict[int, tuple[Indices, Indices]] = {}

    def entry(self, position: int) -> tuple[int, int]:
        """(entry, turn) of a position: the turn counts that entry's earlier positions."""
        block, slot = divmod(position, BLOCK)
        entries, turns = self._pattern(block)
        chosen = int(entries[slot])
        return chosen, block * int(self.counts[chosen]) + int(turns[slot])

    def before(self, entry: int, position: int) -> int:
        """How many positions before this one are the entry's."""
        block, slot = divmod(position, BLOCK)
        return block * int(self.counts[entry]) + int((self._pattern(block)[0][:slot] == entry).sum())

    def _pattern(self, block: int) -> tuple[Indices, Indices]:
        if block not in self._kept:
            entries = np.repeat(np.arange(len(self.counts)), self.counts)
            entries = np.random.default_rng([self.seed, block]).permutation(entries)
            turns = np.empty_like(entries)
            for entry, count in enumerate(self.counts):
                turns[entries == entry] = np.arange(count)
            _keep(self._kept, block, (entries, turns))
        return self._kept[block]


class Shuffled:
    """Numbers 0 .. count - 1 over and over, each time in another order."""

    def __init__(self, count: int, seed: int, entry: int) -> None:
        self.count = count
        self.seed = seed
        self.entry = entry
        self._kept: dict[int, Indices] = {}

    def __call__(self, turn: int) -> tuple[int, int]:
        """(number, epoch) at a turn."""
        epoch, place = divmod(turn, self.count)
        if epoch not in self._kept:
            order = np.random.default_rng([self.seed, self.entry, epoch]).permutation(self.count)
            _keep(self._kept, epoch, order)
        return int(self._kept[epoch][place]), epoch


def _keep(kept: dict[int, Kept], key: int, value: Kept) -> None:
    """Remember the two latest: near a border both sides are asked for in turns."""
    while len(kept) > 1:
        kept.pop(next(iter(kept)))
    kept[key] = value
