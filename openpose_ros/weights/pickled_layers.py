"""Reads the layers of tf-openpose's .npy, a pickled table, without running what is in it.

NumPy knows but two ways, to refuse a pickle or to run it. Here it is read by an unpickler that knows arrays, their
types and plain containers, and refuses any other name.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table

KINDS = {"weights": "weight", "biases": "bias"}
"""Its names of a layer's tables, and ours."""

NUMPY_NAMES = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0] for core in ("core", "_core")},
}
"""All that a pickled table of arrays may name: the class, its element type and the function that makes an empty one."""


def read(path: Path) -> Table:
    """The layers of tf-openpose's ``.npy``: a table layer -> ``weights`` (HWIO) and ``biases``.

    Returns:
        ``<layer>/weight``, OIHW, and ``<layer>/bias``.

    Raises:
        WeightsError: the file is missing, torn, holds something else, or names something to execute.
    """
    try:
        with path.open("rb") as stream:
            held = _unpickled(stream)
        layers = {}
        for layer, tables in held.items():
            for kind, table in tables.items():
                if not isinstance(table, np.ndarray) or table.dtype.kind != "f":
                    raise ValueError(f"{layer}/{kind} is no table of numbers")
                table = table.transpose(3, 2, 0, 1) if table.ndim == 4 else table
                layers[f"{layer}/{KINDS.get(kind, kind)}"] = table.astype(np.float32)
    except Exception as error:  # of any kind: torn bytes break an unpickler anywhere
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(f"{path} is not readable as a table of layers: {reason}") from None
    return layers


def arrays(stream: IO[bytes]) -> list[Any]:
    """What a list holds that NumPy stored: an array of arrays, pickled, or, where all have one shape, their stack.

    Raises:
        ValueError, EOFError, pickle.UnpicklingError: it is something else, is torn, or names something to execute.
    """
    shape, kind = _header(stream)
    if len(shape) < 1:
        raise ValueError("it is a single value; expected a list of tables")
    if kind.hasobject:
        return list(_OnlyArrays(stream, encoding="latin1").load())
    values = np.frombuffer(stream.read(), kind)
    return list(values.reshape(shape))


def _unpickled(stream: BinaryIO) -> Any:
    shape, kind = _header(stream)
    if not kind.hasobject or shape != ():
        raise ValueError("it is an array of numbers; expected a single table of layers")
    return _OnlyArrays(stream, encoding="latin1").load().item()


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read_header(stream)
    return shape, kind


class _OnlyArrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        if (module, name) not in NUMPY_NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        return NUMPY_NAMES[module, name]


def _encoded(text: str, encoding: str) -> bytes:
    """How a pickle of protocol 2 writes bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes bytes by {encoding}")
    return text.encode("latin1")
