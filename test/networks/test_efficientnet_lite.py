"""EfficientNet-Lite0 as a backbone: its size, its shapes, and that its dilations look as far as the strides did."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from torch.utils.flop_counter import FlopCounterMode

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.networks.efficientnet_lite import EfficientNetLite0
from openpose_ros.skeleton import COCO_18

CARD = Card("test", {"type": "lightweight", "backbone": "efficientnet_lite0"}, COCO_18)


@pytest.mark.parametrize(("height", "width"), [(256, 456), (8, 8), (72, 200)])
def test_features_have_one_cell_for_eight_pixels(height: int, width: int) -> None:
    backbone = EfficientNetLite0().eval()
    with torch.inference_mode():
        features = backbone(torch.zeros(2, 3, height, width))
    assert features.shape == (2, backbone.channels, height // 8, width // 8) == (2, 112, height // 8, width // 8)


def test_it_is_as_light_as_it_says() -> None:
    with torch.device("meta"):
        backbone, whole = EfficientNetLite0(), build(CARD)
        image = torch.zeros(1, 3, 256, 456)
        with FlopCounterMode(display=False) as alone:
            backbone(image)
        with FlopCounterMode(display=False) as everything:
            whole(image)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == pytest.approx(0.7e6, rel=0.02)
    assert alone.get_total_flops() == pytest.approx(2.83e9, rel=0.01)
    assert everything.get_total_flops() == pytest.approx(11.7e9, rel=0.01)


def test_the_classifier_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        backbone = EfficientNetLite0(batch_norm=True, stages=7, stride=32)
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(parameter.numel() for parameter in backbone.parameters()) + head == 4_652_008
    assert (backbone.channels, backbone.stride) == (320, 32)


def test_every_second_cell_sees_what_the_network_with_that_stride_sees() -> None:
    torch.manual_seed(0)
    fine, coarse = EfficientNetLite0(stages=6, stride=8).eval(), EfficientNetLite0(stages=6, stride=32).eval()
    coarse.load_state_dict(fine.state_dict())
    image = torch.randn(1, 3, 128, 192)
    with torch.inference_mode():
        seen, wanted = fine(image), coarse(image)
    assert float(wanted.std()) > 1e-4
    torch.testing.assert_close(seen[..., ::4, ::4], wanted, rtol=1e-4, atol=1e-6)


def test_it_is_trained_with_batch_normalisation_everywhere_in_the_backbone() -> None:
    network = build(replace(CARD, network={**CARD.network, "batch_norm": True}))
    convolutions = [name for name in network.backbone.state_dict() if name.endswith(".conv.weight")]
    assert len(convolutions) == 1 + 3 * 11 - 1
    for name in convolutions:
        assert name.replace("conv.weight", "norm.running_var") in network.backbone.state_dict()
    network(torch.rand(2, 3, 32, 32))[-1].heatmaps.sum().backward()
    assert all(parameter.grad is not None for parameter in network.backbone.parameters())
