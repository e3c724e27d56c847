"""int8: Q/DQ around convolutions in TensorRT's form, and the way back."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, numpy_helper

from openpose_ros.export import ExportError
from openpose_ros.export.equalise import equalised, largest, links
from openpose_ros.export.graph import convolutions, producers
from openpose_ros.export.quantise import in_float, in_int8, quantised, unbiased, unfit
from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]


@pytest.fixture
def even(small_graph: Any, images: list[Floats]) -> Any:
    return equalised(small_graph, largest(small_graph, [link.tensor for link in links(small_graph)], images))


@pytest.fixture
def rounded(even: Any, images: list[Floats]) -> Any:
    return quantised(even, images, unfit(even))


def test_every_convolution_but_those_at_the_image_and_behind_joins_reads_int8(rounded: Any) -> None:
    kept = ["first", "behind"]
    assert unfit(rounded) == kept
    assert in_int8(rounded) == [name for name in convolutions(rounded) if name not in kept]
    made = producers(rounded)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in rounded.graph.initializer}
    for node in rounded.graph.node:
        if node.op_type != "Conv" or node.name in kept:
            continue
        given, weight = (made[name] for name in node.input[:2])
        assert (given.op_type, weight.op_type) == ("DequantizeLinear", "DequantizeLinear")
        assert made[given.input[0]].op_type == "QuantizeLinear"
        levels, steps, zeros = (stored[name] for name in weight.input)
        assert levels.dtype == np.int8
        assert steps.shape == zeros.shape == (len(levels),)
        assert not zeros.any()
        assert stored[given.input[2]] == 0
        assert stored[given.input[2]].dtype == np.int8


def test_biases_stay_in_float_and_activations_next_to_their_convolutions(rounded: Any) -> None:
    made = producers(rounded)
    assert TensorProto.INT32 not in {tensor.data_type for tensor in rounded.graph.initializer}
    assert all(made[node.input[0]].op_type == "Conv" for node in rounded.graph.node if node.op_type == "Relu")


def test_sums_and_joins_read_what_was_not_rounded(rounded: Any) -> None:
    made = producers(rounded)
    for node in rounded.graph.node:
        if node.op_type in ("Add", "Concat"):
            assert {made[name].op_type for name in node.input} <= {"Relu", "Conv"}


def test_it_answers_nearly_the_same(rounded: Any, small_graph: Any, images: list[Floats]) -> None:
    expected, found = Session(small_graph), Session(rounded)
    for given in images:
        for one, true in zip(found(given), expected(given), strict=True):
            assert np.sqrt(np.mean(np.square(one - true))) < 0.03 * np.sqrt(np.mean(np.square(true)))


def test_convolutions_taken_back_are_what_they_were(rounded: Any, even: Any, images: list[Floats]) -> None:
    partly = in_float(rounded, even, ["deep", "long"])
    assert in_int8(partly) == ["point", "guess", "heatmaps", "pafs"]
    whole = in_float(rounded, even, convolutions(even))
    assert {node.op_type for node in whole.graph.node} == {node.op_type for node in even.graph.node}
    for one, true in zip(Session(whole)(images[0]), Session(even)(images[0]), strict=True):
        np.testing.assert_array_equal(one, true)


def test_rounding_moves_no_channel_on_average(rounded: Any, even: Any, images: list[Floats]) -> None:
    """Seen where nothing in int8 lies before: the mean of the error over these very images goes."""
    name = "deep.out"
    true = [Session(even, [name])(given)[0] for given in images]

    def shift(model: Any) -> float:
        found = [Session(model, [name])(given)[0] for given in images]
        gaps = [(one - right).mean((0, 2, 3)) for one, right in zip(found, true, strict=True)]
        return float(np.abs(np.mean(gaps, 0)).max())

    before, after = shift(rounded), shift(unbiased(rounded, even, images))
    assert before > 1e-4
    assert after < 0.01 * before


def test_the_missing_quantiser_is_named(even: Any, images: list[Floats], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    with pytest.raises(ExportError, match="export needs the Python package onnxruntime "):
        quantised(even, images, [])
