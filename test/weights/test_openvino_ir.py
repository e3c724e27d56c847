"""The reader of OpenVINO's IR, on small files written here and on the published one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.weights import WeightsError, npz, openvino_ir

NAMES = {"float32": "f32", "float16": "f16", "int8": "i8", "uint8": "u8", "int64": "i64"}


class Writer:
    """Writes an IR layer by layer."""

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.edges: list[str] = []
        self.constants = b""

    def layer(self, kind: str, name: str, inputs: tuple[int, ...] = (), **data: Any) -> int:
        number = len(self.layers)
        entries = " ".join(f'{key}="{value}"' for key, value in data.items())
        self.layers.append(f'<layer id="{number}" name="{name}" type="{kind}"><data {entries}/></layer>')
        for port, source in enumerate(inputs):
            self.edges.append(f'<edge from-layer="{source}" from-port="0" to-layer="{number}" to-port="{port}"/>')
        return number

    def constant(self, value: npt.ArrayLike, kind: str = "float32") -> int:
        array = np.asarray(value, kind)
        shape = ", ".join(map(str, array.shape))
        offset, size = len(self.constants), array.nbytes
        self.constants += array.tobytes()
        return self.layer("Const", f"c{offset}", element_type=NAMES[kind], shape=shape, offset=offset, size=size)

    def save(self, path: Path) -> Path:
        layers, edges = "".join(self.layers), "".join(self.edges)
        path.write_text(f'<net name="n" version="10"><layers>{layers}</layers><edges>{edges}</edges></net>')
        path.with_suffix(".bin").write_bytes(self.constants)
        return path


def begin(scale: float = 0.5, shift: float = -64.0) -> tuple[Writer, int]:
    """A file with an input that is multiplied and shifted."""
    writer = Writer()
    image = writer.layer("Parameter", "data", element_type="f32", shape="1,3,8,8")
    scaled = writer.layer("Multiply", "scaled", (image, writer.constant([[[[scale]]]])))
    return writer, writer.layer("Add", "shifted", (scaled, writer.constant([[[[shift]]]])))


def test_plain_weights_and_the_bias_added_behind(tmp_path: Path) -> None:
    writer, image = begin()
    weight, bias = np.random.default_rng(0).random((4, 3, 3, 3), np.float32), np.arange(4.0)
    convolved = writer.layer("Convolution", "conv/WithoutBiases", (image, writer.constant(weight)))
    writer.layer("Add", "conv", (convolved, writer.constant(bias.reshape(1, 4, 1, 1), "float16")))
    tables = openvino_ir.read(writer.save(tmp_path / "a.xml")).convolutions()
    assert set(tables) == {"conv/weight", "conv/bias"}
    np.testing.assert_array_equal(tables["conv/weight"], weight)
    np.testing.assert_array_equal(tables["conv/bias"], bias)


def test_quantised_weights_are_made_floats_and_roundings_of_activations_passed_over(tmp_path: Path) -> None:
    writer, image = begin()
    stored = np.arange(-9, 9).reshape(2, 1, 3, 3)
    scale, zero = np.array([0.5, 0.25]).reshape(2, 1, 1, 1), np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    limits = [writer.constant(value) for value in (0.0, 1.0, 0.0, 1.0)]
    rounded = writer.layer("FakeQuantize", "rounded", (image, *limits), levels=256)
    converted = writer.layer("Convert", "converted", (writer.constant(stored, "int8"),), destination_type="f16")
    shifted = writer.layer("Subtract", "minus", (converted, writer.constant(zero, "float16")))
    scaled = writer.layer("Multiply", "times", (shifted, writer.constant(scale, "float16")))
    shape = writer.constant([0, 1, -1, 3, 3], "int64")
    grouped = writer.layer("Reshape", "grouped", (scaled, shape), special_zero="true")
    writer.layer("GroupConvolution", "dw", (rounded, grouped))
    graph = openvino_ir.read(writer.save(tmp_path / "a.xml"))
    assert graph.quantised
    tables = graph.convolutions()
    assert set(tables) == {"dw/weight", "dw/bias"}
    assert not tables["dw/bias"].any()
    np.testing.assert_array_equal(tables["dw/weight"], (stored - zero) * scale)


def test_the_input_factors_are_read(tmp_path: Path) -> None:
    writer, _ = begin(scale=0.5, shift=-64.0)
    assert openvino_ir.read(writer.save(tmp_path / "a.xml")).preprocessing() == (128.0, 0.5)


def test_an_input_without_factors_is_refused(tmp_path: Path) -> None:
    writer = Writer()
    image = writer.layer("Parameter", "data")
    writer.layer("Convolution", "conv", (image, writer.constant(np.ones((1, 3, 1, 1)))))
    with pytest.raises(WeightsError, match="one factor and one offset"):
        openvino_ir.read(writer.save(tmp_path / "a.xml")).preprocessing()


def test_a_bin_cut_short_is_told_with_the_constant_it_lacks(tmp_path: Path) -> None:
    writer, image = begin()
    writer.layer("Convolution", "conv", (image, writer.constant(np.ones((4, 3, 3, 3)))))
    path = writer.save(tmp_path / "a.xml")
    path.with_suffix(".bin").write_bytes(writer.constants[:-1])
    with pytest.raises(WeightsError, match=r"a\.bin has 439 bytes, but constant 'c8' ends at 440: it is cut short"):
        openvino_ir.read(path).convolutions()


def test_a_missing_bin_is_told(tmp_path: Path) -> None:
    writer, _ = begin()
    writer.save(tmp_path / "a.xml").with_suffix(".bin").unlink()
    with pytest.raises(WeightsError, match=r"a\.bin is not readable: No such file"):
        openvino_ir.read(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not readable as XML"),
        ("<net version='10'><layers>", "not readable as XML"),
        ("<html/>", "not an OpenVINO IR"),
        ("<net version='7'/>", "not an OpenVINO IR of version 10"),
        ("<net version='10'><layers><layer name='a' type='Const'/></layers></net>", "lack 'id'"),
        (
            "<net version='10'><layers><layer id='0' name='a' type='Add'/></layers><edges>"
            "<edge from-layer='7' from-port='0' to-layer='0' to-port='0'/></edges></net>",
            "lack '7'",
        ),
        (
            "<net version='10'><layers><layer id='0' name='a' type='Add'/></layers><edges>"
            "<edge from-layer='0' from-port='0' to-layer='0' to-port='0'/></edges></net>",
            "in a circle",
        ),
    ],
)
def test_malformed_xml_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match=reason):
        openvino_ir.read(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"element_type": "f32", "shape": "4,3", "offset": 0, "size": 40}, r"shape \[4, 3\] has 40 bytes"),
        ({"element_type": "f32", "shape": "-1", "offset": 0, "size": -4}, r"shape \[-1\] has -4 bytes"),
        ({"element_type": "f32", "shape": "1", "offset": -4, "size": 4}, "ends at 0"),
        ({"element_type": "boolean", "shape": "1", "offset": 0, "size": 1}, "not described as expected: 'boolean'"),
        ({"element_type": "f32", "shape": "one", "offset": 0, "size": 4}, "not described as expected"),
        ({"element_type": "f32", "shape": "1"}, "not described as expected: 'offset'"),
    ],
)
def test_a_constant_that_is_not_what_it_says_is_refused(tmp_path: Path, data: dict[str, Any], reason: str) -> None:
    writer, image = begin()
    writer.layer("Convolution", "conv", (image, writer.layer("Const", "bad", **data)))
    with pytest.raises(WeightsError, match=reason):
        openvino_ir.read(writer.save(tmp_path / "a.xml")).convolutions()


def test_weights_that_are_computed_in_another_way_are_refused_by_name(tmp_path: Path) -> None:
    writer, image = begin()
    power = writer.layer("Power", "p", (writer.constant([2.0]), writer.constant([3.0])))
    writer.layer("Convolution", "conv7/WithoutBiases", (image, power))
    with pytest.raises(WeightsError, match="weights of 'conv7' are not made of constants"):
        openvino_ir.read(writer.save(tmp_path / "a.xml")).convolutions()


def test_a_convolution_followed_by_something_else_than_its_bias_is_refused_by_name(tmp_path: Path) -> None:
    """A normalisation that was not folded, for example: leaving it out would be silently wrong."""
    writer, image = begin()
    convolved = writer.layer("Convolution", "conv", (image, writer.constant(np.ones((2, 3, 1, 1)))))
    writer.layer("Multiply", "bn", (convolved, writer.constant(np.ones((1, 2, 1, 1)))))
    with pytest.raises(WeightsError, match="'conv' is followed by Multiply, which is no bias"):
        openvino_ir.read(writer.save(tmp_path / "a.xml")).convolutions()


def test_constants_that_do_not_fit_each_other_are_refused_by_name(tmp_path: Path) -> None:
    writer, image = begin()
    times = writer.layer("Multiply", "times", (writer.constant(np.ones(3)), writer.constant(np.ones(4))))
    writer.layer("Convolution", "conv", (image, times))
    with pytest.raises(WeightsError, match="layer 'times' .Multiply. does not compute"):
        openvino_ir.read(writer.save(tmp_path / "a.xml")).convolutions()


@pytest.mark.shared
def test_the_published_8_bit_file_gives_the_same_weights_as_its_archive(shared: Path) -> None:
    folder = shared / "models" / "openvino-human-pose-estimation-0001"
    graph = openvino_ir.read(folder / "FP16-INT8" / "human-pose-estimation-0001.xml")
    assert graph.quantised
    mean, scale = graph.preprocessing()
    assert mean == pytest.approx(128.0, abs=0.1)
    assert scale == pytest.approx(1 / 255, rel=1e-3)
    ours, archive = graph.convolutions(), npz.read(folder / "float_weights.npz")
    assert set(ours) == set(archive)
    for name, table in archive.items():
        np.testing.assert_array_equal(ours[name], table, err_msg=name)


@pytest.mark.shared
def test_the_published_float_layout_is_read_too(shared: Path, tmp_path: Path) -> None:
    """Its weights are not at hand, so numbered ones stand in."""
    path = tmp_path / "fp32.xml"
    source = shared / "models" / "openvino-human-pose-estimation-0001"
    shutil.copy(source / "human-pose-estimation-0001_FP32_topology_only.xml", path)
    numbers = np.arange(16_394_712 // 4, dtype=np.float32)
    path.with_suffix(".bin").write_bytes(numbers.tobytes())
    graph = openvino_ir.read(path)
    tables = graph.convolutions()
    assert not graph.quantised
    assert {name: table.shape for name, table in tables.items()} == {
        name: table.shape for name, table in npz.read(source / "float_weights.npz").items()
    }
    assert tables["conv1/weight"].flat[0] == 4
    assert tables["conv2_1/dw/weight"].flat[0] == 900
