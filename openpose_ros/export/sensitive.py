"""Which convolutions stay in float so that an int8 graph answers closely enough: those whose rounding disturbs most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import onnx

from openpose_ros.export import ExportError
from openpose_ros.export.quantise import in_float, in_int8
from openpose_ros.export.referee import Session

Floats = npt.NDArray[np.float32]

RANKED_ON = 4
"""Inputs on which each convolution is tried alone."""


def spared(
    model: onnx.ModelProto,
    original: onnx.ModelProto,
    inputs: Sequence[Floats],
    tolerance: float,
    say: Callable[[str], None],
) -> tuple[onnx.ModelProto, list[str]]:
    """The int8 graph with as few convolutions in float32 as its answers ask for, and their names.

    Each convolution is put into int8 alone, and that alone disturbs the fields by so much; errors of several add up
    like noise, so that the worst ones are the ones to spare.

    Args:
        model: the int8 graph.
        original: the float32 graph that it was made of.
        inputs: (B, 3, H, W) of the graph.
        tolerance: largest difference of heatmaps or PAFs, relative as :func:`difference` says.
        say: hears how it goes.

    Raises:
        ExportError: not even one convolution could stay in int8.
    """
    true = _answers(original, inputs)
    gap = difference(_answers(model, inputs), true)
    if gap <= tolerance:
        return model, []
    names = in_int8(model)
    say(f"int8 answers {gap:.3f} off, beyond {tolerance:g}: each of its {len(names)} convolutions is tried alone")
    few = inputs[:RANKED_ON]
    alone = {
        name: difference(
            _answers(in_float(model, original, [other for other in names if other != name]), few), true[: len(few)]
        )
        for name in names
    }
    worst = sorted(names, key=lambda name: -alone[name])
    for count in range(1, len(worst)):
        partly = in_float(model, original, worst[:count])
        gap = difference(_answers(partly, inputs), true)
        if gap <= tolerance:
            return partly, worst[:count]
    raise ExportError(f"int8 answers more than {tolerance:g} off even with all but one convolution in float32")


def difference(found: Sequence[Sequence[Floats]], expected: Sequence[Sequence[Floats]]) -> float:
    """How far heatmaps or PAFs, whichever are worse, are off: the root mean square of the difference by that of what is
    expected, over all answers.

    Args:
        found: for each input heatmaps, best without the background, which is bright everywhere, and PAFs, of any shape.
        expected: the same.
    """
    gaps = []
    for kind in range(2):
        pairs = [(one[kind], true[kind]) for one, true in zip(found, expected, strict=True)]
        off = sum(float(np.square(one - true, dtype=np.float64).sum()) for one, true in pairs)
        whole = sum(float(np.square(true, dtype=np.float64).sum()) for _, true in pairs)
        gaps.append((off / max(whole, 1e-30)) ** 0.5)
    # NaN compares as nothing, and must not pass for small.
    return max(gap if np.isfinite(gap) else float("inf") for gap in gaps)


def _answers(model: onnx.ModelProto, inputs: Sequence[Floats]) -> list[list[Floats]]:
    """Heatmaps without the background, and PAFs."""
    session = Session(model)
    answers = (session(given) for given in inputs)
    return [[heatmaps[:, :-1], pafs] for heatmaps, pafs in answers]
