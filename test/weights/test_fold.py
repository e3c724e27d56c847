"""Folding batch normalisation: the twin answers as the trained network does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from openpose_ros.card import Card, file_digest
from openpose_ros.networks import build
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.fold import fold_one, folded, unfolded
from openpose_ros.weights.store import load_network, save_tensors

BACKBONES = ["mobilenet_v1", "mobilenet_thin", "efficientnet_lite0"]


def trained(card: Card) -> nn.Module:
    """A network whose normalisations are far from doing nothing."""
    torch.manual_seed(0)
    network = build(card)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, 0.0, 0.5)
    for _ in range(3):
        network(torch.rand(2, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_twin_answers_the_same(backbone: str, tmp_path: Path) -> None:
    card = Card("a", {"type": "lightweight", "channels": 16, "backbone": backbone, "batch_norm": True}, COCO_18)
    network = trained(card)
    weights, settings = folded(network, card)
    assert settings == {**card.network, "batch_norm": False}
    path = tmp_path / "a.safetensors"
    save_tensors({name: tensor.numpy() for name, tensor in weights.items()}, path, {})
    twin = load_network(replace(card, network=settings, weights=path, sha256=file_digest(path), path=tmp_path / "a"))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    image = torch.rand(1, 3, 48, 72)
    with torch.inference_mode():
        for wanted, found in zip(network(image), twin(image), strict=True):
            for one, other in zip(wanted, found, strict=True):
                torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)


def test_a_network_without_batch_normalisation_stays_what_it_is() -> None:
    card = Card("a", {"type": "lightweight", "channels": 16}, COCO_18)
    network = build(card)
    weights, settings = folded(network, card)
    assert settings == card.network
    assert weights.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(weights[name], tensor)


def test_the_trained_network_is_left_alone() -> None:
    card = Card("a", {"type": "lightweight", "channels": 16, "batch_norm": True}, COCO_18)
    network = build(card)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights, _ = folded(network, card)
    for tensor in weights.values():
        tensor.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_unfolding_and_folding_again_changes_nothing() -> None:
    weight, bias = torch.randn(5, 3, 3, 3), torch.randn(5)
    parts = {"a.conv.weight": weight, **{f"a.norm.{part}": tensor for part, tensor in unfolded(bias).items()}}
    again = fold_one(parts, "a")
    np.testing.assert_allclose(again[0].numpy(), weight.numpy(), rtol=1e-6)
    np.testing.assert_allclose(again[1].numpy(), bias.numpy(), rtol=1e-6)
