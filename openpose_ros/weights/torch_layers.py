"""PyTorch's convolutions and the normalisations behind them -> tables without normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table

EPSILON = 1e-5
"""What PyTorch's normalisation adds to the variance, unless told otherwise."""

STATISTICS = ("weight", "bias", "running_mean", "running_var")


class Layer(NamedTuple):
    """A layer of a file and what it is here.

    Attributes:
        name: of the convolution in the file; of the normalisation itself where it stands alone.
        ours: the module.
        norm: name of the normalisation behind it; empty: none.
        transposed: a transposed convolution, whose weights have the inputs first.
    """

    name: str
    ours: str
    norm: str = ""
    transposed: bool = False


def where(layers: Sequence[Layer], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """``<layer>/weight`` and ``<layer>/bias`` -> parameter, as far as the network has it."""
    found = {
        f"{layer.name}/{part}": f"{layer.ours}.{'transposed' if layer.transposed else 'conv'}.{part}"
        for layer in layers
        for part in ("weight", "bias")
    }
    return {theirs: ours for theirs, ours in found.items() if ours in shapes}


def folded(
    state: Mapping[str, torch.Tensor], layers: Sequence[Layer], biased: Mapping[str, str] | None = None
) -> Table:
    """``<layer>/weight`` and ``<layer>/bias`` with the normalisation behind the layer taken in.

    A normalisation that stands alone becomes a factor (C, 1, 1, 1) and an offset a channel. What belongs to no layer
    stays under its own name.

    Args:
        state: tensors by name.
        layers: what to look for.
        biased: as :func:`where` gives it: a bias that is in there and not in the file is 0; None: all layers have one.

    Raises:
        WeightsError: a normalisation has another size than what it normalises.
    """
    left = {name: tensor.float().numpy() for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    made: Table = {}
    for layer in layers:
        statistics = [f"{layer.norm}.{part}" for part in STATISTICS]
        normalised = bool(layer.norm) and all(name in left for name in statistics)
        alone = layer.name == layer.norm
        weight = np.ones((left[statistics[0]].size, 1, 1, 1)) if alone and normalised else None
        if not alone and getattr(left.get(f"{layer.name}.weight"), "ndim", 0) == 4:
            weight = left.pop(f"{layer.name}.weight").astype(np.float64)
        if weight is None:
            continue
        outputs = weight.shape[1 if layer.transposed else 0]
        given = None if alone else left.pop(f"{layer.name}.bias", None)
        offset = np.zeros(outputs) if given is None else given.astype(np.float64)
        if normalised:
            gain, shift, mean, variance = (left.pop(name).astype(np.float64) for name in statistics)
            if not outputs == gain.size == shift.size == mean.size == variance.size:
                raise WeightsError(
                    f"the normalisation {layer.norm} does not fit the {outputs} channels of {layer.name}"
                )
            factor = gain / np.sqrt(variance + EPSILON)
            weight = weight * factor.reshape((1, -1, 1, 1) if layer.transposed else (-1, 1, 1, 1))
            offset = (offset - mean) * factor + shift
        made[f"{layer.name}/weight"] = weight.astype(np.float32)
        if given is not None or normalised or biased is None or f"{layer.name}/bias" in biased:
            made[f"{layer.name}/bias"] = offset.astype(np.float32)
    return made | left
