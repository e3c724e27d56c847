"""From an exported file to an engine: what is built from what, and what becomes of one that answers wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from openpose_ros.backends import BackendError
from openpose_ros.backends.tensorrt_library import Gpu
from openpose_ros.card import Card
from openpose_ros.export import ExportError, engine
from openpose_ros.export.pictures import Photos
from openpose_ros.export.referee import Referee
from openpose_ros.export.run import Exported, Order

GPU = Gpu("Some card", (8, 6), 1)


@pytest.fixture
def order(normalised_card: Card, drawn_photos: Path, tmp_path: Path) -> Order:
    return Order(normalised_card, "float16", tmp_path, Photos(drawn_photos, 1), short_side=64)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """A TensorRT that is not there: notes what it should build from, and writes a file."""
    asked: list[Any] = []

    def build(*given: Any) -> Any:
        asked.extend(given)
        path = tmp_path / "some.engine"
        path.write_bytes(b"plan")
        return SimpleNamespace(path=path)

    monkeypatch.setattr(engine, "gpu_here", lambda device: (device, GPU))
    monkeypatch.setattr(engine, "build", build)
    return asked


def stands_for(monkeypatch: pytest.MonkeyPatch, graph: Any) -> list[Any]:
    """ONNX Runtime runs this graph where TensorRT would run the engine; notes how it is asked for."""
    asked: list[Any] = []

    def make(name: str, card: Card, options: Any) -> Any:
        asked.extend((name, options.device, options.precision))
        return Referee(card, graph)

    monkeypatch.setattr(engine, "make", make)
    return asked


def exported(card: Card) -> Exported:
    return Exported(card, [], [], None)


def test_the_engine_is_that_of_the_card_and_is_compared(
    order: Order, built: list[Any], exported_graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, told = stands_for(monkeypatch, exported_graph), list[str]()
    made = engine.build_engine(exported(order.card), order, [(368, 656)], 2, "cuda:1", told.append)
    file, card, precision, profiles, gpu = built
    assert (file, card, precision, gpu) == (order.card.weights, order.card, "float16", GPU)
    assert profiles[0].covers((2, 368, 656))
    assert ran == ["tensorrt", "cuda:1", "float16"]
    assert made.path.is_file()
    assert told[-1].startswith("float16 in TensorRT on 1 photos: heatmaps differ by")


def test_an_engine_that_answers_wrongly_is_removed(
    order: Order, built: list[Any], exported_graph: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoiled = onnx.ModelProto()
    spoiled.CopyFrom(exported_graph)
    weight = spoiled.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tuple(weight.dims), np.float32), weight.name))
    stands_for(monkeypatch, spoiled)
    with pytest.raises(ExportError, match="float16 in TensorRT answers .* off PyTorch"):
        engine.build_engine(exported(order.card), order, [(368, 656)], 1, "cuda", lambda line: None)
    assert not (tmp_path / "some.engine").exists()


@pytest.mark.parametrize(("ap", "refused"), [(0.3, False), (0.7, True)])
def test_the_ap_of_an_engine_is_measured_where_that_of_the_file_was(
    order: Order, built: list[Any], exported_graph: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ap: float,
    refused: bool,
) -> None:  # fmt: skip
    ran, told = stands_for(monkeypatch, exported_graph), list[str]()
    monkeypatch.setattr(engine, "measured_ap", lambda order, backend: 50.0 - ap)
    order = replace(order, annotated=range(12), ap_loss=0.5)
    done = Exported(order.card, [], [], (50.0, 49.9))
    if refused:
        with pytest.raises(ExportError, match=r"float16 in TensorRT loses 0\.70 AP, and 0\.5 is the most"):
            engine.build_engine(done, order, [(368, 656)], 1, "cuda", told.append)
    else:
        engine.build_engine(done, order, [(368, 656)], 1, "cuda", told.append)
    assert told[-1] == f"AP on 12 photos: {50.0 - ap:.2f}, of PyTorch 50.00"
    assert ran == 2 * ["tensorrt", "cuda", "float16"]
    assert (tmp_path / "some.engine").exists() is not refused


def test_without_a_gpu_there_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from openpose_ros.backends import torch as backend

    monkeypatch.setattr(engine, "library", lambda: "some TensorRT")
    monkeypatch.setattr(backend, "has_cuda", lambda: False)
    with pytest.raises(
        BackendError, match="an engine is built on the GPU that will run it, and PyTorch finds no NVIDIA"
    ):
        engine.gpu_here("auto")
    with pytest.raises(BackendError, match="device is 'cuda:3'"):
        engine.gpu_here("cuda:3")
