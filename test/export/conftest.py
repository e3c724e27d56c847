"""A small graph of every kind of layer that is treated in its own way, a larger one from PyTorch, and drawn photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.card import Card, file_digest
from openpose_ros.skeleton import COCO_18

Floats = npt.NDArray[np.float32]


@pytest.fixture
def small_graph() -> Any:
    """Image -> heatmaps and PAFs: plain, depthwise and joined convolutions, a sum, a channel that is far too bright."""
    onnx = pytest.importorskip("onnx")
    make, generator = onnx.helper.make_node, np.random.default_rng(3)
    nodes, constants = [], []

    def convolve(name: str, source: str, outputs: int, inputs: int, kernel: int = 1, groups: int = 1) -> str:
        weight = generator.normal(0.0, (2.0 / (inputs * kernel**2)) ** 0.5, (outputs, inputs, kernel, kernel))
        if name == "first":
            weight[2] *= 300.0
        if name == "deep":
            weight[2] /= 300.0
        bias = generator.normal(0.0, 0.1, outputs)
        for part, table in (("weight", weight), ("bias", bias)):
            constants.append(onnx.numpy_helper.from_array(table.astype(np.float32), f"{name}.{part}"))
        side = kernel // 2
        nodes.append(
            make(
                "Conv", [source, f"{name}.weight", f"{name}.bias"], [f"{name}.out"], name=name, group=groups,
                pads=[side] * 4,
            )
        )  # fmt: skip
        return f"{name}.out"

    def rectify(source: str) -> str:
        nodes.append(make("Relu", [source], [f"{source}.lit"]))
        return f"{source}.lit"

    first = rectify(convolve("first", "image", 8, 3, 3))
    deep = rectify(convolve("deep", first, 8, 1, 3, groups=8))
    point = rectify(convolve("point", deep, 8, 8))
    guess = convolve("guess", point, 4, 8)
    nodes.append(make("Concat", [guess, point], ["joined"], axis=1))
    short = rectify(convolve("behind", "joined", 8, 12))
    long = rectify(convolve("long", short, 8, 8, 3))
    nodes.append(make("Add", [short, long], ["sum"]))
    for name, channels in (("heatmaps", 19), ("pafs", 38)):
        convolve(name, "sum", channels, 8)
        nodes[-1].output[0] = name
    value = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "small",
        [value("image", kind, ["batch", 3, "h", "w"])],
        [value("heatmaps", kind, ["batch", 19, "h", "w"]), value("pafs", kind, ["batch", 38, "h", "w"])],
        constants,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.fixture
def images() -> list[Floats]:
    """Inputs of a graph, of several sizes."""
    generator = np.random.default_rng(0)
    return [generator.normal(0.0, 0.5, (1, 3, *size)).astype(np.float32) for size in ((24, 32), (16, 16), (40, 24))]


@pytest.fixture(scope="session")
def normalised_card(_compiled_elsewhere: None, tmp_path_factory: pytest.TempPathFactory) -> Card:
    """A narrow lightweight network of random weights, with batch normalisation that has seen something."""
    torch = pytest.importorskip("torch")
    from openpose_ros.networks import build
    from openpose_ros.weights.store import save_tensors

    card = Card(
        "normalised",
        {"type": "lightweight", "channels": 8, "batch_norm": True},
        COCO_18,
        mean=(100.0, 110.0, 120.0),
        scale=(1 / 60, 1 / 70, 1 / 80),
        licence="Apache-2.0",
        notes="Of random weights.",
    )
    generator = np.random.default_rng(0)
    tensors = {}
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in build(card).state_dict().items()}
    for name, shape in shapes.items():
        if name.endswith(("running_var", "norm.weight")):
            tensors[name] = generator.uniform(0.5, 1.5, shape).astype(np.float32)
        elif name.endswith("num_batches_tracked"):
            tensors[name] = np.array(1)
        else:
            spread = (2.0 / np.prod(shape[1:])) ** 0.5 if len(shape) == 4 else 0.1
            tensors[name] = generator.normal(0.0, spread, shape).astype(np.float32)
    folder = tmp_path_factory.mktemp("normalised")
    weights = folder / "normalised.safetensors"
    save_tensors(tensors, weights, {})
    card = replace(card, weights=weights, sha256=file_digest(weights), path=folder / "normalised.yaml")
    card.save(folder / "normalised.yaml")
    return card


@pytest.fixture(scope="session")
def exported_graph(normalised_card: Card) -> Any:
    """That network's float32 graph, out of PyTorch; not to be changed."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from openpose_ros.export.graph import float_graph

    return float_graph(normalised_card)


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of blurred noise in colour."""
    folder = tmp_path_factory.mktemp("drawn")
    generator = np.random.default_rng(1)
    for number, (height, width) in enumerate([(96, 128), (128, 96), (112, 112)]):
        noise = generator.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(noise, (width, height)))
    return folder
