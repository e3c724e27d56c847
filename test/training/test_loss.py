from __future__ import annotations

import pytest
import torch

from openpose_ros.networks.stages import Answer
from openpose_ros.training.config import ConfigError, LossConfig
from openpose_ros.training.loss import Focal, StageLosses
from openpose_ros.training.targets import Rendered


def targets() -> Rendered:
    heat, pafs = torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, 4)
    heat[0, 0, 1, 1] = 1.0
    return Rendered(heat, pafs, torch.ones_like(heat), torch.ones_like(pafs))


def test_errors_are_summed_over_cells_and_averaged_over_crops() -> None:
    wanted = targets()
    answer = Answer(torch.zeros_like(wanted.heatmaps), torch.full_like(wanted.pafs, 0.5))
    (loss,) = StageLosses(LossConfig(), 1)([answer], wanted)
    assert float(loss.heatmaps) == 0.5
    assert float(loss.pafs) == pytest.approx(4 * 16 * 0.25)


def test_cells_without_weight_cost_nothing() -> None:
    wanted = targets()
    wanted.heat_weight[0] = 0.0
    answer = Answer(torch.zeros_like(wanted.heatmaps), wanted.pafs)
    (loss,) = StageLosses(LossConfig(), 1)([answer], wanted)
    assert float(loss.heatmaps) == 0.0


def test_stages_and_fields_are_weighted() -> None:
    wanted = targets()
    answer = Answer(torch.zeros_like(wanted.heatmaps), torch.full_like(wanted.pafs, 0.5))
    losses = StageLosses(LossConfig(stages=[1.0, 3.0], heatmaps=10.0, pafs=0.0), 2)
    assert float(losses.total(losses([answer, answer], wanted))) == pytest.approx((1 + 3) * 10 * 0.5)
    with pytest.raises(ConfigError, match=r"loss.stages is \[1.0\], but the network has 2 stages"):
        StageLosses(LossConfig(stages=[1.0]), 2)


def test_foreground_may_count_more() -> None:
    wanted = targets()
    answer = Answer(torch.full_like(wanted.heatmaps, 0.5), wanted.pafs)
    (plain,), (more,) = (StageLosses(LossConfig(foreground=f), 1)([answer], wanted) for f in (1.0, 5.0))
    assert float(more.heatmaps - plain.heatmaps) == pytest.approx(4 * 0.25 / 2)


def test_focal_makes_small_errors_smaller_and_keeps_large_ones() -> None:
    error = Focal(2.0)(torch.tensor([1.0, 0.1, -0.1]), torch.zeros(3))
    torch.testing.assert_close(error, torch.tensor([1.0, 1e-4, 1e-4]))
    losses = StageLosses(LossConfig(type="focal", settings={"gamma": 2.0}), 1)
    assert isinstance(losses.error, Focal)
    with pytest.raises(ConfigError, match="loss focal: .*unexpected keyword argument 'power'"):
        StageLosses(LossConfig(type="focal", settings={"power": 2.0}), 1)
    with pytest.raises(ConfigError, match="no loss 'l3'; expected one of l2, focal"):
        StageLosses(LossConfig(type="l3"), 1)
