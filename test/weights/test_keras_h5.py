"""Keras's files: layers and tables by the names in its attributes, of either kind of file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openpose_ros.weights import WeightsError, keras_h5

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)


def write(path: Path, layers: dict[str, dict[str, Any]], inside: str = "/") -> Path:
    """As ``save_weights`` writes them; ``save`` has them in ``model_weights``."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        root = file.require_group(inside)
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, tables in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [table.encode() for table in tables]
            for table, values in tables.items():
                group.create_dataset(table, data=values)
    return path


@pytest.mark.parametrize("inside", ["/", "model_weights"])
@pytest.mark.parametrize("names", [("conv1_1/kernel:0", "conv1_1/bias:0"), ("conv1_1_W:0", "conv1_1_b:0")])
def test_layers_are_read_by_the_names_that_the_file_gives(tmp_path: Path, inside: str, names: tuple[str, str]) -> None:
    tables = dict(zip(names, (KERNEL, BIAS), strict=True))
    layers = keras_h5.read(write(tmp_path / "a.h5", {"input_1": {}, "conv1_1": tables}, inside))
    assert set(layers) == {"conv1_1/weight", "conv1_1/bias"}
    np.testing.assert_array_equal(layers["conv1_1/weight"], KERNEL.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(layers["conv1_1/bias"], BIAS)


def test_a_layer_that_is_no_convolution_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", {"dense": {"W:0": np.ones((3, 4)), "b:0": BIAS}})
    with pytest.raises(WeightsError, match=r"layer dense has tables of shape \(3, 4\), \(4,\)"):
        keras_h5.read(path)


@pytest.mark.parametrize("kept", [0, 10, -100])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    whole = write(tmp_path / "whole.h5", {"conv1_1": {"k": KERNEL, "b": BIAS}}).read_bytes()
    (tmp_path / "torn.h5").write_bytes(whole[:kept])
    with pytest.raises(WeightsError, match=r"torn\.h5 is not readable as weights of Keras"):
        keras_h5.read(tmp_path / "torn.h5")


def test_without_h5py_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match="needs the Python package h5py"):
        keras_h5.read(tmp_path / "a.h5")
