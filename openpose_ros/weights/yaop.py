"""The SavedModel of the TensorFlow 2 implementation (YAOP) as a network of ours, by the names of its layers.

Its PAFs come before its heatmaps, and of each limb's two fields first all y, then all x; nothing says what is
background; its later stages see the last answers before the features. All of that is put in our order here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.card import Card
from openpose_ros.networks.dense import BLOCKS as DENSE_BLOCKS
from openpose_ros.networks.vgg16 import BLOCKS, FINAL
from openpose_ros.skeleton import YAOP_18
from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table
from openpose_ros.weights.placing import placed, places
from openpose_ros.weights.store import parameter_shapes

FIRST = "stage0_final_conv1/kernel"
"""The variable by which such a file is known."""

LICENCE = "MPL-2.0 (MikeOfZen/Yet-Another-Openpose-Implementation)"
PAF_STAGES, HEATMAP_STAGES = 4, 2
FEATURES = FINAL[-1]
NOTES = (
    "The published network says nothing of the background; its channel here is 0. It was trained on photos stretched "
    "to 368x368, with the outer cells on the photo's edge: joints lie up to half a cell towards the middle."
)


def names() -> dict[str, str]:
    """Layer -> convolution of ours, or ``.activation`` of one where the layer is a PReLU."""
    table = {}
    for block, (count, _) in enumerate(BLOCKS, 1):
        for number in range(1, count + 1):
            table[f"block{block}_conv{number}"] = f"backbone.block{block}_conv{number}"
    for number in range(1, len(FINAL) + 1):
        table |= _with_slope(f"stage0_final_conv{number}", f"backbone.final{number}")
    for stage in range(PAF_STAGES + HEATMAP_STAGES):
        heat = stage >= PAF_STAGES
        theirs = f"s{stage + 1}{'kpts' if heat else 'pafs'}"
        ours = f"stages.heatmaps.{stage - PAF_STAGES}" if heat else f"stages.pafs.{stage}"
        for block in range(DENSE_BLOCKS):
            for number in range(3):
                table |= _with_slope(f"{theirs}_block{block + 1}_conv{number + 1}", f"{ours}.{block}.{number}")
        table |= _with_slope(f"{theirs}_final1conv", f"{ours}.{DENSE_BLOCKS}")
        table[f"{theirs}_final2conv"] = f"{ours}.{DENSE_BLOCKS + 1}"
    return table


def converted(variables: Table, source: Path) -> tuple[Card, Table]:
    """The card and the parameters.

    Args:
        variables: by name, ``<layer>/kernel`` HWIO, ``<layer>/bias`` and ``<layer>/alpha`` (1, 1, C).
        source: the file, for the card and the text of errors.

    Raises:
        WeightsError: it is another network, or a weight is missing, unused or of another shape.
    """
    if FIRST not in variables:
        raise WeightsError(
            f"{source} is not the network of Yet-Another-Openpose-Implementation: it has no variable {FIRST}, but "
            f"{', '.join(list(variables)[:3]) or 'none'} and so on"
        )
    network: dict[str, Any] = {
        "type": "openpose",
        "backbone": "vgg16",
        "stages": {"type": "dense", "first_wide": 512, "tanh": True},
    }
    card = Card(
        name="yaop",
        network=network,
        skeleton=YAOP_18,
        channels="RGB",
        mean=(0.0,) * 3,
        scale=(1 / 255,) * 3,
        licence=LICENCE,
        source=f"MikeOfZen/Yet-Another-Openpose-Implementation, read from {source.name}",
        notes=NOTES,
    )
    shapes = parameter_shapes(card)
    table = names()
    return card, placed(_in_our_order(_as_layers(variables)), places(table, shapes), shapes, source)


def _with_slope(theirs: str, ours: str) -> dict[str, str]:
    return {theirs: ours, f"{theirs}_act": f"{ours}.activation"}


def _as_layers(variables: Table) -> Table:
    layers: Table = {}
    for name, table in variables.items():
        layer, _, kind = name.rpartition("/")
        if kind == "kernel" and table.ndim == 4:
            layers[f"{layer}/weight"] = table.transpose(3, 2, 0, 1)
        elif kind == "alpha":
            layers[f"{layer}/weight"] = table.reshape(-1)
        else:
            layers[name] = table
    return layers


def _in_our_order(layers: Table) -> Table:
    """The same network with outputs and inputs in our order."""
    limbs, joints = len(YAOP_18.limbs), len(YAOP_18.joints)
    pairs = np.stack([np.arange(limbs, 2 * limbs), np.arange(limbs)], 1).reshape(-1)  # x and y, limb after limb
    made = dict(layers)
    for stage in range(1, PAF_STAGES + 1):
        for kind in ("weight", "bias"):
            answer = f"s{stage}pafs_final2conv/{kind}"
            if answer in made and len(made[answer]) == 2 * limbs:
                made[answer] = made[answer][pairs]
    for stage in (PAF_STAGES + 1, PAF_STAGES + 2):
        for kind in ("weight", "bias"):
            answer = f"s{stage}kpts_final2conv/{kind}"
            if answer in made and len(made[answer]) == joints:
                made[answer] = np.concatenate([made[answer], np.zeros_like(made[answer][:1])])
    for stage in range(2, PAF_STAGES + HEATMAP_STAGES + 1):
        first = f"s{stage}{'kpts' if stage > PAF_STAGES else 'pafs'}_block1_conv1/weight"
        heat = joints if stage == PAF_STAGES + 2 else 0
        if first in made and made[first].shape[1] == heat + 2 * limbs + FEATURES:
            seen, pafs, features = np.split(made[first], (heat, heat + 2 * limbs), axis=1)
            background = np.zeros_like(features[:, : 1 if heat else 0])
            made[first] = np.concatenate([features, seen, background, pafs[:, pairs]], 1)
    return made
