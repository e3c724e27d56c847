"""Looks into a frozen TensorFlow graph (.pb): the names of its nodes, and the tables of numbers it holds.

A graph is a protocol buffer: fields, each a number and a value. Nothing is executed, and what the graph computes is
OpenVINO's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError
from openpose_ros.weights.wire import fields, number, shape

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
        for field, value in fields(data):
            if field == 1:  # GraphDef.node
                parts = list(fields(value))
                texts = {part: bytes(content).decode() for part, content in parts if part in (1, 2)}
                entries = [
                    dict(fields(content)) for part, content in parts if part == 5 and bytes(content[:1]) == b"\n"
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
    parts = dict(fields(dict(fields(value)).get(8, memoryview(b""))))  # AttrValue.tensor
    if 1 not in parts or 4 not in parts or number(parts[1], 0)[0] != FLOAT32:  # TensorProto.dtype, .tensor_content
        return None
    return np.frombuffer(parts[4], "<f4").reshape(shape(parts.get(2, memoryview(b""))))
