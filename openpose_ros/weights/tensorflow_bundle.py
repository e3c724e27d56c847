"""Reads the variables of a TensorFlow 2 SavedModel or checkpoint by their bytes; its program is not looked at.

``variables.index`` is a sorted table (LevelDB's format): keys and entries in blocks, an index of the blocks, a footer.
An entry says type, shape and place of a variable in ``variables.data-0000N-of-0000M``. One variable is the graph of
objects, which knows each key's name as the layer's author gave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table
from openpose_ros.weights.wire import fields, number, shape

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
RESTART = 4
"""Bytes of a number in a block's list of restarts, and of its length."""

FLOAT32, STRING = 1, 7
"""TensorFlow's numbers for types."""

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""What the key of a variable's value ends with."""


@dataclass(frozen=True)
class Entry:
    """Where a variable lies: type, sizes, number of the data file, and place and size in bytes there."""

    kind: int
    shape: list[int]
    shard: int
    offset: int
    size: int


def read(path: Path) -> Table:
    """The 32-bit variables of a SavedModel's folder, its ``saved_model.pb`` or a checkpoint's ``.index``, by name.

    Names are those of the layers, such as ``stage0_final_conv1/kernel``; kernels are HWIO, as TensorFlow has them.

    Raises:
        WeightsError: a file is missing, cut short or of another form, or a variable has no name.
    """
    index = _index(path)
    found = entries(index)
    if OBJECTS not in found:
        raise WeightsError(f"{index} has no graph of objects, which names the variables: it is no file of TensorFlow 2")
    shards = max(entry.shard for entry in found.values()) + 1
    data = _Data(index, shards)
    try:
        names = dict(_names(data.string(found[OBJECTS])))
    except ValueError as error:
        raise WeightsError(f"{index}: its graph of objects cannot be read: {error}") from None
    tables: Table = {}
    for key, entry in found.items():
        if key.endswith(VALUE) and entry.kind == FLOAT32:
            if key not in names:
                raise WeightsError(f"{index}: the variable {key} has no name")
            tables[names[key]] = data.table(key, entry)
    return tables


def entries(index: Path) -> dict[str, Entry]:
    """The entries of an ``.index`` file by key.

    Raises:
        WeightsError: it is missing, cut short or of another form.
    """
    try:
        data = memoryview(index.read_bytes())
    except OSError as error:
        raise WeightsError(f"{index} is not readable: {error.strerror}") from None
    if len(data) < FOOTER or bytes(data[-8:]) != MAGIC:
        raise WeightsError(f"{index} is not an index of TensorFlow's variables, or is cut short")
    found = {}
    try:
        place = len(data) - FOOTER
        for _ in range(2):  # the handle of a block that is always empty
            _, place = number(data, place)
        for _, handle in _block(data, *_handle(data, place)):
            for key, value in _block(data, *_handle(handle, 0)):
                if key:  # the empty one is a header
                    found[key.decode()] = _entry(value)
    except (ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{index} is not an index of TensorFlow's variables, or is cut short: {error}") from None
    return found


class _Data:
    """The files beside an index, of which only the parts are read that are asked for."""

    def __init__(self, index: Path, shards: int) -> None:
        stem = index.name.removesuffix(".index")
        self.paths = [index.with_name(f"{stem}.data-{shard:05d}-of-{shards:05d}") for shard in range(shards)]

    def table(self, key: str, entry: Entry) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        if entry.size != 4 * prod(entry.shape):
            raise WeightsError(f"{self.paths[entry.shard]}: {key} of shape {entry.shape} has {entry.size} bytes")
        return np.frombuffer(self._bytes(entry), "<f4").reshape(entry.shape).astype(np.float32)

    def string(self, entry: Entry) -> memoryview:
        """The one string of an entry: its length, a check sum, its bytes."""
        data = memoryview(self._bytes(entry))
        length, place = number(data, 0)
        if entry.kind != STRING or place + 4 + length != len(data):
            raise ValueError("it is not a single string")
        return data[place + 4 :]

    def _bytes(self, entry: Entry) -> bytes:
        path = self.paths[entry.shard]
        try:
            with path.open("rb") as stream:
                stream.seek(entry.offset)
                data = stream.read(entry.size)
        except OSError as error:
            raise WeightsError(f"{path} is not readable: {error.strerror}") from None
        if len(data) != entry.size:
            raise WeightsError(f"{path} is cut short: it ends before byte {entry.offset + entry.size}")
        return data


def _index(path: Path) -> Path:
    if path.suffix == ".index":
        return path
    folder = path.parent if path.name == "saved_model.pb" else path
    return folder / "variables" / "variables.index"


def _handle(data: memoryview, place: int) -> tuple[int, int]:
    offset, place = number(data, place)
    size, _ = number(data, place)
    return offset, size


def _block(data: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a block; a key's beginning that it shares with the one before is not repeated there."""
    if offset + size >= len(data):
        raise ValueError(f"a block ends behind the end, at byte {offset + size}")
    if data[offset + size]:
        raise ValueError("a block is compressed, which TensorFlow's never are")
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-RESTART:], "little")
    end, place, key = size - RESTART * (restarts + 1), 0, b""
    while place < end:
        shared, place = number(block, place)
        own, place = number(block, place)
        length, place = number(block, place)
        key = key[:shared] + bytes(block[place : place + own])
        yield key, block[place + own : place + own + length]
        place += own + length


def _entry(value: memoryview) -> Entry:
    parts = dict(fields(value))
    if 7 in parts:
        raise ValueError("a variable is cut into slices")

    def whole(field: int) -> int:
        return number(parts[field], 0)[0] if field in parts else 0

    return Entry(whole(1), shape(parts.get(2, memoryview(b""))), whole(3), whole(4), whole(5))


def _names(objects: memoryview) -> Iterator[tuple[str, str]]:
    """Key -> full name of a TrackableObjectGraph's variables."""
    for field, node in fields(objects):
        if field != 1:
            continue
        for part, attribute in fields(node):
            if part == 2:
                texts = dict(fields(attribute))
                if 2 in texts and 3 in texts:
                    yield bytes(texts[3]).decode(), bytes(texts[2]).decode()
