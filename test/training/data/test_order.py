"""Shares and permutations that can be asked anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.training.data.order import BLOCK, Mix, Shuffled


def test_turns_of_an_entry_count_up_without_gaps() -> None:
    mix = Mix([3.0, 1.0, 0.001], seed=1)
    turns: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for position in range(2 * BLOCK + 100):
        entry, turn = mix.entry(position)
        assert turn == mix.before(entry, position)
        turns[entry].append(turn)
    for found in turns.values():
        assert found == list(range(len(found)))
    assert len(turns[1]) == pytest.approx((2 * BLOCK + 100) / 4, rel=0.05)
    assert turns[2]


def test_shares_add_up_however_small() -> None:
    for weights in ([1.0], [1.0] * 7, [1e-9, 1.0], [1e-9] * 100 + [1.0]):
        counts = Mix(weights, 0).counts
        assert counts.sum() == BLOCK
        assert counts.min() >= 1


def test_every_epoch_is_a_permutation_of_its_own() -> None:
    shuffled = Shuffled(10, seed=2, entry=0)
    found = [shuffled(turn) for turn in range(30)]
    epochs = [[number for number, epoch in found if epoch == e] for e in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert Shuffled(10, seed=2, entry=0)(25) == found[25]
    assert [Shuffled(10, seed=2, entry=1)(turn)[0] for turn in range(10)] != epochs[0]


def test_a_position_is_the_same_whoever_asks_and_when() -> None:
    one, other = Mix([1.0, 2.0], 7), Mix([1.0, 2.0], 7)
    places = [10**8, 3, 10**8 + BLOCK, 5, 2 * BLOCK]
    assert [one.entry(k) for k in places] == [other.entry(k) for k in reversed(places)][::-1]
    assert [Mix([1.0, 2.0], 8).entry(k)[0] for k in range(50)] != [one.entry(k)[0] for k in range(50)]
    assert np.bincount([one.entry(k)[0] for k in range(BLOCK)]).tolist() == one.counts.tolist()
