"""hyperpose's .npz, written here in TensorLayer's order, against the same weights put through its layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor
from torch.nn import functional

from openpose_ros.card import Card
from openpose_ros.weights import WeightsError, hyperpose
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network

Tables = list[npt.NDArray[np.float32]]

NARROW = {"backbone": {"type": "vgg19", "width": 1 / 16}}
TRUNK = (4, 4, 0, 8, 8, 0, 16, 16, 16, 16, 0, 32, 32)
"""Of the backbone at a sixteenth of its width; 0 is a pool."""


@pytest.fixture(autouse=True)
def narrow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = {**hyperpose.NETWORK["stages"], "width": 1 / 16}
    monkeypatch.setattr(hyperpose, "NETWORK", {**hyperpose.NETWORK, **NARROW, "stages": stages})


def written() -> tuple[Tables, Tables]:
    """The tables of the backbone and those behind it: filters HWIO, biases, and of stages the logits of slopes."""
    generator = np.random.default_rng(0)

    def conv(inputs: int, outputs: int, kernel: int) -> Tables:
        spread = (2.0 / (inputs * kernel * kernel)) ** 0.5
        filters = generator.normal(0.0, spread, (kernel, kernel, inputs, outputs)).astype(np.float32)
        return [filters, generator.normal(0.0, 0.1, outputs).astype(np.float32)]

    backbone: Tables = []
    channels = 3
    for outputs in filter(None, TRUNK):
        backbone += conv(channels, outputs, 3)
        channels = outputs
    rest = conv(32, 16, 3) + conv(16, 8, 3)
    for stage in range(6):
        for outputs in (19, 38):
            seen = 8 if stage == 0 else 8 + 19 + 38
            layers = [(seen, 8, 3), (8, 8, 3), (8, 8, 3), (8, 32, 1), (32, outputs, 1)]
            if stage:
                layers = [(seen, 8, 7), *[(8, 8, 7)] * 4, (8, 8, 1), (8, outputs, 1)]
            for inputs, wide, kernel in layers:
                rest += conv(inputs, wide, kernel)
                rest.append(generator.normal(0.0, 1.0, wide).astype(np.float32))
    return backbone, rest


def reference(backbone: Tables, rest: Tables, image: Tensor) -> tuple[Tensor, Tensor]:
    """(heatmaps, PAFs): a stage sees features, heatmaps and PAFs."""
    left = [torch.from_numpy(table) for table in (*backbone, *rest)]

    def conv(x: Tensor) -> Tensor:
        filters, bias = left.pop(0), left.pop(0)
        return functional.conv2d(x, filters.permute(3, 2, 0, 1), bias, padding=filters.shape[0] // 2)

    x = image
    for outputs in TRUNK:
        x = torch.relu(conv(x)) if outputs else functional.max_pool2d(x, 2)
    features = seen = torch.relu(conv(torch.relu(conv(x))))
    for stage in range(6):
        ends = []
        for _ in range(2):
            y = seen
            for _ in range(7 if stage else 5):
                y = conv(y)
                y = torch.relu(y) - torch.sigmoid(left.pop(0)).reshape(-1, 1, 1) * torch.relu(-y)
            ends.append(y)
        seen = torch.cat([features, *ends], 1)
    assert not left
    return ends[0], ends[1]


def saved(path: Path, tables: Tables, named: bool) -> Path:
    if named:
        kinds = {4: "filters", 1: "biases"}
        np.savez(path, **{f"layer_{n}/{kinds[table.ndim]}:0": table for n, table in enumerate(tables)})
        return path
    params = np.empty(len(tables), dtype=object)
    params[:] = tables
    np.savez(path, params=params)
    return path


@pytest.mark.parametrize("named", [False, True], ids=["a list", "with names"])
@pytest.mark.parametrize("twice", [False, True], ids=["once", "the backbone twice"])
def test_an_archive_answers_as_its_layers(tmp_path: Path, named: bool, twice: bool) -> None:
    backbone, rest = written()
    tables = [*backbone, *backbone, *rest] if twice else [*backbone, *rest]
    card = convert(saved(tmp_path / "newest_model.npz", tables, named), tmp_path / "new")
    assert (card.name, card.channels, card.scale) == ("hyperpose_openpose", "RGB", (1 / 255,) * 3)
    assert "Apache-2.0" in card.licence
    assert card.path is not None
    assert Card.load(card.path) == card
    image = torch.from_numpy(np.random.default_rng(1).normal(0.0, 0.3, (1, 3, 48, 64)).astype(np.float32))
    with torch.inference_mode():
        wanted, found = reference(backbone, rest, image), load_network(card)(image)[-1].both()
    for ours, theirs in zip(found, wanted, strict=True):
        assert theirs.std() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tables: tables[:-1], r"has 263 tables; hyperpose's OpenPose on VGG-19 has 264, or 20 more"),
        (lambda tables: [*tables, np.ones(3, np.float32)], "has 265 tables"),
        (lambda tables: [tables[0], np.ones(3, np.float32), *tables[2:]], r"conv1_1/bias has shape \(3,\)"),
        (lambda tables: [np.ones(3, np.int64), *tables[1:]], "something else than tables of numbers"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, change: Any, reason: str) -> None:
    backbone, rest = written()
    path = saved(tmp_path / "a.npz", change([*backbone, *rest]), named=False)
    with pytest.raises(WeightsError, match=reason):
        convert(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_a_list_that_would_execute_something_is_refused(tmp_path: Path) -> None:
    params = np.empty(2, dtype=object)
    params[:] = [Evil(tmp_path / "touched"), np.ones(3, np.float32)]
    np.savez(tmp_path / "evil.npz", params=params)
    with pytest.raises(WeightsError, match=r"it names pathlib.*, which is no array"):
        convert(tmp_path / "evil.npz", tmp_path / "new")
    assert not (tmp_path / "touched").exists()


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    backbone, rest = written()
    whole = saved(tmp_path / "whole.npz", [*backbone, *rest], named=False).read_bytes()
    (tmp_path / "torn.npz").write_bytes(whole[:-40])
    with pytest.raises(WeightsError, match=r"torn\.npz is not readable as"):
        convert(tmp_path / "torn.npz", tmp_path / "new")
