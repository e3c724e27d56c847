"""openpose-pytorch's checkpoints of VGG-19, written here by its names, against the network they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn

from openpose_ros.weights import WeightsError, cmu
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network

WIDTHS = (4, 4, 0, 8, 8, 0, 16, 16, 16, 16, 0, 32, 32, 16, 8)
"""person18_19 at a sixteenth of its width; 0 is a pool."""


@pytest.fixture(autouse=True)
def narrow_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cmu.architecture

    def found(layers: Mapping[str, Any], source: Path) -> cmu.Architecture:
        made = real(dict(layers), source)
        network = dict(made.network)
        network["backbone"] = {"type": "vgg19", "width": 1 / 16}
        network["stages"] = {**network["stages"], "width": 1 / 16}
        return replace(made, network=network)

    monkeypatch.setattr(cmu, "architecture", found)


class Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, end: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y if self.end else torch.relu(y)


class Stage(nn.Module):
    def __init__(self, inputs: int, first: bool) -> None:
        super().__init__()
        for name, outputs in (("parts", 19), ("limbs", 38)):
            kernels, wide = ([3] * 3, 32) if first else ([7] * 5, 8)
            far = [Conv(inputs if n == 0 else 8, 8, kernel) for n, kernel in enumerate(kernels)]
            setattr(self, name, nn.Sequential(*far, Conv(8, wide, 1), Conv(wide, outputs, 1, end=True)))


class Published(nn.Module):
    def __init__(self, stages: int) -> None:
        super().__init__()
        features: list[nn.Module] = []
        inputs = 3
        for outputs in WIDTHS:
            if outputs:
                features += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            else:
                features.append(nn.MaxPool2d(2, 2))
        self.dnn = nn.ModuleDict({"features": nn.Sequential(*features)})
        self.stages = nn.ModuleList(Stage(8 if n == 0 else 8 + 57, n == 0) for n in range(stages))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = seen = self.dnn["features"](x)
        for stage in self.stages:
            parts, limbs = stage.parts(seen), stage.limbs(seen)
            seen = torch.cat([limbs, parts, features], 1)
        return parts, limbs


def published(stages: int) -> Published:
    torch.manual_seed(0)
    network = Published(stages)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    return network


def checkpoint(network: Published, path: Path) -> Path:
    """Two tables, as its saver writes them."""
    torch.save({"dnn": network.dnn.state_dict(), "stages": network.stages.state_dict()}, path)
    return path


@pytest.mark.parametrize("stages", [2, 6])
def test_a_checkpoint_answers_as_the_network_it_comes_from(tmp_path: Path, stages: int) -> None:
    network = published(stages)
    card = convert(checkpoint(network, tmp_path / "125000.pth"), tmp_path / "new", accept_licence=True)
    assert (card.channels, card.mean, card.scale) == ("RGB", (127.5,) * 3, (1 / 255,) * 3)
    assert card.network["stages"]["refinements"] == stages - 1
    assert "openpose-pytorch" in card.source
    assert card.licence == cmu.LICENCE
    image = torch.from_numpy(np.random.default_rng(1).normal(0.0, 0.3, (1, 3, 48, 64)).astype(np.float32))
    with torch.inference_mode():
        wanted, found = network(image), load_network(card)(image)[-1].both()
    for ours, theirs in zip(found, wanted, strict=True):
        assert theirs.std() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_its_licence_has_to_be_accepted(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="non-commercial .*--accept-licence"):
        convert(checkpoint(published(2), tmp_path / "a.pth"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("part", "name", "reason"),
    [
        ("dnn", "features.12.bias", "missing conv3_2/bias"),
        ("stages", "1.limbs.3.conv.weight", "missing Mconv4_stage2_L1/weight"),
        ("stages", "+1.more.weight", r"unused stages\.1\.more\.weight"),
        ("dnn", "features.25.weight", r"not of its VGG-19 \(model\.dnn\.vgg\.person18_19\)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, part: str, name: str, reason: str) -> None:
    network = published(2)
    tables = {"dnn": network.dnn.state_dict(), "stages": network.stages.state_dict()}
    if name.startswith("+"):
        tables[part][name[1:]] = torch.ones(1)
    else:
        del tables[part][name]
    torch.save(tables, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=reason):
        convert(tmp_path / "a.pth", tmp_path / "new", accept_licence=True)
