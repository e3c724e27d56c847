"""A float32 graph in int8: explicit Q/DQ by ONNX Runtime's quantiser, in the form that TensorRT asks for.

QuantizeLinear and DequantizeLinear stand before a convolution, on its input and on its weights, and not between it
and its activation; symmetric, weights by channel, biases in float32 (TensorRT developer guide, "Explicit
Quantization"). OpenVINO reads the same file and computes in int8, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from openpose_ros.export import require
from openpose_ros.export.graph import producers
from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]


def quantised(model: onnx.ModelProto, inputs: Iterable[Floats], floats: Collection[str]) -> onnx.ModelProto:
    """The graph with its convolutions in int8, the range of each taken from these inputs.

    Args:
        model: float32, best with its channels equalised.
        inputs: (B, 3, H, W) of the graph, of any sizes.
        floats: names of convolutions that stay in float32.

    Raises:
        ExportError: ONNX Runtime's quantiser is missing.
    """
    require("onnxruntime.quantization")
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The inputs as the quantiser asks for them."""

        def __init__(self) -> None:
            self._inputs = iter(inputs)

        def get_next(self) -> dict[str, Floats] | None:
            given = next(self._inputs, None)
            return None if given is None else {model.graph.input[0].name: given}

    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    add_pre_process_metadata(prepared)  # else it warns that it would like to do what is done here already
    with TemporaryDirectory(prefix="openpose_ros") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(prepared, source)
        quantize_static(
            str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
            nodes_to_exclude=list(floats), calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
            },
        )  # fmt: skip
        result = onnx.load(target)
    result.producer_name, result.producer_version = model.producer_name, model.producer_version
    result.ClearField("metadata_props")
    result.graph.ClearField("value_info")
    _spare_others(result)
    onnx.checker.check_model(result, full_check=True)
    return result


def unfit(model: onnx.ModelProto) -> list[str]:
    """Convolutions that stay in float32 whatever their error is here, because OpenVINO adds to it.

    Those that read the image: its numbers are below zero as often as above, and on a CPU without VNNI instructions
    sums of such products overflow 16 bits (the bundled network loses 1 AP by it, and no time without).

    Those that read a Concat: OpenVINO 2026.4 takes what is joined for unsigned when one of the parts is, so that the
    others lose what they have below zero (the fields of the bundled network go wrong by a quarter).
    """
    made, image = producers(model), model.graph.input[0].name
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv"
        and (node.input[0] == image or (node.input[0] in made and made[node.input[0]].op_type == "Concat"))
    ]


def in_int8(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that multiply int8 numbers."""
    made = producers(model)
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] in made and made[node.input[1]].op_type == "DequantizeLinear"
    ]


def in_float(model: onnx.ModelProto, original: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """A copy of the int8 graph in which these convolutions are again those of the float32 graph it was made of."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    before = {node.name: node for node in original.graph.node if node.op_type == "Conv"}
    for node in result.graph.node:
        if node.op_type == "Conv" and node.name in names:
            node.input[:] = before[node.name].input
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    wanted = {name for node in before.values() if node.name in names for name in node.input[1:]}
    for tensor in original.graph.initializer:
        if tensor.name in wanted:
            if tensor.name in stored:
                stored[tensor.name].CopyFrom(tensor)
            else:
                result.graph.initializer.append(tensor)
    _drop_unread(result)
    return result


def unbiased(model: onnx.ModelProto, original: onnx.ModelProto, inputs: Iterable[Floats]) -> onnx.ModelProto:
    """A copy of the int8 graph whose rounding moves no channel on average (Nagel et al., arXiv 1906.04721, 4.2).

    The float32 graph runs with an int8 twin beside each convolution, and what the twin's channels lack in the mean
    is added to their biases.

    Args:
        model: the int8 graph.
        original: the float32 graph that it was made of.
        inputs: (B, 3, H, W) of the graph.
    """
    rounded = in_int8(model)
    if not rounded:
        return model
    together, outputs = _twins(model, original, rounded)
    session, sums, count = Session(together, outputs), [np.zeros(1, np.float32)] * len(outputs), 0
    for given in inputs:
        sums = [before + here for before, here in zip(sums, session(given), strict=True)]
        count += 1
    lacking = {name: total / max(count, 1) for name, total in zip(rounded, sums, strict=True)}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    for node in result.graph.node:
        if node.op_type == "Conv" and node.name in lacking and len(node.input) > 2:
            bias = stored[node.input[2]]
            bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + lacking[node.name], bias.name))
    return result


def _spare_others(model: onnx.ModelProto) -> None:
    """Let everything but convolutions read the tensors as they are: the quantiser rounds sums where one part is."""
    made = producers(model)
    for node in model.graph.node:
        if node.op_type in ("Conv", "QuantizeLinear", "DequantizeLinear"):
            continue
        for place, name in enumerate(node.input):
            restoring = made.get(name)
            if restoring is not None and restoring.op_type == "DequantizeLinear":
                node.input[place] = made[restoring.input[0]].input[0]


def _twins(
    model: onnx.ModelProto, original: onnx.ModelProto, names: Collection[str]
) -> tuple[onnx.ModelProto, list[str]]:
    """The float32 graph with int8 twins of these convolutions, and the outputs (C,) that say what the twins lack."""
    result = onnx.ModelProto()
    result.CopyFrom(original)
    graph = result.graph
    own = {tensor.name for tensor in graph.initializer}
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name not in own)
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3]), "twin/axes"))
    true = {node.name: node.output[0] for node in original.graph.node if node.op_type == "Conv"}
    outputs = []
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            graph.node.append(node)
        elif node.op_type == "Conv" and node.name in names:
            twin = graph.node.add()
            twin.CopyFrom(node)
            twin.name, twin.output[0] = f"{node.name}/twin", f"{node.name}/twin"
            lack, mean = f"{node.name}/lack", f"{node.name}/mean"
            graph.node.append(onnx.helper.make_node("Sub", [true[node.name], twin.output[0]], [lack]))
            graph.node.append(onnx.helper.make_node("ReduceMean", [lack, "twin/axes"], [mean], keepdims=0))
            outputs.append(mean)
    return result, outputs


def _drop_unread(model: onnx.ModelProto) -> None:
    """Remove nodes and constants that lead nowhere."""
    graph = model.graph
    read = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # a graph's nodes stand in the order of their computation
        if read.intersection(node.output):
            kept.append(node)
            read.update(node.input)
    constants = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
