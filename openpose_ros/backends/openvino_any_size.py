"""A network that was written for one size of input -> the same for any."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

ops: Any = import_module("openvino.opset13")


def freed(model: Any, layout: str) -> None:
    """Let what a network enlarges follow the size of its input, which need not stay the one it was written for.

    Converters write the target of an enlargement down as numbers. Where they are an even part of the input's sides,
    as those of a network with a stride are, that part is taken of any input, rounded up as strided layers do.

    Args:
        model: OpenVINO's; changed in place. One whose input's size is open stays as it is.
        layout: of the input, ``NCHW`` or ``NHWC``.
    """
    port = model.inputs[0]
    axes = [layout.index("H"), layout.index("W")]
    sides = [port.partial_shape[axis] for axis in axes]
    if not all(side.is_static for side in sides):
        return
    fixed = [side.get_length() for side in sides]
    written = [operation for operation in model.get_ordered_ops() if operation.get_type_name() == "Interpolate"]
    for operation in written:
        target = operation.input_value(1).get_node()
        if target.get_type_name() != "Constant" or operation.get_attributes()["shape_calculation_mode"] != "sizes":
            continue
        part = _part_of(fixed, [int(side) for side in target.get_data()])
        if part:
            shape = ops.gather(ops.shape_of(port.get_node(), "i32"), np.array(axes, np.int32), np.int32(0))
            rounded_up = ops.divide(ops.add(shape, np.int32(part - 1)), np.int32(part))
            operation.input(1).replace_source_output(rounded_up.output(0))


def _part_of(sides: list[int], target: list[int]) -> int:
    """The whole number that divides both sides into a target's; 0 where there is none."""
    if len(target) != len(sides) or min(target) < 1:
        return 0
    parts = {side // part if side % part == 0 else 0 for side, part in zip(sides, target, strict=True)}
    return parts.pop() if len(parts) == 1 else 0
