"""Channels of a graph brought to like sizes without changing what it answers, so that int8 can tell them apart.

A rectified channel that is divided by a number in one convolution and multiplied by it in the next is the same
(Nagel et al., arXiv 1906.04721, 4.1). Where the next is depthwise its factor costs nothing, because each channel of
its weight has an int8 step of its own; elsewhere activations and weights share the trouble evenly (Xiao et al., arXiv
2211.10438, 4.2). Without it the bundled network loses 49 of its 52 AP in int8: one channel reaches 800, most end at 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]

LIMIT = 1e3
"""No channel is scaled by more than this, either way."""


class Link(NamedTuple):
    """A convolution whose rectified output, ``tensor``, is read by other convolutions alone."""

    tensor: str
    first: onnx.NodeProto
    then: tuple[onnx.NodeProto, ...]


def links(model: onnx.ModelProto) -> list[Link]:
    """Where channels may be scaled."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    ends = {output.name for output in model.graph.output}
    found = []
    for node in model.graph.node:
        after = users.get(node.output[0], [])
        if node.op_type != "Conv" or [one.op_type for one in after] != ["Relu"]:
            continue
        tensor = after[0].output[0]
        then = users.get(tensor, [])
        if then and not ends & {tensor, node.output[0]} and all(one.op_type == "Conv" for one in then):
            found.append(Link(tensor, node, tuple(then)))
    return found


def largest(model: onnx.ModelProto, tensors: Iterable[str], inputs: Iterable[Floats]) -> dict[str, Floats]:
    """The largest magnitude in each channel (C,) of the named tensors, over all these inputs of the graph."""
    names = list(dict.fromkeys(tensors))
    session = Session(model, names)
    found: dict[str, Floats] = {}
    for given in inputs:
        for name, values in zip(names, session(given) if names else [], strict=True):
            here = np.abs(values).max((0, 2, 3))
            found[name] = np.maximum(found.get(name, here), here)
    return found


def equalised(model: onnx.ModelProto, sizes: Mapping[str, Floats]) -> onnx.ModelProto:
    """A copy of the float32 graph that answers the same, its channels of like sizes.

    Args:
        model: the graph.
        sizes: what ``largest`` gives for the tensors of ``links(model)``.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in result.graph.initializer}
    weights = {name: numpy_helper.to_array(tensor).copy() for name, tensor in tensors.items()}
    for link in links(result):
        readers = [node.input[1] for node in link.then]
        count = len(sizes[link.tensor])
        depthwise = all(weights[name].shape[:2] == (count, 1) for name in readers)
        if not depthwise and any(weights[name].shape[1] != count for name in readers):
            continue  # grouped otherwise, or of both kinds
        scale = _scale(sizes[link.tensor], [weights[name] for name in readers], depthwise)
        for name in link.first.input[1:]:
            weights[name] /= scale.reshape(-1, *[1] * (weights[name].ndim - 1))
        for name in dict.fromkeys(readers):
            weights[name] *= scale[:, None, None, None] if depthwise else scale[:, None, None]
    for name, tensor in tensors.items():
        tensor.CopyFrom(numpy_helper.from_array(weights[name], name))
    return result


def _scale(size: Floats, readers: list[Floats], depthwise: bool) -> Floats:
    """What each channel is divided by; 1 on average, and for channels that are never lit."""
    if depthwise:
        factor = size.astype(np.float64)
    else:
        reading = np.max([np.abs(weight).max((0, 2, 3)) for weight in readers], 0)
        factor = np.sqrt(size / np.maximum(reading, 1e-12), dtype=np.float64)
    lit = size > 0.0
    middle = float(np.median(factor[lit])) if lit.any() else 1.0
    return np.where(lit, factor / middle, 1.0).clip(1.0 / LIMIT, LIMIT).astype(np.float32)
