from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from openpose_ros.grid import Grid
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import TargetConfig
from openpose_ros.training.targets import TOGETHER, Targets


@pytest.mark.parametrize(("stride", "size"), [(8, (64, 96)), (4, (48, 32))])
@pytest.mark.parametrize("offset", [0.0, 0.33])
def test_a_batch_is_drawn_as_one_picture_is(
    crops: Callable[..., Batch], stride: int, size: tuple[int, int], offset: float
) -> None:
    batch = crops(3, size, stride, people=TOGETHER)
    drawn = Targets(COCO_18, stride, TargetConfig(), paf_offset=offset)(batch)
    grid = Grid(*size, *size, *size, stride)
    for index, joints in enumerate(batch.joints.numpy()):
        fields = render(joints, grid, COCO_18, sigma=7.0, width=8.0 / stride, paf_offset=offset)
        np.testing.assert_allclose(drawn.heatmaps[index], fields.heatmaps[0], atol=1e-5)
        np.testing.assert_allclose(drawn.pafs[index].unflatten(0, (-1, 2)), fields.pafs[0], atol=1e-5)


def test_nobody_is_all_background(crops: Callable[..., Batch]) -> None:
    batch = crops()
    drawn = Targets(COCO_18, 8, TargetConfig())(replace(batch, joints=batch.joints[:, :0]))
    assert drawn.heatmaps[:, :-1].abs().max() == 0.0
    assert drawn.heatmaps[:, -1].min() == 1.0
    assert drawn.pafs.abs().max() == 0.0


def test_a_limb_without_length_is_not_drawn_and_is_no_nan(crops: Callable[..., Batch]) -> None:
    batch = crops(1, people=1)
    drawn = Targets(COCO_18, 8, TargetConfig())(replace(batch, joints=torch.full_like(batch.joints, 30.0)))
    assert drawn.pafs.abs().max() == 0.0
    assert bool(torch.isfinite(drawn.heatmaps).all())


def test_masked_cells_and_unlabelled_joints_carry_no_weight(crops: Callable[..., Batch]) -> None:
    batch = crops(2)
    nose = COCO_18.joint("nose")
    batch.mask[0, 2:4] = 0.0
    batch.labelled[1, nose] = False
    drawn = Targets(COCO_18, 8, TargetConfig())(batch)
    assert drawn.heat_weight[0, :, 2:4].max() == drawn.paf_weight[0, :, 2:4].max() == 0.0
    assert drawn.heat_weight[0, :, :2].min() == drawn.paf_weight[0, :, 4:].min() == 1.0
    of_nose = torch.tensor([nose in limb for limb in COCO_18.limbs]).repeat_interleave(2)
    assert drawn.heat_weight[1, nose].max() == 0.0
    assert drawn.heat_weight[1, -1].max() == 0.0, "the background is not known where a joint is not"
    assert drawn.heat_weight[1, nose + 1 : -1].min() == 1.0
    assert drawn.paf_weight[1, of_nose].max() == 0.0
    assert drawn.paf_weight[1, ~of_nose].min() == 1.0
