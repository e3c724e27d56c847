"""The sheet of the worst photos: the right ones, in the right order, drawn where they belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.backends.synthetic import group
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.evaluation.worst import GHOST, MISSED, sheet, worst
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18

Write = Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]

SIZES = [(480, 640), (640, 480), (426, 640)]


def everybody(size: tuple[int, int]) -> People:
    return People.from_arrays(COCO_18, group(*size, COCO_18), size, person_score=[0.9, 0.8, 0.7])


@pytest.fixture
def photos(coco_folder: Write) -> AnnotatedPhotos:
    return AnnotatedPhotos(*coco_folder([(size, everybody(size)) for size in SIZES]))


def moved(people: People, dx: float) -> People:
    return replace(people, xy=people.xy + np.float32([dx, 0]))


def test_the_photos_that_lose_most_come_first(photos: AnnotatedPhotos) -> None:
    found = [everybody(SIZES[0]), everybody(SIZES[1])[:1], moved(everybody(SIZES[2]), 5000.0)]
    lost = worst(photos.photos, found, 0.0, 3)
    assert [one.photo.id for one in lost] == [3, 2, 1]
    assert [one.amount for one in lost] == pytest.approx([3.0 + 0.9 + 0.8 + 0.7, 2.0, 0.0], abs=1e-3)
    assert str(lost[0]) == "3 of 3 missed, 3 found where nobody is"
    assert str(lost[1]) == "2 of 3 missed, mean OKS of the found 1.00"
    assert str(lost[2]) == "all 3 found, mean OKS of the found 1.00"
    assert [one.photo.id for one in worst(photos.photos, found, 0.0, 1)] == [3]


def test_doubtful_people_neither_count_nor_cost(photos: AnnotatedPhotos) -> None:
    found = [moved(everybody(size), 5000.0) for size in SIZES]
    for one in worst(photos.photos, found, 0.75, 3):
        assert one.amount == pytest.approx(3.0 + 0.9 + 0.8)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(-1) < 4).sum() > 50)


def test_who_was_missed_is_marked_left_and_who_is_nobody_right(photos: AnnotatedPhotos) -> None:
    legend = 84
    good = sheet(worst(photos.photos, [everybody(size) for size in SIZES], 0.0, 2), "a", "b")[legend:]
    assert not has(good, MISSED)
    assert not has(good, GHOST)
    found = [moved(everybody(size), 150.0) for size in SIZES]
    bad = sheet(worst(photos.photos, found, 0.0, 1), "a", "b")[legend:]
    left, right = np.array_split(bad, 2, 1)
    assert has(left, MISSED) and not has(left, GHOST)
    assert has(right, GHOST) and not has(right, MISSED)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_sheet_has_room_for_all(photos: AnnotatedPhotos, count: int) -> None:
    lost = worst(photos.photos, [everybody(size) for size in SIZES], 0.0, count)
    picture = sheet(lost, "title", "subtitle")
    assert picture.dtype == np.uint8
    assert picture.shape[0] > 84 + 330 * ((count + 1) // 2)
    assert picture.shape[2] == 3


def test_doubtful_joints_are_not_drawn_and_nobody_is_lost_by_that(photos: AnnotatedPhotos) -> None:
    found = [everybody(size) for size in SIZES]
    lost = worst(photos.photos, found, 0.0, 1)
    drawn, bare = sheet(lost, "a", "b", 0.5), sheet(lost, "a", "b", 1.1)
    left, right = np.array_split(drawn.astype(int) - bare, 2, 1)
    assert not left.any()
    assert right.any()
