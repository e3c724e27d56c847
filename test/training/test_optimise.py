from __future__ import annotations

import pytest
import torch
from torch import nn

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.config import ConfigError, GroupConfig, OptimiserConfig, ScheduleConfig
from openpose_ros.training.half import HalfTwin
from openpose_ros.training.optimise import freeze, optimiser, schedule


def network(batch_norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return build(Card("small", {"type": "lightweight", "channels": 16, "batch_norm": batch_norm}, COCO_18))


def test_rates_by_part_and_no_decay_of_biases() -> None:
    net = network()
    config = OptimiserConfig(
        rate=0.1, weight_decay=0.01, groups=[GroupConfig(["backbone"], 0.1), GroupConfig(["backbone.conv1"], 0.0)]
    )
    freeze(net, config)
    groups = optimiser(net, config).param_groups
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            assert group["lr"] == pytest.approx(0.01 if name.startswith("backbone") else 0.1)
            assert group["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)
    learning = {names[id(parameter)] for group in groups for parameter in group["params"]}
    assert set(names.values()) - learning == {name for name in names.values() if name.startswith("backbone.conv1.")}


def test_frozen_normalisations_are_found() -> None:
    net = network()
    assert isinstance(net.backbone, nn.Module)
    frozen = freeze(net, OptimiserConfig(groups=[GroupConfig(["backbone"], 0.0)]))
    assert frozen == [module for module in net.backbone.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (OptimiserConfig(groups=[GroupConfig(["backbones"])]), "no parameter begins with 'backbones'; .* has backbone"),
        (OptimiserConfig(groups=[GroupConfig(["*"], 0.0)]), "every parameter has rate 0"),
        (OptimiserConfig(type="adamww"), "no optimiser 'adamww'; expected one of adamw, sgd"),
        (OptimiserConfig(settings={"speed": 1}), "unexpected keyword argument 'speed'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config: OptimiserConfig, message: str) -> None:
    def prepare(net: nn.Module) -> None:
        freeze(net, config)
        optimiser(net, config)

    with pytest.raises(ConfigError, match=message):
        prepare(network())


def test_schedules_warm_up_and_come_down() -> None:
    cosine = schedule(ScheduleConfig(warmup=10, end=0.1), 110)
    assert cosine(0) == pytest.approx(0.1)
    assert cosine(10) == pytest.approx(1.0)
    assert cosine(60) == pytest.approx(0.55)
    assert cosine(110) == pytest.approx(0.1)
    step = schedule(ScheduleConfig(type="step", warmup=0, milestones=[20, 40], factor=0.5), 100)
    assert [step(0), step(19), step(20), step(99)] == [1.0, 1.0, 0.5, 0.25]
    own = schedule(ScheduleConfig(type="operator.index", warmup=0), 100)
    assert own(7) == 7.0
    with pytest.raises(ConfigError, match="schedule math.pow"):
        schedule(ScheduleConfig(type="math.pow"), 100)


def test_the_half_twin_learns_what_its_network_would() -> None:
    x = torch.randn(2, 3, 32, 32)
    alone = network(batch_norm=False)
    net = network(batch_norm=False)
    twin = HalfTwin(net)
    for make in (alone, twin):
        sum(answer.heatmaps.float().square().mean() for answer in make(x)).backward()
    twin.take_gradients()
    wanted = torch.cat([parameter.grad.flatten() for parameter in alone.parameters() if parameter.grad is not None])
    found = torch.cat([parameter.grad.flatten() for parameter in net.parameters() if parameter.grad is not None])
    assert found.dtype == torch.float32
    assert float((found - wanted).norm() / wanted.norm()) < 0.05
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.01
    twin.refresh()
    torch.testing.assert_close(twin(x)[-1].pafs.float(), net(x)[-1].pafs, rtol=0.05, atol=0.05)


def test_small_steps_are_not_lost_in_the_twins_eight_bits() -> None:
    net = network(batch_norm=False)
    twin = HalfTwin(net)
    first = next(net.parameters())
    before = first.detach().clone()
    for _ in range(100):
        with torch.no_grad():
            first += before.abs() * 1e-4
        twin.refresh()
    torch.testing.assert_close(first.detach(), before + before.abs() * 1e-2, rtol=1e-3, atol=0)


def test_the_twin_shares_normalisations_and_follows_freezing() -> None:
    net = network()
    freeze(net, OptimiserConfig(groups=[GroupConfig(["backbone"], 0.0)]))
    twin = HalfTwin(net)
    twin.refresh()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [module for module in twin.twin.modules() if isinstance(module, nn.BatchNorm2d)] == norms
    twin(torch.randn(1, 3, 32, 32))[-1].pafs.float().sum().backward()
    twin.take_gradients()
    assert all(parameter.grad is None for parameter in net.backbone.parameters())
