"""Limbs out of all proportion to the rest of their person."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode import decode
from openpose_ros.decode.assemble import Groups
from openpose_ros.decode.peaks import Peaks
from openpose_ros.decode.stray import LONGEST, without_strays
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, Skeleton

CHAIN = Skeleton("chain", ("a", "b", "c", "d", "e", "f"), ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)))


def chain(*lengths: float) -> tuple[Groups, Peaks]:
    """One group: joints in a row, so many cells apart; NaN where the limb before the last joints is missing."""
    x = np.concatenate([[0.0], np.cumsum(lengths)]).astype(np.float32)
    count = len(x)
    peaks = Peaks(np.zeros(count, np.int64), np.arange(count), x, np.zeros_like(x), np.ones_like(x))
    members = np.full((1, 6), -1, np.int64)
    members[0, :count] = np.arange(count)
    limbs = np.zeros((1, 5), np.float32)
    limbs[0, : count - 1] = 0.5 + 0.1 * np.arange(count - 1)
    return Groups(np.zeros(1, np.int64), members, limbs), peaks


@pytest.mark.parametrize(
    ("lengths", "left"),
    [
        ((5, 5, 5, 5, 5), [0, 1, 2, 3, 4, 5]),
        ((5, 5, 5, 5, 5 * LONGEST - 1), [0, 1, 2, 3, 4, 5]),
        ((5, 5, 5, 5, 5 * LONGEST + 1), [0, 1, 2, 3, 4]),
        ((90, 5, 5, 5, 5), [1, 2, 3, 4, 5]),
        ((5, 90, 5, 5, 5), [2, 3, 4, 5]),
        ((5, 5, 5, 90, 5), [0, 1, 2, 3]),
        ((900, 5, 5, 5, 90), [1, 2, 3, 4]),
        ((900, 90, 5, 5, 5), [2, 3, 4, 5]),
        ((0.1, 0.2, 3, 0.1, 0.2), [0, 1, 2, 3, 4, 5]),
        ((5, 90), [0, 1, 2]),
    ],
)
def test_the_part_with_more_joints_stays(lengths: tuple[float, ...], left: list[int]) -> None:
    groups, peaks = chain(*lengths)
    kept = without_strays(groups, peaks, CHAIN)
    assert kept.members[0][kept.members[0] >= 0].tolist() == left
    for limb, (start, end) in enumerate(CHAIN.limbs):
        assert kept.limbs[0, limb] == (groups.limbs[0, limb] if start in left and end in left else 0.0)


def test_nobody_stays_nobody() -> None:
    groups, peaks = chain(5, 5, 5, 5, 5)
    nobody = Groups(groups.image[:0], groups.members[:0], groups.limbs[:0])
    assert len(without_strays(nobody, peaks, CHAIN).members) == 0


def test_a_skeleton_of_one_limb_has_no_strays() -> None:
    pair = Skeleton("pair", ("a", "b"), ((0, 1),))
    peaks = Peaks(*(np.zeros(2, np.int64), np.arange(2), *np.float32([[0, 90], [0, 0], [1, 1]])))
    groups = Groups(np.zeros(1, np.int64), np.array([[0, 1]]), np.float32([[0.9]]))
    assert without_strays(groups, peaks, pair).members.tolist() == [[0, 1]]


def test_a_wrist_across_the_picture_costs_only_itself() -> None:
    (person,) = crowd(1, 368, 368)
    person *= 0.5
    wrist = COCO_18.joints.index("left_wrist")
    person[wrist] = 620.0, 340.0
    fields = render(person[None], Grid.fit(368, 656, 368, 656, 8), COCO_18)
    (found,) = decode(fields, DecodeOptions())[0].xy
    others = np.isfinite(person[:, 0]) & (np.arange(18) != wrist)
    np.testing.assert_allclose(found[others], person[others], atol=1.0)
    assert np.isnan(found[wrist]).all()
