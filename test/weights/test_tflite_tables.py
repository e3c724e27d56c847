"""TensorFlow Lite's files: tables read by their bytes, and a published network, rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.weights import WeightsError, tf_pose, tflite_tables
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network

Array = npt.NDArray[Any]


def write(path: Path, tensors: dict[str, tuple[Array, Array | None, int]]) -> Path:
    """Name -> values (float32 or int8), scales, and the axis that they belong to."""
    flatbuffers = pytest.importorskip("flatbuffers")
    builder = flatbuffers.Builder(1024)

    def vector(values: Array) -> int:
        return int(builder.CreateNumpyVector(np.ascontiguousarray(values)))

    def offsets(places: list[int]) -> int:
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())

    buffers, made = [], []
    builder.StartObject(1)
    buffers.append(builder.EndObject())
    for number, (name, (values, scales, axis)) in enumerate(tensors.items(), 1):
        data = vector(np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8))
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, data, 0)
        buffers.append(builder.EndObject())
        shape, text = vector(np.array(values.shape, np.int32)), builder.CreateString(name)
        about = 0
        if scales is not None:
            scale, zero = vector(scales.astype(np.float32)), vector(np.zeros(len(scales), np.int64))
            builder.StartObject(7)
            builder.PrependUOffsetTRelativeSlot(2, scale, 0)
            builder.PrependUOffsetTRelativeSlot(3, zero, 0)
            builder.PrependInt32Slot(6, axis, 0)
            about = builder.EndObject()
        builder.StartObject(5)
        builder.PrependUOffsetTRelativeSlot(0, shape, 0)
        builder.PrependInt8Slot(1, 9 if values.dtype == np.int8 else 0, 0)
        builder.PrependUint32Slot(2, number, 0)
        builder.PrependUOffsetTRelativeSlot(3, text, 0)
        builder.PrependUOffsetTRelativeSlot(4, about, 0)
        made.append(builder.EndObject())
    all_tensors = offsets(made)
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(0, all_tensors, 0)
    graphs = offsets([builder.EndObject()])
    all_buffers = offsets(buffers)
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.PrependUOffsetTRelativeSlot(4, all_buffers, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_tables_are_multiplied_by_their_scales(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    plain = generator.normal(size=(2, 3)).astype(np.float32)
    small = generator.integers(-127, 128, (4, 1, 1, 2)).astype(np.int8)
    scales = np.array([0.5, 0.25, 2.0, 1.0], np.float32)
    given = {
        "a": (plain, None, 0),
        "one": (small, scales[:1], 0),
        "each": (small, scales, 0),
        "last": (small, scales[:2], 3),
    }
    found = tflite_tables.read(write(tmp_path / "a.tflite", given))
    assert list(found) == ["a", "one", "each", "last"]
    np.testing.assert_array_equal(found["a"], plain)
    np.testing.assert_array_equal(found["one"], small * np.float32(0.5))
    np.testing.assert_array_equal(found["each"], small * scales.reshape(4, 1, 1, 1))
    np.testing.assert_array_equal(found["last"], small * scales[:2])


def test_an_8_bit_table_without_a_scale_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tflite", {"a": (np.ones((2, 2), np.int8), None, 0)})
    with pytest.raises(WeightsError, match="an 8-bit table has no scale"):
        tflite_tables.read(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 something", bytes(100), b"\x10\0\0\0TFL3" + b"\xff" * 60])
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tflite").write_bytes(data)
    with pytest.raises(WeightsError, match="is not a file of TensorFlow Lite"):
        tflite_tables.read(tmp_path / "a.tflite")


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tflite", {"conv/weights": (np.ones((2, 1, 1, 3), np.float32), None, 0)})
    with pytest.raises(WeightsError, match="neither mobilenet_thin, mobilenet_v2 nor cmu"):
        convert(path, tmp_path / "new", network=True)


def test_a_bias_of_zeros_that_only_lite_has_is_left_out() -> None:
    zeros, ones = np.zeros(4, np.float32), np.ones(4, np.float32)
    found = tf_pose.lite_tables({"a/depthwise_bias": zeros, "b/depthwise_bias": ones})
    assert list(found) == ["b/Conv2D_bn_offset"]


@pytest.fixture(scope="module")
def published(shared: Path) -> Path:
    return shared / "models" / "tf-pose" / "mobilenet_v2_1.4_432x368_weight_quant.tflite"


@pytest.mark.shared
def test_mobilenet_v2_answers_as_openvino_runs_the_file(
    published: Path, photos: list[npt.NDArray[np.uint8]], tmp_path: Path
) -> None:
    ov = pytest.importorskip("openvino")
    core = ov.Core()
    compiled = core.compile_model(core.read_model(str(published)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    card = convert(published, tmp_path, network=True)
    assert (card.name, card.licence) == ("mobilenet_v2_1.4", "MIT")
    assert card.network["backbone"]["width"] == 1.4
    photo = cv2.resize(photos[0], (432, 368)).astype(np.float32)
    wanted = next(iter(compiled([photo[None]]).values()))[0].transpose(2, 0, 1)
    assert wanted.max() > 0.5
    with torch.inference_mode():
        heatmaps, pafs = load_network(card)(torch.from_numpy(photo).permute(2, 0, 1)[None])[-1].both()
    np.testing.assert_allclose(torch.cat([heatmaps, pafs], 1)[0].numpy(), wanted, rtol=0.0, atol=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize("kept", [1000, 1_000_000])
def test_the_published_file_cut_short_is_refused(published: Path, tmp_path: Path, kept: int) -> None:
    (tmp_path / "a.tflite").write_bytes(published.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="cut short"):
        tflite_tables.read(tmp_path / "a.tflite")
