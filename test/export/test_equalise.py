"""Channels of like sizes, and the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import numpy_helper

from openpose_ros.export.equalise import equalised, largest, links
from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]


def treated(model: Any, images: list[Floats]) -> Any:
    return equalised(model, largest(model, [link.tensor for link in links(model)], images))


def test_only_what_convolutions_alone_read_is_scaled(small_graph: Any) -> None:
    """Not what is joined or summed, where the other part would be left behind."""
    assert {link.first.name: [node.name for node in link.then] for link in links(small_graph)} == {
        "first": ["deep"],
        "deep": ["point"],
    }


def test_the_answers_are_the_same(small_graph: Any, images: list[Floats]) -> None:
    expected, found = Session(small_graph), Session(treated(small_graph, images))
    for given in images:
        for one, true in zip(found(given), expected(given), strict=True):
            np.testing.assert_allclose(one, true, rtol=1e-3, atol=1e-4)


def test_a_channel_before_a_depthwise_convolution_is_brought_to_the_size_of_the_others(
    small_graph: Any, images: list[Floats]
) -> None:
    before = largest(small_graph, ["first.out.lit"], images)["first.out.lit"]
    after = largest(treated(small_graph, images), ["first.out.lit"], images)["first.out.lit"]
    assert before.max() > 50 * np.median(before)
    lit = before > 0
    np.testing.assert_allclose(after[lit], np.median(after[lit]), rtol=1e-3)


def test_a_channel_that_is_never_lit_is_left_alone(small_graph: Any, images: list[Floats]) -> None:
    bias = next(tensor for tensor in small_graph.graph.initializer if tensor.name == "first.bias")
    values = numpy_helper.to_array(bias).copy()
    values[5] = -1e3
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    model = treated(small_graph, images)
    left = next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == "first.bias")
    assert left[5] == values[5]
    assert all(np.isfinite(numpy_helper.to_array(tensor)).all() for tensor in model.graph.initializer)


def test_sizes_are_those_of_all_inputs(small_graph: Any, images: list[Floats]) -> None:
    every = largest(small_graph, ["image", "sum"], images)
    assert every["image"].shape == (3,)
    np.testing.assert_array_equal(every["image"], np.max([np.abs(given).max((0, 2, 3)) for given in images], 0))
    one = largest(small_graph, ["sum"], images[:1])
    assert (every["sum"] >= one["sum"]).all()
