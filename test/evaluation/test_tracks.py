"""Recall, ghosts and id switches of a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from openpose_ros.backends.synthetic import group
from openpose_ros.evaluation.tracks import NOBODY, Followed, Identities, match, similarity
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18

TRUTH = group(480, 640, COCO_18)
WHO = np.arange(3)
SURE = np.ones(3, bool)


def people(xy: Any, ids: Any) -> People:
    found = People.from_arrays(COCO_18, xy, (480, 640))
    return replace(found, id=np.array(ids, np.int32))


def test_everybody_found_with_the_same_ids_is_perfect() -> None:
    followed = Followed()
    for shift in range(10):
        order = np.roll(np.arange(3), shift)
        followed.add(people((TRUTH + shift)[order], (WHO + 5)[order]), TRUTH + shift, WHO, SURE)
    assert (followed.images, followed.expected, followed.found, followed.ghosts) == (10, 30, 30, 0)
    assert followed.recall == 1.0
    identities = followed.identities
    assert (identities.people, identities.switches, identities.fragments, identities.shared) == (3, 0, 0, 0)


def test_missed_people_cost_recall_and_strangers_are_ghosts() -> None:
    followed = Followed()
    ghost = TRUTH[:1] + np.array([0.0, 200.0])
    followed.add(people(np.concatenate([TRUTH[:2], ghost]), [1, 2, 3]), TRUTH, WHO, SURE)
    assert (followed.found, followed.expected, followed.ghosts) == (2, 3, 1)
    assert followed.recall == pytest.approx(2 / 3)


def test_who_is_found_where_somebody_may_be_is_no_ghost() -> None:
    half = TRUTH[:1] + np.array([0.0, 200.0])
    corner, end = np.nanmin(half[0], axis=0), np.nanmax(half[0], axis=0)
    for box, ghosts in (([*corner, *end], 0), ([*(corner + 500.0), *(end + 500.0)], 1)):
        followed = Followed()
        followed.add(people(np.concatenate([TRUTH, half]), [1, 2, 3, 4]), TRUTH, WHO, SURE, [box])
        assert (followed.found, followed.ghosts) == (3, ghosts)


def test_same_person_twice_is_a_ghost() -> None:
    followed = Followed()
    followed.add(people(np.concatenate([TRUTH, TRUTH[1:2] + 1.0]), [1, 2, 3, 4]), TRUTH, WHO, SURE)
    assert (followed.found, followed.ghosts) == (3, 1)


def test_who_need_not_be_found_is_neither_a_miss_nor_a_ghost() -> None:
    sure = np.array([True, False, True])
    for seen in ([0, 1, 2], [0, 2]):
        followed = Followed()
        followed.add(people(TRUTH[seen], seen), TRUTH, WHO, sure)
        assert (followed.expected, followed.found, followed.ghosts) == (2, 2, 0)


def test_every_change_of_an_id_is_a_switch() -> None:
    identities = Identities()
    for ids in ([1, 2], [1, 2], [2, 1], [2, 1], [2, 3]):
        identities.add(ids, [0, 1])
    assert (identities.switches, identities.people, identities.fragments, identities.shared) == (3, 2, 3, 2)


def test_who_is_lost_for_a_while_must_come_back_with_the_same_id() -> None:
    for again, switches in ((4, 0), (9, 1)):
        identities = Identities()
        identities.add([4], [0])
        identities.add([], [])
        identities.add([again], [0])
        assert identities.switches == switches


def test_people_without_an_id_and_ghosts_change_nothing() -> None:
    identities = Identities()
    identities.add([-1, 8], [0, NOBODY])
    identities.add([5, 9], [0, NOBODY])
    assert (identities.switches, identities.people, identities.shared) == (0, 1, 0)


def test_nobody_anywhere_is_perfect() -> None:
    followed = Followed()
    followed.add(people(np.empty((0, 18, 2)), []), np.empty((0, 18, 2)), np.empty(0, np.int64), np.empty(0, bool))
    assert (followed.recall, followed.ghosts, followed.images) == (1.0, 0, 1)


def test_similarity_counts_the_joints_that_the_true_person_shows() -> None:
    half = TRUTH[:1].copy()
    half[0, 8:14] = np.nan
    assert similarity(TRUTH[:1], half, COCO_18)[0, 0] == 1.0  # what is found beyond is no fault
    known = np.isfinite(TRUTH[0]).all(-1).sum()
    hidden = np.isfinite(TRUTH[0, 8:14]).all(-1).sum()
    assert similarity(half, TRUTH[:1], COCO_18)[0, 0] == pytest.approx(1 - hidden / known)
    assert similarity(TRUTH[:1], np.full_like(half, np.nan), COCO_18)[0, 0] == 0.0


def test_pairs_are_those_most_alike_in_sum() -> None:
    row, column = match(TRUTH[[2, 0]] + 3.0, TRUTH, COCO_18)
    assert dict(zip(row.tolist(), column.tolist(), strict=True)) == {0: 2, 1: 0}
    row, _ = match(TRUTH + 500.0, TRUTH, COCO_18)
    assert len(row) == 0
