"""Backbones of the library timm: a stand-in for it, since it need not be installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from openpose_ros.card import Card, CardError
from openpose_ros.networks import build
from openpose_ros.skeleton import COCO_18

CARD = Card("test", {"type": "lightweight", "backbone": {"type": "timm", "model": "tiny"}, "channels": 8}, COCO_18)


class FeatureInfo:
    """What timm says of the features that it was asked for."""

    def __init__(self, reductions: list[int]) -> None:
        self.reductions = reductions

    def reduction(self) -> list[int]:
        return self.reductions

    def channels(self) -> list[int]:
        return [reduction + 1 for reduction in self.reductions]


class Tiny(nn.Module):
    """Features of strides 2 to 16, the last two alike if an output stride of 8 is asked for."""

    def __init__(self, indices: tuple[int, ...], output_stride: int) -> None:
        super().__init__()
        strides = [min(stride, output_stride) for stride in (2, 4, 8, 16)]
        self.indices = indices
        self.layers = nn.ModuleList(nn.Conv2d(3, stride + 1, 1, stride) for stride in strides)
        self.feature_info = FeatureInfo([strides[index] for index in indices])

    def forward(self, x: Any) -> list[Any]:
        return [self.layers[index](x) for index in self.indices]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts the stand-in in timm's place; lists what it was asked for."""
    calls: list[dict[str, Any]] = []

    def create_model(name: str, **settings: Any) -> Tiny:
        calls.append(settings)
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        return Tiny(settings.get("out_indices", (0, 1, 2, 3)), settings.get("output_stride", 32))

    module = ModuleType("timm")
    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    return calls


def with_backbone(**settings: Any) -> Card:
    network = {**CARD.network, "backbone": {**CARD.network["backbone"], **settings}}
    return Card("test", network, COCO_18, stride=settings.get("stride", 8))


@pytest.mark.parametrize(("stride", "channels"), [(4, 5), (8, 9), (16, 17)])
def test_the_features_of_the_stride_are_taken(asked: list[dict[str, Any]], stride: int, channels: int) -> None:
    network = build(with_backbone(stride=stride)).eval()
    assert network.backbone.channels == channels
    assert network(torch.zeros(1, 3, 5 * stride, 7 * stride))[-1].heatmaps.shape == (1, 19, 5, 7)
    assert all(settings["features_only"] and not settings["pretrained"] for settings in asked)


def test_dilated_takes_the_last_of_all(asked: list[dict[str, Any]]) -> None:
    network = build(with_backbone(dilated=True))
    assert asked[-1]["output_stride"] == 8
    assert asked[-1]["out_indices"] == (3,)
    assert network.backbone.stride == 8


def test_weights_are_asked_for_once_and_only_on_request(asked: list[dict[str, Any]]) -> None:
    build(with_backbone(pretrained=True))
    assert [settings["pretrained"] for settings in asked] == [False, True]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"stride": 32}, r"the model tiny of timm has strides \[2, 4, 8, 16\]; expected one of 32"),
        ({"model": "huge"}, r"timm cannot build 'huge' as a backbone: Unknown model \(huge\)"),
    ],
)
def test_what_timm_does_not_have_is_named(asked: list[dict[str, Any]], settings: dict[str, Any], text: str) -> None:
    with pytest.raises(CardError, match=text):
        build(with_backbone(**settings))


def test_without_timm_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CardError, match="needs the Python package timm .*: pip install timm"):
        build(CARD)


def test_a_torchvision_for_another_pytorch_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(
        CardError, match=r"does not go with this PyTorch, .* \(operator torchvision::nms does not exist\)"
    ):
        build(CARD)


@pytest.mark.skipif(find_spec("timm") is None, reason="needs the Python package timm")
def test_a_real_model_of_timm_is_built() -> None:
    network = build(with_backbone(model="mobilenetv3_small_050")).eval()
    assert network(torch.zeros(1, 3, 64, 96))[-1].heatmaps.shape == (1, 19, 8, 12)
