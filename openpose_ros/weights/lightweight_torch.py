"""Checkpoints of lightweight OpenPose in PyTorch, by its author's names, as a network of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from openpose_ros.card import Card
from openpose_ros.networks.mobilenet import LAYERS
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.names import Table
from openpose_ros.weights.placing import placed, places
from openpose_ros.weights.store import parameter_shapes
from openpose_ros.weights.torch_layers import Layer, folded

FIRST = "model.0.0.weight"
"""The stem's table, by which such a checkpoint is known."""

LICENCE = "Apache-2.0 if these are the published weights; else ask who trained them"
SOURCE = "Daniil-Osokin/lightweight-human-pose-estimation.pytorch"


def names(refinements: int) -> dict[str, str]:
    """The checkpoint's convolutions -> ours, of :mod:`openpose_ros.networks.published_lightweight`.

    Where a convolution is normalised, that of ``X.0`` is ``X.1``, and that of ``X.3`` ``X.4``.
    """
    table = {"model.0.0": "backbone.conv1"}
    for number, (layer, *_) in enumerate(LAYERS, 1):
        table |= {
            f"model.{number}.0": f"backbone.{layer}.depthwise",
            f"model.{number}.3": f"backbone.{layer}.pointwise",
        }
    table |= {"cpm.align.0": "stages.align", "cpm.conv.0": "stages.output"}
    for number in range(3):
        table[f"cpm.trunk.{number}.0"] = f"stages.trunk.{number}.depthwise"
        table[f"cpm.trunk.{number}.2"] = f"stages.trunk.{number}.pointwise"
        table[f"initial_stage.trunk.{number}.0"] = f"stages.initial_stage.trunk.{number}"
    for stage in ("initial_stage", *(f"refinement_stages.{number}" for number in range(refinements))):
        for head in ("heatmaps", "pafs"):
            table |= {f"{stage}.{head}.{number}.0": f"stages.{stage}.{head}.{number}" for number in range(2)}
        for block in range(5 if stage != "initial_stage" else 0):
            theirs, ours = f"{stage}.trunk.{block}", f"stages.{stage}.trunk.{block}"
            table |= {f"{theirs}.initial.0": f"{ours}.squeeze"}
            table |= {f"{theirs}.trunk.0.0": f"{ours}.near", f"{theirs}.trunk.1.0": f"{ours}.far"}
    return table


def converted(state: Mapping[str, torch.Tensor], source: Path) -> tuple[Card, Table]:
    """The card and the parameters of a checkpoint.

    Args:
        state: its tensors by name, without ``module.`` in front.
        source: the file, for the card and the text of errors.

    Raises:
        WeightsError: a weight is missing, unused or of another shape.
    """
    refinements = 0
    while f"refinement_stages.{refinements}.trunk.0.initial.0.weight" in state:
        refinements += 1
    card = Card(
        name=source.name.partition(".")[0],
        network={
            "type": "openpose",
            "backbone": "mobilenet_v1",
            "stages": {"type": "lightweight", "refinements": refinements},
        },
        skeleton=COCO_18,
        stride=8,
        channels="BGR",
        mean=(128.0,) * 3,
        scale=(1 / 256,) * 3,
        pad_value=128,
        licence=LICENCE,
        source=f"{SOURCE}, read from {source.name}",
        notes="Normalisation is folded into the convolutions.",
    )
    shapes = parameter_shapes(card)
    table = names(refinements)
    tables = folded(state, [Layer(theirs, ours, _norm(theirs)) for theirs, ours in table.items()])
    heatmaps, pafs = len(COCO_18.joints) + 1, 2 * len(COCO_18.limbs)
    for number in range(refinements):
        seen = f"refinement_stages.{number}.trunk.0.initial.0/weight"
        if seen in tables and tables[seen].shape[1:] == (shapes["stages.output.conv.bias"][0] + heatmaps + pafs, 1, 1):
            # It sees features, heatmaps and PAFs, ours PAFs, heatmaps and features.
            features, heat, paf = np.split(tables[seen], (-heatmaps - pafs, -pafs), axis=1)
            tables[seen] = np.concatenate([paf, heat, features], 1)
    return card, placed(tables, places(table, shapes), shapes, source)


def _norm(layer: str) -> str:
    """The normalisation behind a layer, where there is one: the next one in a row."""
    stem, _, place = layer.rpartition(".")
    return f"{stem}.{int(place) + 1}"
