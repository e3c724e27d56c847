"""A network out of PyTorch as an ONNX graph: same answers, any size, nothing of the machine in it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from openpose_ros.card import Card, CardError
from openpose_ros.export import ExportError
from openpose_ros.export.graph import OPSET, convolutions, float_graph
from openpose_ros.export.referee import Session
from openpose_ros.weights.store import load_network

UNSEEN = [(1, 72, 40), (3, 64, 136), (4, 8, 8)]


@pytest.mark.parametrize("shape", UNSEEN, ids=str)
def test_it_answers_as_pytorch_at_sizes_and_batches_it_was_not_made_with(
    exported_graph: Any, normalised_card: Card, shape: tuple[int, int, int]
) -> None:
    count, height, width = shape
    given = np.random.default_rng(0).normal(0.0, 1.0, (count, 3, height, width)).astype(np.float32)
    expected = load_network(normalised_card)(torch.from_numpy(given))[-1]
    for found, true in zip(Session(exported_graph)(given), expected.both(), strict=True):
        assert found.shape == tuple(true.shape)
        np.testing.assert_allclose(found, true.numpy(), rtol=1e-3, atol=2e-5 * float(true.abs().max()))


def test_both_ends_say_their_sizes(exported_graph: Any) -> None:
    def sizes(value: Any) -> list[Any]:
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert [sizes(value) for value in exported_graph.graph.input] == [["batch", 3, "8*h", "8*w"]]
    assert {value.name: sizes(value) for value in exported_graph.graph.output} == {
        "heatmaps": ["batch", 19, "h", "w"],
        "pafs": ["batch", 38, "h", "w"],
    }
    assert [(entry.domain, entry.version) for entry in exported_graph.opset_import] == [("", OPSET)]


def test_convolutions_are_named_as_in_pytorch(exported_graph: Any, normalised_card: Card) -> None:
    layers = {name.removesuffix(".weight") for name in load_network(normalised_card).state_dict()}
    assert {f"{name}.conv" for name in convolutions(exported_graph)} <= layers


def test_nothing_of_the_machine_is_in_it(exported_graph: Any) -> None:
    stored = exported_graph.SerializeToString()
    for part in (str(Path(__file__).parents[2]), sys.prefix, "stack_trace", ".py"):
        assert part.encode() not in stored


def test_batch_normalisation_is_folded(exported_graph: Any, normalised_card: Card) -> None:
    assert normalised_card.network["batch_norm"] is True
    assert {node.op_type for node in exported_graph.graph.node} == {"Conv", "Relu", "Elu", "Add", "Concat"}


def test_a_card_whose_file_carries_its_network_is_refused(normalised_card: Card) -> None:
    with pytest.raises(ExportError, match="comes as a file with its own network"):
        float_graph(replace(normalised_card, network={"type": "graph"}))


def test_torn_weights_are_told(normalised_card: Card, tmp_path: Path) -> None:
    assert normalised_card.weights is not None
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(normalised_card.weights.read_bytes()[:-100])
    with pytest.raises(CardError, match="torn.safetensors are not those of"):
        float_graph(replace(normalised_card, weights=torn))


def test_a_missing_package_is_named(normalised_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ExportError, match=r"export needs the Python package onnxscript .*: pip install onnxscript"):
        float_graph(normalised_card)
