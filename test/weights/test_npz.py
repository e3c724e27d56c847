"""NumPy archives of layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpose_ros.weights import WeightsError, npz


def test_layers_come_back_as_float32(tmp_path: Path) -> None:
    weight = np.arange(8, dtype=np.float16).reshape(2, 1, 2, 2)
    np.savez(tmp_path / "a.npz", **{"conv/dw/weight": weight, "conv/dw/bias": np.ones(2)})
    tables = npz.read(tmp_path / "a.npz")
    assert set(tables) == {"conv/dw/weight", "conv/dw/bias"}
    np.testing.assert_array_equal(tables["conv/dw/weight"], weight.astype(np.float32))
    assert tables["conv/dw/bias"].dtype == np.float32


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    np.savez(tmp_path / "a.npz", **{"conv/weight": np.ones(1000, np.float32)})
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(WeightsError, match="not readable as a NumPy archive"):
        npz.read(tmp_path / "a.npz")


def test_a_damaged_entry_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", **{"conv/weight": np.random.default_rng(0).random(1000)})
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[500:520] = bytes(20)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(WeightsError, match="not readable as a NumPy archive"):
        npz.read(tmp_path / "a.npz")


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(WeightsError, match="not readable as a NumPy archive"):
        npz.read(tmp_path / "a.npz")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"conv/weight": np.array([{"danger": 1}], object)})
    with pytest.raises(WeightsError, match="allow_pickle"):
        npz.read(tmp_path / "a.npz")


@pytest.mark.parametrize(("name", "value"), [("conv", np.ones(2)), ("conv/weight", np.ones(2, np.int8))])
def test_what_is_no_layer_is_named(tmp_path: Path, name: str, value: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", **{name: value})
    with pytest.raises(WeightsError, match=f"entry '{name}'"):
        npz.read(tmp_path / "a.npz")
