"""Sensitive convolutions stay in float, and no more of them than needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from openpose_ros.export import ExportError
from openpose_ros.export.quantise import in_int8, quantised
from openpose_ros.export.sensitive import difference, spared

Floats = npt.NDArray[np.float32]


@pytest.fixture
def rounded(small_graph: Any, images: list[Floats]) -> Any:
    """Not equalised: one channel before ``deep`` drowns the others."""
    return quantised(small_graph, images, [])


def test_the_layer_that_rounding_spoils_is_spared(rounded: Any, small_graph: Any, images: list[Floats]) -> None:
    told: list[str] = []
    model, names = spared(rounded, small_graph, images, 0.1, told.append)
    assert names == ["deep"]
    assert set(in_int8(rounded)) - set(in_int8(model)) == {"deep"}
    assert len(told) == 1


def test_a_tighter_tolerance_spares_more(rounded: Any, small_graph: Any, images: list[Floats]) -> None:
    _, names = spared(rounded, small_graph, images, 0.01, lambda line: None)
    assert names[0] == "deep"
    assert 1 < len(names) < len(in_int8(rounded))


def test_nothing_is_spared_where_nothing_needs_it(rounded: Any, small_graph: Any, images: list[Floats]) -> None:
    model, names = spared(rounded, small_graph, images, 10.0, pytest.fail)
    assert model is rounded
    assert names == []


def test_a_tolerance_that_cannot_be_kept_is_told(rounded: Any, small_graph: Any, images: list[Floats]) -> None:
    with pytest.raises(ExportError, match="more than 1e-09 off even with all but one convolution in float32"):
        spared(rounded, small_graph, images, 1e-9, lambda line: None)


def test_the_difference_is_that_of_the_worse_field() -> None:
    true = [np.full((1, 2, 3, 3), 2.0, np.float32), np.full((1, 4, 3, 3), -1.0, np.float32)]
    assert difference([true], [true]) == 0.0
    assert difference([[true[0] * 1.1, true[1]]], [true]) == pytest.approx(0.1, rel=1e-5)
    assert difference([[true[0] * 1.1, true[1] * 0.5]], [true]) == pytest.approx(0.5, rel=1e-5)


def test_what_is_no_number_is_no_small_difference() -> None:
    true = [np.ones((1, 2, 3, 3), np.float32)] * 2
    assert difference([[true[0] * np.nan, true[1]]], [true]) == float("inf")
