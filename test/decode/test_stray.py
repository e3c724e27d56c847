"""Limbs out of all proportion to the rest of their person."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode import decode
from openpose_ros.decode.assemble import Groups
from openpose_ros.decode.peaks import Peaks
from openpose_ros.decode.stray import LONGEST, WEAK, without_strays
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, Skeleton

CHAIN = Skeleton("chain", tuple("abcdefghij"), tuple((joint, joint + 1) for joint in range(9)))


def chain(*lengths: float, score: float = 0.1) -> tuple[Groups, Peaks]:
    """One group: joints in a row, so many cells apart, as many as there are."""
    x = np.concatenate([[0.0], np.cumsum(lengths)]).astype(np.float32)
    count = len(x)
    peaks = Peaks(np.zeros(count, np.int64), np.arange(count), x, np.zeros_like(x), np.ones_like(x))
    members = np.full((1, len(CHAIN.joints)), -1, np.int64)
    members[0, :count] = np.arange(count)
    limbs = np.zeros((1, len(CHAIN.limbs)), np.float32)
    limbs[0, : count - 1] = score
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
        ((900, 5, 5, 5, 5, 800), [1, 2, 3, 4, 5]),
        ((5, 5, 900, 5, 5, 5, 5, 900, 5), [3, 4, 5, 6, 7]),
        ((0.1, 0.2, 3, 0.1, 0.2), [0, 1, 2, 3, 4, 5]),
        ((5, 5, 90), [0, 1, 2, 3]),
    ],
    ids=str,
)
def test_the_part_with_most_joints_stays(lengths: tuple[float, ...], left: list[int]) -> None:
    groups, peaks = chain(*lengths)
    kept = without_strays(groups, peaks, CHAIN)
    assert kept.members[0][kept.members[0] >= 0].tolist() == left
    for limb, (start, end) in enumerate(CHAIN.limbs):
        assert kept.limbs[0, limb] == (groups.limbs[0, limb] if start in left and end in left else 0.0)


def test_a_limb_that_the_field_supports_may_be_long() -> None:
    groups, peaks = chain(5, 5, 5, 5, 90, score=2 * WEAK)
    assert without_strays(groups, peaks, CHAIN).members.tolist() == groups.members.tolist()


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
    arm = next(limb for limb, (_, end) in enumerate(COCO_18.limbs) if end == wrist)
    fields.pafs[:, arm] *= 0.12
    (found,) = decode(fields, DecodeOptions())[0].xy
    others = np.isfinite(person[:, 0]) & (np.arange(18) != wrist)
    np.testing.assert_allclose(found[others], person[others], atol=1.0)
    assert np.isnan(found[wrist]).all()
