"""Networks that were written for one size of input, at other sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

ov = pytest.importorskip("openvino")

import openvino.opset13 as ops

from openpose_ros.backends.openvino import OpenVINOBackend
from openpose_ros.backends.openvino_any_size import freed
from openpose_ros.grid import Grid
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch
from openpose_ros.weights.convert import convert


def network(size: tuple[Any, Any], target: tuple[int, int]) -> Any:
    """Sixteen times smaller, and enlarged again to a target that is written down."""
    image = ops.parameter(ov.PartialShape([1, 3, *size]), np.float32)
    small = ops.max_pool(image, [16, 16], [1, 1], [0, 0], [0, 0], [16, 16], rounding_type="ceil")
    large = ops.interpolate(small.output(0), np.array(target), "nearest", "sizes", axes=np.array([2, 3]))
    return ov.Model([large.output(0)], [image])


def answer(model: Any, height: int, width: int) -> tuple[int, ...]:
    model.reshape(ov.PartialShape([-1, 3, -1, -1]))
    compiled = ov.Core().compile_model(model, "CPU")
    return tuple(compiled(np.zeros((2, 3, height, width), np.float32))[0].shape)


def test_what_is_enlarged_follows_the_input() -> None:
    model = network((64, 96), (8, 12))
    freed(model, "NCHW")
    assert answer(model, 80, 112) == (2, 3, 10, 14)


def test_sides_that_are_no_multiples_are_rounded_up() -> None:
    model = network((64, 96), (8, 12))
    freed(model, "NCHW")
    assert answer(model, 72, 100) == (2, 3, 9, 13)


@pytest.mark.parametrize("target", [(8, 13), (9, 12), (8, 24)])
def test_a_target_that_is_no_even_part_of_the_input_stays(target: tuple[int, int]) -> None:
    model = network((64, 96), target)
    freed(model, "NCHW")
    assert answer(model, 80, 112) == (2, 3, *target)


def test_an_open_network_stays_as_it_is() -> None:
    model = network((-1, -1), (8, 12))
    freed(model, "NCHW")
    assert answer(model, 80, 112) == (2, 3, 8, 12)


@pytest.mark.shared
def test_mobilenet_v2_for_tensorflow_lite_answers_as_it_is_and_at_other_sizes(
    shared: Path, tmp_path: Path, photos: list[Any]
) -> None:
    import cv2

    source = shared / "models" / "tf-pose" / "mobilenet_v2_1.4_432x368_weight_quant.tflite"
    card = convert(source, tmp_path)
    assert (card.name, card.licence) == ("mobilenet_v2_1.4", "MIT")
    backend = OpenVINOBackend(card, BackendOptions(precision="float32"))
    original = ov.Core().compile_model(ov.Core().read_model(source), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = np.asarray(cv2.resize(photos[0], (432, 368)), np.uint8)[None]
    fields = backend(Batch(image, (Grid(368, 432, 368, 432, 368, 432, 8),)))
    expected = original(image.astype(np.float32))[0].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(fields.heatmaps, expected[:, :19], atol=1e-4)
    np.testing.assert_allclose(fields.pafs.reshape(1, 38, 46, 54), expected[:, 19:], atol=1e-4)

    # The same picture a cell further right and below shows the same people a cell further.
    larger = np.full((1, 376, 440, 3), 128, np.uint8)
    larger[:, 8:, 8:] = image
    moved = backend(Batch(larger, (Grid(376, 440, 376, 440, 376, 440, 8),))).heatmaps
    assert moved.shape == (1, 19, 47, 55)
    inner = np.s_[:, :18, 6:-6, 6:-6]
    assert np.corrcoef(moved[:, :, 1:, 1:][inner].ravel(), fields.heatmaps[inner].ravel())[0, 1] > 0.8
