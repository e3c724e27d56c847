"""The textbook decoder: good enough to be a fair yardstick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.benchmark.crowd import crowd, crowd_fields
from openpose_ros.evaluation import textbook
from openpose_ros.grid import Grid
from openpose_ros.people import People
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, MPI_15, Skeleton

Check = Callable[[People, npt.NDArray[np.float64], float], None]


@pytest.mark.parametrize("skeleton", [COCO_18, MPI_15], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_rendered_people_are_found(same_people: Check, skeleton: Skeleton, count: int) -> None:
    truth = crowd(count, 480, 853, skeleton)
    middle = truth.mean(1, keepdims=True)
    truth = middle + 0.8 * (truth - middle)
    grid = Grid.fit(480, 853, 368, 656, 8)
    found = textbook.decode(render(truth, grid, skeleton))
    same_people(found, truth, 0.3 * grid.pixels_per_cell)
    assert found.image_size == (480, 853)


def test_a_crowd_is_counted() -> None:
    found = textbook.decode(crowd_fields(20, 368, 656))
    assert 18 <= len(found) <= 24
