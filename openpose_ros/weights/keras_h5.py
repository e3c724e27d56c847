"""Reads the layers of Keras's files (.h5), of ``save_weights`` and of ``save``; no description of a model is read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table


def read(path: Path) -> Table:
    """Weights OIHW by ``<layer>/weight`` and biases (O,) by ``<layer>/bias``.

    A file's ``layer_names`` are groups, a group's ``weight_names`` tables: a kernel HWIO, then a bias.

    Raises:
        WeightsError: h5py is not installed; the file is missing, torn or of another form.
    """
    try:
        h5py = import_module("h5py")
    except ImportError:
        raise WeightsError(f"{path} needs the Python package h5py to be read, which is not installed") from None
    layers: Table = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            for layer in map(_text, root.attrs["layer_names"]):
                group = root[layer]
                tables = [np.asarray(group[_text(name)], np.float32) for name in group.attrs["weight_names"]]
                if len(tables) > 2 or [table.ndim for table in tables] not in ([], [4], [4, 1]):
                    shapes = ", ".join(str(table.shape) for table in tables)
                    raise ValueError(f"layer {layer} has tables of shape {shapes}; expected a kernel and a bias")
                for kind, table in zip(("weight", "bias"), tables, strict=False):
                    layers[f"{layer}/{kind}"] = table.transpose(3, 2, 0, 1) if table.ndim == 4 else table
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path} is not readable as weights of Keras: {reason}") from None
    return layers


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
