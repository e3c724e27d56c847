"""Checkpoints of lightweight OpenPose, written here by the published names, against the network they come from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn

from openpose_ros.card import Card
from openpose_ros.networks.mobilenet import LAYERS
from openpose_ros.weights import WeightsError
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network


def conv(
    inputs: int, outputs: int, kernel: int = 3, *, norm: bool = False, end: bool = False, dilation: int = 1
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, 1, dilation * (kernel // 2), dilation)]
    if norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, *([] if end else [nn.ReLU()]))


def separable(inputs: int, outputs: int, stride: int, dilation: int, norm: bool) -> nn.Sequential:
    wide = nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, inputs, bias=False)
    deep = nn.Conv2d(inputs, outputs, 1, bias=False)
    if not norm:
        return nn.Sequential(wide, nn.ELU(), deep, nn.ELU())
    return nn.Sequential(wide, nn.BatchNorm2d(inputs), nn.ReLU(), deep, nn.BatchNorm2d(outputs), nn.ReLU())


class Heads(nn.Module):
    def __init__(self, trunk: nn.Module, hidden: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.heatmaps = nn.Sequential(conv(128, hidden, 1), conv(hidden, 19, 1, end=True))
        self.pafs = nn.Sequential(conv(128, hidden, 1), conv(hidden, 38, 1, end=True))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


class Block(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.initial = conv(inputs, 128, 1)
        self.trunk = nn.Sequential(conv(128, 128, norm=True), conv(128, 128, norm=True, dilation=2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)
        result: Tensor = x + self.trunk(x)
        return result


class Published(nn.Module):
    """The network as published, its parts by its author's names."""

    def __init__(self, refinements: int) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        widths = [32, *(outputs for _, outputs, *_ in LAYERS)]
        self.model = nn.Sequential(
            stem,
            *(separable(widths[n], o, s, d, norm=True) for n, (_, o, s, d) in enumerate(LAYERS)),
        )
        trunk = nn.Sequential(*(separable(128, 128, 1, 1, norm=False) for _ in range(3)))
        self.cpm = nn.ModuleDict({"align": conv(512, 128, 1), "trunk": trunk, "conv": conv(128, 128)})
        self.initial_stage = Heads(nn.Sequential(*(conv(128, 128) for _ in range(3))), 512)
        self.refinement_stages = nn.ModuleList(
            Heads(nn.Sequential(Block(185), *(Block(128) for _ in range(4))), 128) for _ in range(refinements)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        aligned = self.cpm["align"](self.model(x))
        features = self.cpm["conv"](aligned + self.cpm["trunk"](aligned))
        heatmaps, pafs = self.initial_stage(features)
        for stage in self.refinement_stages:
            heatmaps, pafs = stage(torch.cat([features, heatmaps, pafs], 1))
        return heatmaps, pafs


def published(refinements: int) -> Published:
    """With weights that let a picture through and statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    network = Published(refinements).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
                if part.bias is not None:
                    nn.init.normal_(part.bias, std=0.1)
            elif isinstance(part, nn.BatchNorm2d):
                # Variances so small that PyTorch's epsilon and TensorFlow's make a difference.
                for table, low, high in ((part.running_var, 0.01, 0.05), (part.weight, 0.1, 0.2)):
                    assert table is not None
                    nn.init.uniform_(table, low, high)
                for table in (part.running_mean, part.bias):
                    assert table is not None
                    nn.init.normal_(table, std=0.1)
    return network


def checkpoint(network: nn.Module, path: Path, prefix: str = "") -> Path:
    """As his training writes it, optimiser and schedule beside the weights."""
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    schedule = {"milestones": Counter([100, 200]), "gamma": 0.333}
    torch.save({"state_dict": state, "optimizer": {"state": {}}, "scheduler": schedule, "iter": 370000}, path)
    return path


def answers(card: Card, image: Tensor) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        heatmaps, pafs = load_network(card)(image)[-1].both()
    return heatmaps, pafs


@pytest.mark.parametrize(("refinements", "prefix"), [(1, ""), (2, "module.")])
def test_a_checkpoint_answers_as_the_network_it_comes_from(tmp_path: Path, refinements: int, prefix: str) -> None:
    network = published(refinements)
    card = convert(checkpoint(network, tmp_path / "checkpoint_iter_370000.pth", prefix), tmp_path)
    assert (card.name, card.channels, card.scale) == ("checkpoint_iter_370000", "BGR", (1 / 256,) * 3)
    assert "Apache-2.0" in card.licence
    assert Card.load(card.path or "") == card
    image = torch.rand(1, 3, 64, 48) - 0.5
    with torch.inference_mode():
        wanted = network(image)
    for ours, theirs in zip(answers(card, image), wanted, strict=True):
        assert theirs.std() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("cpm.align.0.weight", None, r"missing cpm\.align\.0/weight"),
        ("model.5.4.running_mean", None, r"unused model\.5\.4\.weight"),
        ("model.5.4.weight", None, r"unused model\.5\.4\.bias"),
        ("model.5.4.running_var", torch.ones(7), r"model\.5\.4 does not fit the 256 channels of model\.5\.3"),
        ("cpm.align.0.weight", torch.ones(()), r"missing cpm\.align\.0/weight"),
        ("fc.weight", torch.ones(1), r"unused fc\.weight$"),
        (
            "initial_stage.pafs.1.0.bias",
            torch.ones(30),
            r"pafs\.1\.0/bias has shape \(30,\); the network needs \(38,\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, name: str, value: Tensor | None, reason: str) -> None:
    state = Published(1).state_dict()
    state.pop(name, None)
    if value is not None:
        state[name] = value
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=reason):
        convert(tmp_path / "a.pth", tmp_path / "new")
    assert not (tmp_path / "new").exists()
