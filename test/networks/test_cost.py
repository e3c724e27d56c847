"""What a network costs, against figures that others published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card
from openpose_ros.networks.cost import cost
from openpose_ros.skeleton import COCO_18

Cards = Callable[..., Card]


def test_lightweight_costs_what_open_model_zoo_says(trainable: Cards) -> None:
    """Its page of human-pose-estimation-0001: 15.435 GFLOPs at 256x456 and 4.099 million parameters."""
    found = cost(trainable("mobilenet_v1"), 256, 456)
    assert found.gflops == pytest.approx(15.435, rel=0.01)
    assert found.parameters / 1e6 == pytest.approx(4.099, abs=0.001)


def test_a_convolution_is_counted_by_hand() -> None:
    """conv1_1 alone: 64 channels of 27 products for each pixel, and the other layers by VGG's table."""
    card = Card("a", {"type": "openpose", "stages": {"type": "two_branch", "refinements": 0}}, COCO_18)
    kernels = [(3, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 2), (128, 256, 4), *[(256, 256, 4)] * 3,
               (256, 512, 8), (512, 512, 8), (512, 256, 8), (256, 128, 8)]  # fmt: skip
    expected = sum(2 * 9 * before * after * (64 // stride) * (96 // stride) for before, after, stride in kernels)
    head = 2 * (3 * 9 * 128 * 128 + 128 * 512) + 512 * (19 + 38)
    assert cost(card, 64, 96).gflops * 1e9 == expected + 2 * head * 8 * 12


def test_normalisation_is_counted_as_folded(trainable: Cards) -> None:
    card = trainable("resnet18")
    folded = replace(card, network={**card.network, "batch_norm": False})
    assert cost(card, 64, 64) == cost(folded, 64, 64)


def test_sizes_are_rounded_up_to_the_stride(trainable: Cards) -> None:
    card = trainable("mobilenet_thin")
    assert cost(card, 361, 641) == cost(card, 368, 648)
