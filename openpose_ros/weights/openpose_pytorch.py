"""Checkpoints of ruiminshen's openpose-pytorch with its VGG-19 and openpose stages as a network of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from openpose_ros.card import Card
from openpose_ros.weights import WeightsError, cmu
from openpose_ros.weights.layer_names import caffe_2017, openpose_pytorch
from openpose_ros.weights.names import Table

FIRST = "dnn.features.0.weight"
"""The tensor by which such a checkpoint is known."""

NOTES = (
    "Feeding as openpose-pytorch has it. If these are its original_person18_19, they are CMU's own weights, which want "
    "BGR (`channels`)."
)


def converted(state: Mapping[str, torch.Tensor], source: Path) -> tuple[Card, Table]:
    """The card and the parameters of a checkpoint. It has CMU's layers and is taken for CMU's, licence included.

    Args:
        state: its tensors by name, ``dnn.`` or ``stages.`` in front.
        source: the file, for the card and the text of errors.

    Raises:
        WeightsError: it is another of that project's networks, or a weight is missing, unused or of another shape.
    """
    refinements = 0
    while f"stages.{refinements + 1}.parts.0.conv.weight" in state:
        refinements += 1
    if "stages.0.parts.0.conv.weight" not in state or "dnn.features.25.weight" not in state:
        raise WeightsError(
            f"{source} is a checkpoint of openpose-pytorch, but not of its VGG-19 (model.dnn.vgg.person18_19) with "
            "its openpose stages: its other networks do not pad their first layers, ours do, so that their weights "
            "would see a shifted picture"
        )
    named = {ours: layer for layer, ours in caffe_2017(refinements).items()}
    layers: Table = {}
    for theirs, ours in openpose_pytorch(refinements).items():
        for kind in ("weight", "bias"):
            if f"{theirs}.{kind}" in state:
                layers[f"{named[ours]}/{kind}"] = state[f"{theirs}.{kind}"].float().numpy()
    known = {f"{theirs}.{kind}" for theirs in openpose_pytorch(refinements) for kind in ("weight", "bias")}
    layers |= {name: tensor.float().numpy() for name, tensor in state.items() if name not in known}
    card, tables = cmu.converted(layers, source)
    about = f"ruiminshen/openpose-pytorch, read from {source.name}"
    card = replace(card, channels="RGB", mean=(127.5,) * 3, scale=(1 / 255,) * 3, source=about, notes=NOTES)
    return card, tables
