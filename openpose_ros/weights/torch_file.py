"""Reads tables out of PyTorch's files (.pth): numbers only, a file that would execute something is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table

PREFIX = re.compile(r"model\d+(_[12])?\.(?=M?conv\d)")
"""What body_pose_model.pth's readers put before CMU's names: ``model0.``, ``model3_1.``."""


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a PyTorch file, of its ``state_dict`` where it is a checkpoint, without ``module.`` in front.

    Raises:
        WeightsError: the file is missing, torn, holds something else, or would execute something.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind: torn bytes break an unpickler anywhere
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(f"{path} is not readable as weights of PyTorch: {reason}") from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if isinstance(state, Mapping) and state and all(isinstance(part, Mapping) for part in state.values()):
        # openpose-pytorch keeps one table a part of the network.
        state = {f"{part}.{name}": tensor for part, table in state.items() for name, tensor in table.items()}
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path} is not a table of weights, nor a checkpoint with a state_dict")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def cmu_layers(state: Mapping[str, torch.Tensor]) -> Table:
    """The tensors of body_pose_model.pth as ``<layer>/weight`` and ``<layer>/bias``."""
    layers = {}
    for name, tensor in state.items():
        layer, _, kind = PREFIX.sub("", name, count=1).rpartition(".")
        layers[f"{layer}/{kind}"] = tensor.float().numpy()
    return layers
