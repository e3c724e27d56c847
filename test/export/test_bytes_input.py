"""A graph that takes bytes answers as one that is given what the card makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto

from openpose_ros.card import Card
from openpose_ros.export.bytes_input import with_bytes
from openpose_ros.export.half import half
from openpose_ros.export.referee import Session, network_input
from openpose_ros.skeleton import COCO_18


@pytest.fixture
def card() -> Card:
    return Card("small", {"type": "graph"}, COCO_18, mean=(100.0, 110.0, 120.0), scale=(1 / 60, 1 / 70, 1 / 80))


@pytest.mark.parametrize("channels", ["BGR", "RGB"])
@pytest.mark.parametrize("in_half", [False, True], ids=["float32", "float16"])
def test_bytes_are_normalised_as_the_card_says(small_graph: Any, card: Card, channels: str, in_half: bool) -> None:
    card = replace(card, channels=channels)
    inner = half(small_graph) if in_half else small_graph
    model = with_bytes(inner, card)
    given = np.random.default_rng(0).integers(0, 256, (2, 24, 16, 3), np.uint8)
    expected = Session(inner)(network_input(given, card))
    for one, true in zip(Session(model)(given), expected, strict=True):
        np.testing.assert_allclose(one, true, rtol=1e-3, atol=1e-3)
    entry = model.graph.input[0].type.tensor_type
    assert entry.elem_type == TensorProto.UINT8
    assert [axis.dim_param or axis.dim_value for axis in entry.shape.dim] == ["batch", "h", "w", 3]
