"""Reads the layers of a NumPy archive with ``<layer>/weight`` and ``<layer>/bias``; nothing in it is executed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError


def read(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Weights (O, I / groups, kh, kw) and biases (O,) by ``<layer>/weight`` and ``<layer>/bias``.

    Raises:
        WeightsError: the file is not such an archive, is cut short, or holds something else than numbers.
    """
    tables = {}
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it is a single array")
        with archive:
            for name in archive.files:
                tables[name] = archive[name]
    except (OSError, ValueError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(f"{path} is not readable as a NumPy archive: {' '.join(str(error).split())}") from None
    for name, table in tables.items():
        if not name.endswith(("/weight", "/bias")) or table.dtype.kind != "f":
            raise WeightsError(
                f"{path}: entry {name!r} of type {table.dtype}; expected numbers named LAYER/weight or LAYER/bias"
            )
    return {name: table.astype(np.float32) for name, table in tables.items()}
