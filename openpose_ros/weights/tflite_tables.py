"""Reads the tables of a TensorFlow Lite file (.tflite) by its bytes, 8-bit ones multiplied by their scales.

A file is a flat buffer: tables whose entries are found through a list of offsets, and vectors, all by their place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table

MAGIC = b"TFL3"

SUBGRAPHS, BUFFERS = 2, 4
"""Entries of a Model."""

TENSORS = 0
"""Entry of a SubGraph."""

SHAPE, KIND, BUFFER, NAME, QUANTISATION = 0, 1, 2, 3, 4
"""Entries of a Tensor."""

SCALE, ZERO, AXIS = 2, 3, 6
"""Entries of its QuantizationParameters."""

KINDS = {0: "<f4", 1: "<f2", 9: "i1"}
"""Numbers for types, as NumPy writes them; those of places and sizes are not read."""


def read(path: Path) -> Table:
    """The tables of numbers that a file holds, float32, by the names of their tensors and in their layout.

    Raises:
        WeightsError: the file is missing, cut short or no such file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} is not readable: {error.strerror}") from None
    if data[4:8] != MAGIC:
        raise WeightsError(f"{path} is not a file of TensorFlow Lite")
    try:
        model = Place(data, 0).follow()
        graph = model.entry(SUBGRAPHS).items()[0].follow()
        buffers = model.entry(BUFFERS).items()
        tables: Table = {}
        for place in graph.entry(TENSORS).items():
            tensor = place.follow()
            values = _values(tensor, buffers)
            if values is not None:
                name = bytes(tensor.entry(NAME).vector("u1")).decode()
                if name in tables:
                    raise ValueError(f"{name} stands there twice")
                tables[name] = values
    except (struct.error, ValueError, IndexError) as error:
        raise WeightsError(f"{path} is not a file of TensorFlow Lite, or is cut short: {error}") from None
    return tables


@dataclass(frozen=True)
class Place:
    """A place in the buffer: of a table, of an entry, or of an item of a vector."""

    data: bytes
    at: int

    def follow(self) -> Place:
        """What the offset that stands here leads to."""
        return Place(self.data, self.at + self._number("<I"))

    def has(self, entry: int) -> bool:
        """Whether a table has an entry; one that is left out has its default, 0 or nothing."""
        return self._offset(entry) != 0

    def entry(self, entry: int) -> Place:
        """A table's entry.

        Raises:
            ValueError: it is left out.
        """
        offset = self._offset(entry)
        if not offset:
            raise ValueError(f"the table at byte {self.at} lacks entry {entry}")
        return Place(self.data, self.at + offset)

    def whole(self, entry: int, kind: str) -> int:
        """A number of a table, 0 where it is left out."""
        return self.entry(entry)._number(kind) if self.has(entry) else 0

    def items(self) -> list[Place]:
        """The items of the vector that the offset here leads to, four bytes each."""
        start, count = self._vector()
        return [Place(self.data, start + 4 * item) for item in range(count)]

    def vector(self, kind: str) -> npt.NDArray[np.generic]:
        """The numbers of the vector that the offset here leads to."""
        start, count = self._vector()
        return np.frombuffer(self.data, kind, count, start)

    def _vector(self) -> tuple[int, int]:
        vector = self.follow()
        return vector.at + 4, vector._number("<I")

    def _offset(self, entry: int) -> int:
        offsets = Place(self.data, self.at - self._number("<i"))
        place = 4 + 2 * entry
        return Place(self.data, offsets.at + place)._number("<H") if place < offsets._number("<H") else 0

    def _number(self, kind: str) -> int:
        if self.at < 0:
            raise ValueError("an offset leads before the beginning")
        return int(struct.unpack_from(kind, self.data, self.at)[0])


def _values(tensor: Place, buffers: list[Place]) -> npt.NDArray[np.float32] | None:
    """A tensor's numbers, multiplied by their scales; None where it has none of its own, or of another type."""
    kind = KINDS.get(tensor.whole(KIND, "<b"))
    buffer = buffers[tensor.whole(BUFFER, "<I")].follow()
    if kind is None or not buffer.has(0):
        return None
    shape = tuple(int(side) for side in tensor.entry(SHAPE).vector("<i4")) if tensor.has(SHAPE) else ()
    stored = buffer.entry(0).vector("u1")
    if stored.size != prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"a table of shape {shape} has {stored.size} bytes")
    values = np.frombuffer(stored.tobytes(), kind).astype(np.float32).reshape(shape)
    if kind != "i1":
        return values
    if not tensor.has(QUANTISATION) or not (about := tensor.entry(QUANTISATION).follow()).has(SCALE):
        raise ValueError("an 8-bit table has no scale")
    scale = about.entry(SCALE).vector("<f4").astype(np.float32)
    zero = about.entry(ZERO).vector("<i8").astype(np.float32) if about.has(ZERO) else np.zeros(1, np.float32)
    if scale.size == 1:
        return np.asarray((values - zero[0]) * scale[0], np.float32)
    sides = [1] * len(shape)
    sides[about.whole(AXIS, "<i")] = -1
    return np.asarray((values - zero.reshape(sides)) * scale.reshape(sides), np.float32)
