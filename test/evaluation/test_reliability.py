"""Precision, recall and ghosts: counted as a robot would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pycocotools")

from openpose_ros.backends.synthetic import group
from openpose_ros.evaluation.reliability import Ghosts, ghost_threshold, ghosts, match, reliability
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17

SIZE = (480, 640)
TRUTH = group(*SIZE, COCO_17)


def people(*who: int, scores: tuple[float, ...] = (), dx: float = 0.0) -> People:
    """Some of three people, moved by ``dx`` pixels."""
    xy = TRUTH[list(who)] + (dx, 0.0)
    return People.from_arrays(COCO_17, xy, SIZE, person_score=scores or [0.5] * len(who))


def annotation(who: int) -> dict[str, Any]:
    xy = TRUTH[who] + 0.5
    left, top, width, height = *xy.min(0), *np.ptp(xy, axis=0)
    return {
        "iscrowd": 0,
        "num_keypoints": 17,
        "bbox": [left, top, width, height],
        "area": 0.6 * width * height,
        "keypoints": np.concatenate([xy, np.full((17, 1), 2.0)], 1).ravel().tolist(),
    }


EVERYBODY = [annotation(who) for who in range(3)]


@pytest.mark.parametrize(
    ("found", "precision", "recall"),
    [
        (people(0, 1, 2), 1.0, 1.0),
        (people(0, 2), 1.0, 2 / 3),
        (people(0, 0, 1), 2 / 3, 2 / 3),  # found twice: the second one is a ghost
        (people(0, 1, 2, dx=1000.0), 0.0, 0.0),
        (people(0, 1, 2, dx=2.0), 1.0, 1.0),
        (people(), 0.0, 0.0),
    ],
    ids=["all", "two", "one twice", "elsewhere", "nearly", "nobody"],
)
def test_people_count_once_each(found: People, precision: float, recall: float) -> None:
    at = reliability([found], [EVERYBODY], 0.0)
    assert at.precision == pytest.approx(precision)
    assert at.recall == pytest.approx(recall)


def test_only_people_of_that_score_count() -> None:
    found = people(0, 1, 2, scores=(0.9, 0.5, 0.1))
    ghost = replace(people(0, dx=2000.0), person_score=np.float32([0.3]))
    both = People.from_arrays(COCO_17, np.concatenate([found.xy, ghost.xy]), SIZE, person_score=[0.9, 0.5, 0.1, 0.3])
    seen = [reliability([both], [EVERYBODY], score) for score in (0.0, 0.2, 0.4, 0.6, 0.95)]
    assert [at.precision for at in seen] == pytest.approx([3 / 4, 2 / 3, 1.0, 1.0, 0.0])
    assert [at.recall for at in seen] == pytest.approx([1.0, 2 / 3, 2 / 3, 1 / 3, 0.0])


def test_a_score_of_exactly_the_threshold_counts() -> None:
    found = people(0, scores=(0.3,))
    assert reliability([found], [EVERYBODY], float(found.person_score[0])).recall == pytest.approx(1 / 3)


def test_all_photos_are_counted_together() -> None:
    at = reliability([people(0, 1, 2), people(), people(1, dx=2000.0)], [EVERYBODY, EVERYBODY, []], 0.0)
    assert at.precision == pytest.approx(3 / 4)
    assert at.recall == pytest.approx(3 / 6)


@pytest.mark.parametrize("crowd", [True, False])
def test_people_in_crowds_and_without_keypoints_count_neither_way(crowd: bool) -> None:
    excused = {**annotation(1), "iscrowd": int(crowd), "num_keypoints": 17 if crowd else 0}
    at = reliability([people(0, 1)], [[EVERYBODY[0], excused]], 0.0)
    assert (at.precision, at.recall) == (1.0, 1.0)


def test_annotations_may_come_as_any_iterable() -> None:
    assert reliability([people(0, 1, 2)], [iter(EVERYBODY)], 0.0).recall == 1.0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 0.984375, width=32), max_size=6), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.1, 0.25, 1.0, 3.0]),
)
def test_the_ghost_threshold_is_the_lowest_that_keeps_the_promise(scores: list[list[float]], allowed: float) -> None:
    found = [
        People.from_arrays(COCO_17, np.zeros((len(row), 17, 2)), SIZE, person_score=np.array(row, np.float32))
        for row in scores
    ]
    threshold = ghost_threshold(found, allowed)
    flat = np.concatenate([one.person_score for one in found])
    assert (flat >= np.float32(threshold)).sum() <= allowed * len(found)
    if threshold > 0:
        lower = np.nextafter(np.float32(threshold), np.float32(0))
        assert (flat >= lower).sum() > allowed * len(found)


def test_who_is_who_is_told() -> None:
    found = people(2, 0, 0, scores=(0.9, 0.8, 0.7))
    matched = match(found, EVERYBODY)
    assert matched.found.tolist() == [1, -1, 0]
    assert matched.fit.tolist() == pytest.approx([1.0, 0.0, 1.0], abs=1e-6)
    assert matched.ghosts == [2]
    assert [person["area"] for person in matched.wanted] == [person["area"] for person in EVERYBODY]


def test_people_in_photos_without_anybody_are_counted_from_their_score_on() -> None:
    found = [people(0, 1, scores=(0.9, 0.2)), people(), people(2, scores=(0.5,))]
    assert ghosts(found, 0.5) == Ghosts(photos=3, people=2, haunted=2)
    assert ghosts(found, 0.0) == Ghosts(photos=3, people=3, haunted=2)
    assert ghosts(found, 0.95) == Ghosts(photos=3, people=0, haunted=0)
