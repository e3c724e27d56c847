"""Which layer of a foreign file is which parameter of ours. A table and its check: nothing missing, nothing unused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError

Table = dict[str, npt.NDArray[np.float32]]


def human_pose_estimation_0001(refinements: int = 1) -> dict[str, str]:
    """Layer of Open Model Zoo's human-pose-estimation-0001 -> convolution of ``networks.lightweight``.

    The PAFs are its branch L1, the heatmaps L2; its ``red`` and ``inc`` are the 1x1 convolutions before and behind
    the narrow part's separable ones.
    """
    names = {"conv1": "backbone.conv1"}
    separable = ["2_1", "2_2", "3_1", "3_2", "4_1", "4_2", *(f"5_{number}" for number in range(1, 6))]
    for part in separable:
        names[f"conv{part}/dw"] = f"backbone.conv{part}.depthwise"
        names[f"conv{part}/sep"] = f"backbone.conv{part}.pointwise"
    names |= {
        "conv4_3_CPM/al": "narrow.align",
        "conv4_3_CPM/red": "narrow.reduce",
        "conv4_3_CPM/dw1": "narrow.trunk.0.depthwise",
        "conv4_3_CPM/dw1/1x1": "narrow.trunk.0.pointwise",
        "conv4_3_CPM/dw2": "narrow.trunk.1.depthwise",
        "conv4_3_CPM/dw2/1x1": "narrow.trunk.1.pointwise",
        "conv4_3_CPM/dw3": "narrow.trunk.2.depthwise",
        "conv4_3_CPM/inc": "narrow.trunk.2.pointwise",
        "conv4_4_CPM": "narrow.output",
    }
    for number in range(3):
        names[f"conv5_{number + 1}_CPM_L1"] = f"initial_stage.trunk.{number}"
    for head, branch in (("pafs", "L1"), ("heatmaps", "L2")):
        names[f"conv5_4_CPM_{branch}"] = f"initial_stage.{head}.0"
        names[f"conv5_5_CPM_{branch}"] = f"initial_stage.{head}.1"
    for stage in range(refinements):
        ours, theirs = f"refinement_stages.{stage}", f"stage{stage + 2}"
        for block in range(5):
            for part, layer in (("squeeze", "sq"), ("near", "3x3"), ("far", "3x3/2")):
                names[f"Mconv{block + 1}_{theirs}_L1/{layer}"] = f"{ours}.trunk.{block}.{part}"
        for head, branch in (("pafs", "L1"), ("heatmaps", "L2")):
            names[f"Mconv6_{theirs}_{branch}"] = f"{ours}.{head}.0"
            names[f"Mconv7_{theirs}_{branch}"] = f"{ours}.{head}.1"
    return names


def renamed(layers: Table, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], source: Path) -> Table:
    """Foreign weights under our names.

    Args:
        layers: ``<layer>/weight`` and ``<layer>/bias``, as the readers give them.
        names: foreign layer -> our convolution.
        shapes: shape of each parameter of our network.
        source: the file, for the text of errors.

    Raises:
        WeightsError: a weight is missing or unused, or has another shape than the network's parameter.
    """
    ours = {f"{theirs}/{kind}": f"{own}.conv.{kind}" for theirs, own in names.items() for kind in ("weight", "bias")}
    wanted = {theirs: own for theirs, own in ours.items() if own in shapes}
    missing, unused = [name for name in wanted if name not in layers], [name for name in layers if name not in wanted]
    if missing or unused:
        raise WeightsError(f"{source} does not hold this network: {difference(missing, unused)}")
    for theirs, own in wanted.items():
        if layers[theirs].shape != shapes[own]:
            raise WeightsError(f"{source}: {theirs} has shape {layers[theirs].shape}; the network needs {shapes[own]}")
        if not np.isfinite(layers[theirs]).all():
            raise WeightsError(f"{source}: {theirs} holds numbers that are not finite")
    return {own: layers[theirs] for theirs, own in wanted.items()}


def difference(missing: list[str], unused: list[str]) -> str:
    """What is missing and what is unused, in words; long lists are cut."""
    parts = []
    for what, names in (("missing", missing), ("unused", unused)):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            parts.append(f"{what} {', '.join(names[:5])}{more}")
    return "; ".join(parts)
