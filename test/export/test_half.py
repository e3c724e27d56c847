"""float16: typed through and through, float32 at both ends, and never beyond the type's range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, numpy_helper

from openpose_ros.export import ExportError
from openpose_ros.export.half import check_range, half, rounding
from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]


def types(model: Any) -> dict[str, int]:
    """Of every tensor between the ends, as ONNX infers them."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


def test_every_number_within_is_float16_and_both_ends_are_float32(small_graph: Any) -> None:
    model = half(small_graph)
    onnx.checker.check_model(model, full_check=True)
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT16}
    assert set(types(model).values()) == {TensorProto.FLOAT16}
    ends = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}
    assert [node.op_type for node in model.graph.node].count("Cast") == 3


def test_it_answers_nearly_the_same(small_graph: Any, images: list[Floats]) -> None:
    expected, found = Session(small_graph), Session(half(small_graph))
    for given in images:
        for one, true in zip(found(given), expected(given), strict=True):
            np.testing.assert_allclose(one, true, atol=2e-2 * float(np.abs(true).max()))


def test_what_float16_costs_on_a_gpu_is_seen_on_a_cpu(small_graph: Any, images: list[Floats]) -> None:
    """Which computes the file itself in float32."""
    model = half(small_graph)
    as_on_a_gpu = rounding(model)
    names = ["heatmaps", "pafs", "first.out.lit", "guess.out", "sum", "joined"]
    for given in images:
        *ends, lit, guess, total, joined = Session(as_on_a_gpu, names)(given)
        for inner in (*ends, lit, guess, total, joined):
            assert inner.dtype == np.float32
            np.testing.assert_array_equal(inner, inner.astype(np.float16).astype(np.float32))
        for found, exact, true in zip(ends, Session(model)(given), Session(small_graph)(given), strict=True):
            size = float(np.abs(true).max())
            assert np.abs(exact - found).max() > 1e-5 * size
            np.testing.assert_allclose(found, true, atol=2e-2 * size)


def test_the_sums_within_an_operator_are_not_rounded(small_graph: Any) -> None:
    """A convolution of 8 channels by hand, from what went in and the weights of the file."""
    model = half(small_graph)
    as_on_a_gpu = rounding(model)
    given = np.random.default_rng(1).normal(0.0, 0.5, (1, 3, 16, 16)).astype(np.float32)
    point, guess = Session(as_on_a_gpu, ["point.out.lit", "guess.out"])(given)
    weights = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in model.graph.initializer}
    sums = np.einsum("oi,bihw->bohw", weights["guess.weight"][..., 0, 0], point.astype(np.float64))
    exact = sums + weights["guess.bias"][:, None, None]
    np.testing.assert_allclose(guess, exact, rtol=2**-10, atol=1e-6)
    assert (guess == exact.astype(np.float16).astype(np.float32)).mean() > 0.99


def test_the_float32_graph_stays_as_it_was(small_graph: Any) -> None:
    before = small_graph.SerializeToString()
    half(small_graph)
    assert small_graph.SerializeToString() == before


def test_what_an_operator_takes_in_float32_alone_stays_so() -> None:
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    factors = numpy_helper.from_array(np.array([1.0, 1.0, 2.0, 2.0], np.float32), "factors")
    graph = onnx.helper.make_graph(
        [make("Resize", ["image", "", "factors"], ["heatmaps"])],
        "resize",
        [value("image", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [value("heatmaps", TensorProto.FLOAT, ["b", 3, "H", "W"])],
        [factors],
    )
    model = half(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10))
    assert [tensor.data_type for tensor in model.graph.initializer] == [TensorProto.FLOAT]
    assert Session(model)(np.ones((1, 3, 4, 4), np.float32))[0].shape == (1, 3, 8, 8)


def test_a_weight_beyond_float16_is_named(small_graph: Any) -> None:
    weight = next(tensor for tensor in small_graph.graph.initializer if tensor.name == "long.weight")
    weight.CopyFrom(numpy_helper.from_array(1e6 * numpy_helper.to_array(weight), weight.name))
    with pytest.raises(ExportError, match=r"long\.weight reaches .*, and float16 ends at 65504"):
        half(small_graph)


def test_a_tensor_that_goes_beyond_float16_on_photos_is_named(small_graph: Any, images: list[Floats]) -> None:
    check_range(small_graph, images)
    with pytest.raises(ExportError, match=r"first\.out.* reaches .*, and float16 ends at 65504"):
        check_range(small_graph, [1e4 * given for given in images])
