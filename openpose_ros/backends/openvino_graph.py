"""A card's network as OpenVINO reads it: built in PyTorch and handed over in memory, or a file that carries its own."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from openpose_ros.backends import BackendError
from openpose_ros.card import Card, CardError

# Importing OpenVINO and converting a network report usage over the internet unless the user has opted out. Without
# this module they do not.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
ov: Any = import_module("openvino")
preprocess: Any = import_module("openvino.preprocess")
operations: Any = import_module("openvino.opset13")


class Part(NamedTuple):
    """Channels of one of the network's outputs, the last one excluded."""

    output: int
    first: int
    last: int


class Graph(NamedTuple):
    """A network as OpenVINO reads it: the model, the order of axes at both ends, and where its answer stands."""

    model: Any
    input_layout: str
    layout: str
    heatmaps: Part
    pafs: Part


def read(card: Card) -> Graph:
    """The network of a card.

    Raises:
        BackendError: PyTorch is missing, or OpenVINO cannot read the file.
        CardError: the card's weights are missing or not what the card says.
    """
    return _from_file(card) if card.network["type"] == "graph" else _from_torch(card)


def _from_torch(card: Card) -> Graph:
    """The card's network, built in PyTorch and handed over in memory."""
    try:
        import torch

        from openpose_ros.networks.frozen import LastAnswer, frozen
        from openpose_ros.weights.store import load_network
    except ImportError as error:
        raise BackendError(
            f"the network of {card.name} is built in PyTorch, which cannot be imported ({error}): pip install torch"
        ) from None
    graph = frozen(LastAnswer(load_network(card)), torch.zeros(1, 3, 64, 64))
    model = ov.convert_model(graph, input=[ov.PartialShape([-1, 3, -1, -1])])
    return Graph(model, "NCHW", "NCHW", Part(0, 0, _channels(card)[0]), Part(1, 0, _channels(card)[1]))


def _from_file(card: Card) -> Graph:
    """The network that the card's weight file carries itself.

    The card's ``network`` names its ``input``, the ``layout`` of input and outputs (``NCHW`` or ``NHWC``), that of the
    input where it is another one (``input_layout``), and for ``heatmaps`` and ``pafs`` an ``output`` and in it the
    ``channels`` [first, last + 1].
    """
    path = card.verified_weights()
    entries = dict(card.network)
    layout = _layout(card, "layout", entries.get("layout"))
    input_layout = _layout(card, "input_layout", entries.get("input_layout", layout))
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot read {path}: {reason(error)}") from None
    inputs = [sorted(port.get_names()) for port in model.inputs]
    if len(inputs) != 1 or entries.get("input") not in inputs[0]:
        raise CardError(f"{card.path}: network input is {entries.get('input')!r}; {path.name} has {inputs}")
    outputs = [sorted(port.get_names()) for port in model.outputs]
    parts = []
    for name, count in zip(("heatmaps", "pafs"), _channels(card), strict=True):
        try:
            wanted, (first, last) = str(entries[name]["output"]), map(int, entries[name]["channels"])
        except (KeyError, TypeError, ValueError):
            raise CardError(f"{card.path}: network {name} needs an output and channels such as [0, 19]") from None
        found = [number for number, names in enumerate(outputs) if wanted in names]
        if not found:
            raise CardError(f"{card.path}: network {name} come from output {wanted!r}; {path.name} has {outputs}")
        there = model.outputs[found[0]].partial_shape[layout.index("C")]
        if last - first != count or first < 0 or (there.is_static and last > there.get_length()):
            raise CardError(f"{card.path}: network {name} are channels [{first}, {last}] of {there}; expected {count}")
        parts.append(Part(found[0], first, last))
    any_size = [-1, 3, -1, -1] if input_layout == "NCHW" else [-1, -1, -1, 3]
    try:
        model.reshape(ov.PartialShape(any_size))
    except RuntimeError as error:
        raise BackendError(f"{path} does not take images of any size: {reason(error)}") from None
    return Graph(model, input_layout, layout, *parts)


def _layout(card: Card, name: str, given: Any) -> str:
    if given not in ("NCHW", "NHWC"):
        raise CardError(f"{card.path}: network {name} is {given!r}; expected NCHW or NHWC")
    return str(given)


def _channels(card: Card) -> tuple[int, int]:
    """How many heatmaps and how many PAFs the skeleton asks for."""
    return len(card.skeleton.joints) + 1, 2 * len(card.skeleton.limbs)


def fed_with_bytes(graph: Graph, card: Card) -> Any:
    """The model with what lies before and behind it: (B, H, W, 3) uint8 BGR in, (B, channels, h, w) out."""
    around = preprocess.PrePostProcessor(graph.model)
    around.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    around.input().model().set_layout(ov.Layout(graph.input_layout))
    steps = around.input().preprocess().convert_element_type(ov.Type.f32)
    if card.channels == "RGB":
        steps = steps.custom(_red_first)
    if any(card.mean):
        steps = steps.mean(list(card.mean))
    if card.scale != (1.0, 1.0, 1.0):
        steps.scale([1.0 / factor for factor in card.scale])
    for number in range(len(graph.model.outputs)):
        around.output(number).model().set_layout(ov.Layout(graph.layout))
        around.output(number).tensor().set_layout(ov.Layout("NCHW")).set_element_type(ov.Type.f32)
    return around.build()


def _red_first(pixels: Any) -> Any:
    """(B, H, W, 3) blue, green, red -> red, green, blue.

    OpenVINO 2026 moves its own reversal into the first convolution, and loses it where the network also asks for the
    size of its input, as heads do that cut their answer to the picture. A multiplication stays where it is.
    """
    return operations.matmul(pixels, np.eye(3, dtype=np.float32)[::-1].copy(), False, False).output(0)


def reason(error: Exception) -> str:
    """The last line of OpenVINO's texts, which begin with places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
