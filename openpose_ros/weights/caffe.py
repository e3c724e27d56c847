"""Reads the weights of a Caffe network (.caffemodel) by the protocol buffer's bytes alone; nothing is executed.

Caffe's ``caffe.proto`` numbers the fields: ``NetParameter`` has ``layer`` (100) and, in older files, ``layers`` (2); a
layer its name, type and blobs; a blob its shape, or its four sizes in older files, and its numbers.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table
from openpose_ros.weights.wire import fields, number, numbers

LAYER, OLD_LAYER = 100, 2
NAME_AND_BLOBS = {LAYER: (1, 7), OLD_LAYER: (4, 6)}
"""Fields of ``LayerParameter`` and ``V1LayerParameter``."""

OLD_SIZES, SINGLE, SHAPE, DOUBLE = (1, 2, 3, 4), 5, 7, 8
"""Fields of ``BlobProto``: num, channels, height and width; data; shape; double_data."""

KINDS = ("weight", "bias")


def read(path: Path) -> Table:
    """Weights OIHW by ``<layer>/weight`` and biases (O,) by ``<layer>/bias``; slopes (C,) of a PReLU are its weight.

    Raises:
        WeightsError: the file is missing, cut short, no such network, or one of its layers has more than two tables.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} is not readable: {error.strerror}") from None
    tables: Table = {}
    try:
        for kind, layer in fields(data):
            if kind in NAME_AND_BLOBS:
                named, held = NAME_AND_BLOBS[kind]
                parts = list(fields(layer))
                name = next((bytes(content).decode() for part, content in parts if part == named), "")
                blobs = [_blob(content, name) for part, content in parts if part == held]
                if len(blobs) > len(KINDS) or any(f"{name}/{which}" in tables for which in KINDS[: len(blobs)]):
                    raise ValueError(f"layer {name!r} has {len(blobs)} tables or stands there twice")
                if len(blobs) == 1 and max(blobs[0].shape, default=0) == blobs[0].size:
                    blobs[0] = blobs[0].reshape(-1)  # slopes, in older files (1, 1, 1, C)
                tables |= {
                    f"{name}/{which}": blob.reshape(-1) if which == "bias" else blob
                    for which, blob in zip(KINDS, blobs, strict=False)
                }
    except ValueError as error:
        raise WeightsError(f"{path} is not a Caffe network, or is cut short: {error}") from None
    if not tables:
        raise WeightsError(f"{path} is not a Caffe network: it has no layers with weights")
    return tables


def _blob(blob: memoryview, layer: str) -> npt.NDArray[np.float32]:
    """A blob's numbers in its shape.

    Raises:
        ValueError: there are more or fewer of them than the shape says.
    """
    parts = list(fields(blob))
    sizes = {part: number(content, 0)[0] for part, content in parts if part in OLD_SIZES}
    shape = [sizes.get(part, 0) for part in OLD_SIZES]
    for part, content in parts:
        if part == SHAPE:
            shape = [size for _, packed in fields(content) for size in numbers(packed)]
    kind = "<f8" if any(part == DOUBLE for part, _ in parts) else "<f4"
    # One field when packed, as Caffe writes it; a field for every number is as valid.
    packed = b"".join(bytes(content) for part, content in parts if part in (SINGLE, DOUBLE))
    if len(packed) != prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"a table of shape {shape} in layer {layer!r} has {len(packed)} bytes")
    return np.frombuffer(packed, kind).astype(np.float32).reshape(shape)
