"""Tables of a foreign file -> parameters of ours, one by one: nothing missing, nothing unused, every shape right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table, difference


def places(names: Mapping[str, str], shapes: Iterable[str]) -> dict[str, str]:
    """Foreign table -> our parameter, for a network without batch normalisation.

    Args:
        names: foreign layer -> our convolution, or ``.activation`` of one where the layer is a PReLU.
        shapes: our parameters; what our network has not is left out.

    Returns:
        ``<layer>/weight`` and ``<layer>/bias`` -> parameter. The slopes of a PReLU are its weight.
    """
    found: dict[str, str] = {}
    for theirs, ours in names.items():
        module = ours if ours.endswith(".activation") else f"{ours}.conv"
        found |= {f"{theirs}/{kind}": f"{module}.{kind}" for kind in ("weight", "bias")}
    known = set(shapes)
    return {theirs: ours for theirs, ours in found.items() if ours in known}


def placed(tables: Table, where: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], source: str | Path) -> Table:
    """The tables under our names.

    Args:
        tables: all that the file holds.
        where: foreign table -> our parameter.
        shapes: shape of each parameter of our network.
        source: the file, for the text of errors.

    Raises:
        WeightsError: a table or a parameter is missing, a table is unused, has another shape than the parameter, or
            holds numbers that are not finite.
    """
    missing = [name for name in where if name not in tables]
    missing += sorted(set(shapes) - set(where.values()))
    unused = [name for name in tables if name not in where]
    if missing or unused:
        raise WeightsError(f"{source} does not hold this network: {difference(missing, unused)}")
    for theirs, ours in where.items():
        if tables[theirs].shape != shapes[ours]:
            raise WeightsError(f"{source}: {theirs} has shape {tables[theirs].shape}; the network needs {shapes[ours]}")
        if not np.isfinite(tables[theirs]).all():
            raise WeightsError(f"{source}: {theirs} holds numbers that are not finite")
    return {ours: np.ascontiguousarray(tables[theirs], np.float32) for theirs, ours in where.items()}
