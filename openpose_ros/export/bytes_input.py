"""A graph that takes a camera's bytes: what the card says about its input becomes the graph's first steps."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from openpose_ros.card import Card


def with_bytes(model: onnx.ModelProto, card: Card) -> onnx.ModelProto:
    """A copy of the graph whose input is (B, H, W, 3) uint8 BGR, to be normalised in float32 as the card says."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    given = graph.input[0]
    name, batch, _, rows, columns = given.name, *(axis.dim_param for axis in given.type.tensor_type.shape.dim)
    for node in graph.node:
        node.input[:] = [f"{name}/normalised" if part == name else part for part in node.input]
    steps = [
        helper.make_node("Cast", [name], [f"{name}/numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", [f"{name}/numbers"], [f"{name}/planes"], perm=[0, 3, 1, 2]),
    ]
    planes = f"{name}/planes"
    if card.channels == "RGB":
        graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), f"{name}/order"))
        steps.append(helper.make_node("Gather", [planes, f"{name}/order"], [f"{name}/ordered"], axis=1))
        planes = f"{name}/ordered"
    for part, values in (("mean", card.mean), ("scale", card.scale)):
        table = np.asarray(values, np.float32).reshape(1, 3, 1, 1)
        graph.initializer.append(numpy_helper.from_array(table, f"{name}/{part}"))
    steps += [
        helper.make_node("Sub", [planes, f"{name}/mean"], [f"{name}/centred"]),
        helper.make_node("Mul", [f"{name}/centred", f"{name}/scale"], [f"{name}/normalised"]),
    ]
    for step in steps:
        step.name = step.output[0]
    nodes = [*steps, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(name, TensorProto.UINT8, [batch, rows, columns, 3]))
    onnx.checker.check_model(result, full_check=True)
    return result
