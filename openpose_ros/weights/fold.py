"""Batch normalisation folded into the convolution before it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from openpose_ros.card import Card
from openpose_ros.networks.blocks import EPSILON

NORM = ("weight", "bias", "running_mean", "running_var")
KINDS = ("conv", "transposed")
"""What a normalisation may stand behind."""


def folded(network: nn.Module, card: Card) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A trained network as one without batch normalisation that answers the same.

    Args:
        network: as built from the card; its running statistics are what counts.
        card: whose network settings it was built with.

    Returns:
        The weights of the twin, float32 on the CPU, and the settings for its card (``batch_norm`` off).
    """
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    weights = {}
    for name, tensor in state.items():
        place, _, part = name.rpartition(".")
        layer, _, kind = place.rpartition(".")
        if kind not in (*KINDS, "norm") or not is_normalised(state, layer):
            weights[name] = tensor.to(torch.float32, copy=True)
        elif kind in KINDS and part == "weight":
            weights[name], weights[f"{place}.bias"] = fold_one(state, layer)
    settings = dict(card.network)
    if "batch_norm" in settings:
        settings["batch_norm"] = False
    return weights, settings


def is_normalised(tensors: Mapping[str, Tensor], layer: str) -> bool:
    """Whether these are weights of a network whose :class:`~openpose_ros.networks.blocks.Convolution` has a norm, or
    whose :class:`~openpose_ros.networks.blocks.TransposedConvolution`."""
    normalised = all(f"{layer}.norm.{part}" in tensors for part in NORM)
    return normalised and any(f"{layer}.{kind}.weight" in tensors for kind in KINDS)


def fold_one(tensors: Mapping[str, Tensor], layer: str) -> tuple[Tensor, Tensor]:
    """Weight and bias, float32, that a convolution has with its normalisation folded in."""
    kind = next(kind for kind in KINDS if f"{layer}.{kind}.weight" in tensors)
    weight = tensors[f"{layer}.{kind}.weight"].double()
    gain, offset, mean, variance = (tensors[f"{layer}.norm.{part}"].double() for part in NORM)
    factor = gain / torch.sqrt(variance + EPSILON)
    bias = tensors[f"{layer}.{kind}.bias"].double() if f"{layer}.{kind}.bias" in tensors else torch.zeros_like(mean)
    # A transposed convolution has its inputs first.
    shape = (-1, 1, 1, 1) if kind == "conv" else (1, -1, 1, 1)
    return (weight * factor.reshape(shape)).float(), (offset + (bias - mean) * factor).float()


def unfolded(bias: Tensor) -> dict[str, Tensor]:
    """A normalisation that by its running statistics adds a bias (C,) and changes nothing else.

    In training mode the statistics of a batch take the place of these, so that the network answers otherwise until
    its running statistics have settled.
    """
    ones = torch.ones_like(bias, dtype=torch.float32)
    parts = (ones * (1.0 + EPSILON) ** 0.5, bias.float(), torch.zeros_like(ones), ones)
    return dict(zip(NORM, parts, strict=True))
