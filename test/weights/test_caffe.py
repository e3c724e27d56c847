"""Caffe's files, read by their bytes: new and old layers, packed and loose numbers, and whatever is torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.weights import WeightsError, caffe

Array = npt.NDArray[np.float32]

WEIGHT = np.random.default_rng(0).normal(size=(3, 2, 5, 5)).astype(np.float32)
BIAS = np.array([1.5, -2.0, 300.0], np.float32)
SLOPE = np.array([0.25, 0.5, 0.75], np.float32)


def number(value: int) -> bytes:
    """A number of variable length, seven bits a byte, the lowest first."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def field(which: int, content: bytes) -> bytes:
    return number(which << 3 | 2) + number(len(content)) + content


def blob(table: Array) -> bytes:
    return field(7, field(1, b"".join(map(number, table.shape)))) + field(5, table.astype("<f4").tobytes())


def old_blob(table: Array) -> bytes:
    """As Caffe wrote it before 2015: four sizes, ones in front."""
    sizes = (1,) * (4 - table.ndim) + table.shape
    return b"".join(number(n << 3) + number(size) for n, size in enumerate(sizes, 1)) + field(5, table.tobytes())


def layer(name: str, kind: str, *tables: Array) -> bytes:
    return field(
        100, field(1, name.encode()) + field(2, kind.encode()) + b"".join(field(7, blob(table)) for table in tables)
    )


def old_layer(name: str, kind: int, *tables: Array) -> bytes:
    kinds = number(5 << 3) + number(kind)
    return field(
        2, field(2, b"image") + field(4, name.encode()) + kinds + b"".join(field(6, old_blob(t)) for t in tables)
    )


def read(tmp_path: Path, content: bytes) -> dict[str, Array]:
    (tmp_path / "a.caffemodel").write_bytes(content)
    return caffe.read(tmp_path / "a.caffemodel")


def test_layers_have_their_weights_and_slopes(tmp_path: Path) -> None:
    net = field(1, b"net") + layer("data", "Input") + layer("conv1", "Convolution", WEIGHT, BIAS)
    tables = read(tmp_path, net + layer("prelu1", "PReLU", SLOPE))
    assert set(tables) == {"conv1/weight", "conv1/bias", "prelu1/weight"}
    np.testing.assert_array_equal(tables["conv1/weight"], WEIGHT)
    np.testing.assert_array_equal(tables["conv1/bias"], BIAS)
    np.testing.assert_array_equal(tables["prelu1/weight"], SLOPE)


def test_files_of_the_old_form_are_read(tmp_path: Path) -> None:
    tables = read(tmp_path, field(1, b"net") + old_layer("conv1", 4, WEIGHT, BIAS) + old_layer("relu1", 18))
    np.testing.assert_array_equal(tables["conv1/weight"], WEIGHT)
    np.testing.assert_array_equal(tables["conv1/bias"], BIAS)


def test_a_kernel_of_one_input_and_one_cell_keeps_its_shape(tmp_path: Path) -> None:
    tables = read(tmp_path, layer("conv1", "Convolution", BIAS.reshape(3, 1, 1, 1), BIAS))
    assert tables["conv1/weight"].shape == (3, 1, 1, 1)


def test_what_protocol_buffers_own_library_writes_is_read(tmp_path: Path) -> None:
    """The same messages by their published numbers, written by Google's library: numbers packed and one by one."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
    message_factory = pytest.importorskip("google.protobuf.message_factory")
    file = descriptor_pb2.FileDescriptorProto(name="c.proto", package="c", syntax="proto2")
    single, whole, text, nested = 2, 3, 9, 11
    for name, fields in {
        "Shape": [("dim", 1, whole, "", True, True)],
        "Blob": [
            ("shape", 7, nested, "Shape", False, False),
            ("data", 5, single, "", True, True),
            ("diff", 6, single, "", True, True),
        ],
        "Loose": [("shape", 7, nested, "Shape", False, False), ("data", 5, single, "", True, False)],
        "Layer": [
            ("name", 1, text, "", False, False),
            ("type", 2, text, "", False, False),
            ("blobs", 7, nested, "Blob", True, False),
        ],
        "Net": [("name", 1, text, "", False, False), ("layer", 100, nested, "Layer", True, False)],
    }.items():
        message = file.message_type.add(name=name)
        for label, which, kind, of, repeated, packed in fields:
            entry = message.field.add(name=label, number=which, type=kind, label=3 if repeated else 1)
            if of:
                entry.type_name = f".c.{of}"
            if repeated and not of:
                entry.options.packed = packed
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"c.{name}"))
        for name in ("Net", "Blob", "Loose", "Layer")
    }
    net = made["Net"](name="net")
    one = net.layer.add(name="conv1", type="Convolution")
    for table in (WEIGHT, BIAS):
        held = one.blobs.add(data=table.reshape(-1).tolist(), diff=[0.0] * table.size)
        held.shape.dim.extend(table.shape)
    loose = made["Loose"](data=SLOPE.tolist())
    loose.shape.dim.extend(SLOPE.shape)
    other = field(100, field(1, b"prelu1") + field(7, loose.SerializeToString()))
    tables = read(tmp_path, net.SerializeToString() + other)
    np.testing.assert_array_equal(tables["conv1/weight"], WEIGHT)
    np.testing.assert_array_equal(tables["conv1/bias"], BIAS)
    np.testing.assert_array_equal(tables["prelu1/weight"], SLOPE)


@pytest.mark.parametrize("kept", [1, 7, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    whole = layer("conv1", "Convolution", WEIGHT, BIAS)
    with pytest.raises(WeightsError, match="is not a Caffe network"):
        read(tmp_path, whole[:kept])


def test_fewer_numbers_than_the_shape_says_are_refused(tmp_path: Path) -> None:
    short = field(7, field(7, field(1, bytes([2, 3]))) + field(5, bytes(20)))
    with pytest.raises(WeightsError, match=r"shape \[2, 3\] in layer 'a' has 20 bytes"):
        read(tmp_path, field(100, field(1, b"a") + short))


def test_a_layer_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'conv1' has 1 tables or stands there twice"):
        read(tmp_path, layer("conv1", "Convolution", WEIGHT) + layer("conv1", "Convolution", WEIGHT))


@pytest.mark.parametrize("content", [b"", b"something else", b"\x80" * 40])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WeightsError, match="is not a Caffe network"):
        read(tmp_path, content)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.caffemodel is not readable"):
        caffe.read(tmp_path / "gone.caffemodel")
