"""A float32 graph in float16: every number within is of that type, what goes in and comes out stays float32.

TensorRT 11 and TensorRT for RTX choose no precision of their own: they compute in the types that the file states.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from openpose_ros.export import ExportError
from openpose_ros.export.equalise import largest

Floats = npt.NDArray[np.float32]

LARGEST = float(np.finfo(np.float16).max)


def check_range(model: onnx.ModelProto, inputs: Iterable[Floats]) -> None:
    """Raise an ExportError when a tensor of the float32 graph goes beyond float16 on one of these inputs.

    A CPU does not show it, because it computes such a file in float32; a GPU answers with infinity.
    """
    for name, values in largest(model, [node.output[0] for node in model.graph.node], inputs).items():
        _check(name, float(values.max()))


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the graph in float16, with a cast behind its input and before each output.

    Raises:
        ExportError: a weight is beyond float16's range, or an operator takes float32 alone where it gets float16.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    only_float = _float_only(result)
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name in only_float:
            continue
        values = numpy_helper.to_array(tensor)
        _check(tensor.name, float(np.abs(values).max(initial=0.0)))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    inside = {value.name: f"{value.name}/half" for value in [*graph.input, *graph.output]}
    for node in graph.node:
        node.input[:] = [inside.get(name, name) for name in node.input]
        node.output[:] = [inside.get(name, name) for name in node.output]
    nodes = [
        *(_cast(value.name, inside[value.name], TensorProto.FLOAT16) for value in graph.input),
        *graph.node,
        *(_cast(inside[value.name], value.name, TensorProto.FLOAT) for value in graph.output),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    try:
        onnx.checker.check_model(result, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the network cannot be written in float16: {' '.join(str(error).split())}") from None
    return result


def rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float32 graph that answers as a GPU does to this float16 one, for programs that compute it in float32.

    What goes in and what every operator answers is rounded to float16; the sums within an operator are not, as in the
    matrix units of GPUs.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    ends = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if ends & set(node.output):
            continue  # a cast of what is rounded already
        if node.op_type == "Cast":
            next(given for given in node.attribute if given.name == "to").i = TensorProto.FLOAT
            node.name = f"{node.name}/exact"
        for place, name in enumerate(node.output):
            exact, rounded = f"{name}/exact", f"{name}/rounded"
            node.output[place] = exact
            nodes += [_cast(exact, rounded, TensorProto.FLOAT16), _cast(rounded, name, TensorProto.FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.ClearField("value_info")
    onnx.checker.check_model(result, full_check=True)
    return result


def _check(name: str, reached: float) -> None:
    if not reached <= LARGEST:
        raise ExportError(f"{name} reaches {reached:g}, and float16 ends at {LARGEST:g}: the network does not fit it")


def _float_only(model: onnx.ModelProto) -> set[str]:
    """Tensors read where an operator knows no float16, such as the factors of Resize."""
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    found = set()
    for node in model.graph.node:
        expected = onnx.defs.get_schema(node.op_type, opset, node.domain).inputs
        for place, name in enumerate(node.input):
            if "tensor(float16)" not in expected[min(place, len(expected) - 1)].types:
                found.add(name)
    return found


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"{target}/cast", to=kind)
