"""Looks into a frozen TensorFlow graph (.pb): the names of its nodes, and the tables of numbers it holds.

A graph is a protocol buffer: fields, each a number and a value. Nothing is executed, and what the graph computes is
OpenVINO's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError

FLOAT32 = 1
"""TensorFlow's number for the type (DT_FLOAT)."""


@dataclass(frozen=True)
class Node:
    """A node's name and operation."""

    name: str
    operation: str


def read(path: Path) -> list[Node]:
    """The nodes of a graph, in the order of the file.

    Raises:
        WeightsError: the file is missing, cut short, or no such graph.
    """
    return [node for node, _ in _nodes(path)]


def constants(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The graph's tables of 32-bit numbers, by the names of their nodes.

    Raises:
        WeightsError: the file is missing, cut short, or no such graph.
    """
    tables = {}
    for node, attributes in _nodes(path):
        if node.operation == "Const" and "value" in attributes:
            try:
                table = _tensor(attributes["value"])
            except (ValueError, KeyError) as error:
                raise WeightsError(f"{path}: the numbers of {node.name} cannot be read: {error}") from None
            if table is not None:
                tables[node.name] = table
    return tables


def _nodes(path: Path) -> list[tuple[Node, dict[str, memoryview]]]:
    """The nodes and their attributes, in the order of the file."""
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} is not readable: {error.strerror}") from None
    nodes = []
    try:
        for number, value in _fields(data):
            if number == 1:  # GraphDef.node
                parts = list(_fields(value))
                texts = {part: bytes(content).decode() for part, content in parts if part in (1, 2)}
                entries = [
                    dict(_fields(content)) for part, content in parts if part == 5 and bytes(content[:1]) == b"\n"
                ]
                attributes = {bytes(entry[1]).decode(): entry[2] for entry in entries if entry.keys() >= {1, 2}}
                nodes.append((Node(texts[1], texts[2]), attributes))  # NodeDef.name, .op, .attr
    except (ValueError, KeyError) as error:
        raise WeightsError(f"{path} is not a frozen TensorFlow graph, or is cut short: {error}") from None
    if not nodes:
        raise WeightsError(f"{path} is not a frozen TensorFlow graph: it has no nodes")
    return nodes


def _tensor(value: memoryview) -> npt.NDArray[np.float32] | None:
    """The table in an AttrValue; None where it holds something else than 32-bit numbers written as bytes."""
    parts = dict(_fields(dict(_fields(value)).get(8, memoryview(b""))))  # AttrValue.tensor
    if 1 not in parts or 4 not in parts or _number(parts[1], 0)[0] != FLOAT32:  # TensorProto.dtype, .tensor_content
        return None
    sides = [dict(_fields(side)) for number, side in _fields(parts.get(2, memoryview(b""))) if number == 2]
    shape = [_number(side[1], 0)[0] if 1 in side else 0 for side in sides]  # TensorShapeProto.dim.size
    return np.frombuffer(parts[4], "<f4").reshape(shape)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(field number, content) of a protocol buffer; the content of a number is its bytes as they stand.

    Raises:
        ValueError: the data ends within a field or is no protocol buffer.
    """
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        kind = key & 7
        if kind == 0:
            size = _number(data, place)[1] - place
        elif kind == 2:
            size, place = _number(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"byte {place} begins no field")
        if place + size > len(data):
            raise ValueError(f"a field of {size} bytes ends behind the end")
        yield key >> 3, data[place : place + size]
        place += size


def _number(data: memoryview, place: int) -> tuple[int, int]:
    """A number of variable length and the place behind it."""
    value = 0
    for count, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError(f"byte {place} begins no number")
