"""Whatever is in a weight file, a reader reads it or says a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.weights import (
    WeightsError,
    caffe,
    frozen_graph,
    hyperpose,
    npz,
    pickled_layers,
    tensorflow_bundle,
    torch_file,
)

sys.path.insert(0, str(Path(__file__).parent))
from saved_model import field, write_saved_model

TABLE = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
FILES = 60


def old_checkpoint(path: Path) -> None:
    torch.save({"conv1_1.weight": torch.from_numpy(TABLE)}, path, _use_new_zipfile_serialization=False)


def layers(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array({"conv1_1": {"weights": TABLE, "biases": TABLE[0, 0, 0]}}, object), allow_pickle=True)


def unnamed(path: Path) -> None:
    params = np.empty(2, object)
    params[:] = [TABLE, TABLE[0, 0, 0]]
    with path.open("wb") as stream:
        np.savez(stream, params=params)


def named(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, **{"conv1/weight": TABLE, "conv1/bias": TABLE[0, 0, 0]})


def graph(path: Path) -> None:
    tensor = field(8, b"\x08\x01" + field(2, field(2, b"\x08\x02")) + field(4, bytes(8)))
    node = field(1, b"a/weights") + field(2, b"Const") + field(5, field(1, b"value") + field(2, tensor))
    path.write_bytes(field(1, node) + field(1, field(1, b"image") + field(2, b"Placeholder")))


def caffemodel(path: Path) -> None:
    blob = field(7, field(1, b"\x02\x02")) + field(5, bytes(16))
    path.write_bytes(field(100, field(1, b"conv1_1") + field(7, blob)))


def index(path: Path) -> None:
    folder = write_saved_model(path.with_suffix(".model"), {f"layer{n}/kernel": TABLE for n in range(20)}, block=200)
    path.write_bytes((folder / "variables" / "variables.index").read_bytes())


KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "a.pth": (lambda path: torch.save({"conv1_1.weight": torch.from_numpy(TABLE)}, path), torch_file.read_state),
    "old.pth": (old_checkpoint, torch_file.read_state),
    "a.npy": (layers, pickled_layers.read),
    "unnamed.npz": (unnamed, lambda path: hyperpose.looks_like(path) and hyperpose.read(path)),
    "named.npz": (named, npz.read),
    "a.pb": (graph, frozen_graph.constants),
    "a.caffemodel": (caffemodel, caffe.read),
    "a.index": (index, tensorflow_bundle.entries),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    write, read = KINDS[name]
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    read(path)
    generator = np.random.default_rng(1)
    told: list[str] = []
    for _ in range(FILES):
        damaged = bytearray(whole)
        if generator.random() < 0.3:
            del damaged[generator.integers(len(damaged)) :]
        for place in generator.integers(len(damaged), size=generator.integers(1, 9)) if damaged else ():
            damaged[place] = generator.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            read(path)
        except WeightsError as error:
            told.append(str(error))
    assert len(told) > FILES // 4
    assert all(str(path) in text for text in told)
