"""A card's network as a float32 ONNX graph: any batch, height and width in multiples of the stride."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import onnx

from openpose_ros.card import Card
from openpose_ros.export import ExportError, require

OPSET = 20
"""ONNX's operators as of this version: TensorRT 10 and 11, TensorRT for RTX, OpenVINO and ONNX Runtime read them."""

INPUT, HEATMAPS, PAFS = "image", "heatmaps", "pafs"
"""Names of the file's input (B, 3, H, W) and of its outputs (B, J + 1, h, w) and (B, 2 L, h, w)."""

EXAMPLE = (2, 3, 8, 12)
"""Batch, channels and cells of what the network is traced with. A batch of 1 would be taken for the only one."""


def float_graph(card: Card) -> onnx.ModelProto:
    """The network with its weights, batch normalisation folded in, each convolution named as in PyTorch.

    Raises:
        ExportError: PyTorch's exporter is missing, or cannot say the network in ONNX.
        CardError: the weights are missing, torn, or not those of the card's network.
    """
    if card.network["type"] == "graph":
        raise ExportError(
            f"{card.name} comes as a file with its own network, {card.weights}; expected one that is built in PyTorch"
        )
    require("torch", "onnxscript")
    import torch

    from openpose_ros.networks import build
    from openpose_ros.networks.frozen import LastAnswer
    from openpose_ros.weights.fold import folded
    from openpose_ros.weights.store import load_network

    network = load_network(card)
    weights, settings = folded(network, card)
    if settings != dict(card.network):
        network = build(replace(card, network=settings)).eval().requires_grad_(False)
        network.load_state_dict(weights)
    batch, rows, columns = torch.export.Dim("batch"), torch.export.Dim("h"), torch.export.Dim("w")
    count, channels, *cells = EXAMPLE
    example = torch.zeros(count, channels, *(card.stride * side for side in cells))
    try:
        with _quiet():
            program = torch.onnx.export(
                LastAnswer(network), (example,), dynamo=True, opset_version=OPSET, verbose=False, external_data=False,
                input_names=[INPUT], output_names=[HEATMAPS, PAFS],
                dynamic_shapes={"x": {0: batch, 2: card.stride * rows, 3: card.stride * columns}},
            )  # fmt: skip
    except Exception as error:  # of any kind: the exporter is several libraries deep
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ExportError(f"PyTorch {torch.__version__} cannot export the network of {card.name}: {reason}") from error
    assert program is not None
    model = program.model_proto
    _tidy(model, card)
    left = sorted({node.op_type for node in model.graph.node if "Normalization" in node.op_type})
    if left:
        raise ExportError(f"the network of {card.name} still has {', '.join(left)}; expected it to be folded")
    onnx.checker.check_model(model, full_check=True)
    return model


def convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions, from input to output."""
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def producers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor, by the tensor's name."""
    return {name: node for node in model.graph.node for name in node.output}


def _tidy(model: onnx.ModelProto, card: Card) -> None:
    """Readable names, the contract of sizes at both ends, and nothing of the machine that exported."""
    graph = model.graph
    named: set[str] = set()
    for node in graph.node:
        weight = node.input[1] if node.op_type == "Conv" else ""
        name = weight.removeprefix("network.").removesuffix(".weight").removesuffix(".conv")
        if name and name not in named:  # two layers of equal weights share them
            node.name = name
            named.add(name)
    for thing in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        thing.ClearField("metadata_props")  # the exporter's notes: lines of Python and paths
        thing.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.ClearField("functions")
    graph.ClearField("value_info")  # shapes between the ends follow from them, and are inferred by whoever reads
    graph.name = card.name
    step = "" if card.stride == 1 else f"{card.stride}*"
    _name_sizes(graph.input[0], {0: "batch", 2: f"{step}h", 3: f"{step}w"})
    for output in graph.output:
        _name_sizes(output, {0: "batch", 2: "h", 3: "w"})


def _name_sizes(value: Any, names: Mapping[int, str]) -> None:
    for axis, name in names.items():
        value.type.tensor_type.shape.dim[axis].dim_param = name


@contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch's exporter warns of what is not needed here, and of itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
