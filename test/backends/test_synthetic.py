"""People who are not there."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.backends.synthetic import group
from openpose_ros.grid import Grid
from openpose_ros.preprocess import Batch, prepare
from openpose_ros.render import render
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton


def batch_of(*sizes: tuple[int, int]) -> Batch:
    grids = [Grid.short_side(height, width, 128, 8) for height, width in sizes]
    return prepare([np.zeros((height, width, 3), np.uint8) for height, width in sizes], grids, 128)


def test_given_people_are_rendered_on_every_grid_of_the_batch() -> None:
    person = np.full((1, 18, 2), np.nan)
    person[0, COCO_18.joint("nose")] = 100.0, 60.0
    person[0, COCO_18.joint("neck")] = 100.0, 120.0
    batch = batch_of((240, 320), (480, 320))
    fields = SyntheticBackend(synthetic_card(), person)(batch)
    assert len(fields) == 2
    for image, grid in enumerate(batch.grids):
        x, y = grid.to_cells(np.array([100.0, 60.0]))
        peak = np.unravel_index(fields.heatmaps[image, 0].argmax(), grid.field_size)
        assert (peak[1], peak[0]) == (round(x), round(y))
        assert fields.pafs[image, COCO_18.limbs.index((1, 0)), 1].min() == pytest.approx(-1.0)
        assert not fields.heatmaps[image, 2:18].any()
        alone = render(person, grid, COCO_18)
        np.testing.assert_array_equal(fields.heatmaps[image], alone.heatmaps[0])
        np.testing.assert_array_equal(fields.pafs[image], alone.pafs[0])


def test_nobody_can_be_shown() -> None:
    fields = SyntheticBackend(synthetic_card(), np.empty((0, 18, 2)))(batch_of((240, 320)))
    assert not fields.heatmaps[:, :18].any()
    assert not fields.pafs.any()


def test_without_people_a_group_is_shown() -> None:
    fields = SyntheticBackend(synthetic_card())(batch_of((480, 640)))
    assert (fields.heatmaps[0, :18].max((1, 2)) > 0.7).all()


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25, MPI_15])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (100, 1000), (1000, 100)])
def test_the_group_is_complete_and_stays_inside_the_image(skeleton: Skeleton, height: int, width: int) -> None:
    people = group(height, width, skeleton)
    assert people.shape == (3, len(skeleton.joints), 2)
    assert np.isfinite(people).all()
    assert people.min() >= 0
    assert people[..., 0].max() <= width - 1
    assert people[..., 1].max() <= height - 1


def test_figures_of_the_group_do_not_overlap_and_face_the_camera() -> None:
    people = group(480, 640, COCO_18)
    spans = [(person[:, 0].min(), person[:, 0].max()) for person in people]
    assert all(left[1] < right[0] for left, right in zip(spans, spans[1:], strict=False))
    right, left = COCO_18.joint("right_shoulder"), COCO_18.joint("left_shoulder")
    assert (people[:, right, 0] < people[:, left, 0]).all()


def test_one_of_them_waves() -> None:
    people = group(480, 640, COCO_18)
    wrist, nose = COCO_18.joint("right_wrist"), COCO_18.joint("nose")
    assert (people[:, wrist, 1] < people[:, nose, 1]).tolist() == [False, True, False]
