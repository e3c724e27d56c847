"""Which network runs when none is named."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import default
from openpose_ros.weights.catalogue import cache_folder


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, nothing bundled, nothing beside the checkout."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "install"))
    monkeypatch.setattr(default, "ZOO_ARCHIVE", tmp_path / "none.npz")
    monkeypatch.setattr(default, "model_folders", lambda: [cache_folder(), tmp_path / "bundled"])


def put(folder: Path, name: str, content: bytes = b"weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.bin"
    weights.write_bytes(content)
    card = Card(name, {"type": "lightweight"}, COCO_18, weights=weights, sha256=file_digest(weights))
    card.save(folder / f"{name}.yaml")
    return folder / f"{name}.yaml"


def test_without_any_network_the_sentence_says_how_to_get_one() -> None:
    assert default.local_model() is None
    with pytest.raises(CardError, match=r"--model.*demo"):
        default.default_model()


def test_a_bundled_network_comes_first(tmp_path: Path) -> None:
    put(cache_folder(), default.ZOO)
    bundled = put(tmp_path / "bundled", "ours")
    assert default.default_model() == bundled


def test_a_bundled_network_in_int8_is_not_taken_for_it(tmp_path: Path) -> None:
    bundled = put(tmp_path / "bundled", "ours")
    put(tmp_path / "bundled", "ours-int8")
    assert default.default_model() == bundled


def test_a_converted_network_in_the_cache_is_found() -> None:
    converted = put(cache_folder(), default.ZOO)
    assert default.default_model() == converted


def test_a_torn_network_in_the_cache_is_passed_over() -> None:
    put(cache_folder(), default.ZOO)
    (cache_folder() / f"{default.ZOO}.bin").write_bytes(b"wei")
    assert default.local_model() is None


def test_weights_beside_the_checkout_are_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "float_weights.npz"
    source.write_bytes(b"foreign")
    monkeypatch.setattr(default, "ZOO_ARCHIVE", source)
    converted = []

    def convert(path: Path, folder: Path, name: str) -> None:
        converted.append(path)
        put(folder, name)

    monkeypatch.setattr("openpose_ros.weights.convert.convert", convert)
    first = default.default_model()
    assert default.default_model() == first == cache_folder() / f"{default.ZOO}.yaml"
    assert len(converted) == 1

    later = first.stat().st_mtime + 10
    os.utime(source, (later, later))
    default.default_model()
    assert len(converted) == 2, "newer weights are converted again"


def test_accuracy_is_told_as_the_card_has_it() -> None:
    card = Card("a", {"type": "graph"}, COCO_18)
    assert default.accuracy(card) == "accuracy not stated"
    assert default.accuracy(replace(card, accuracy={"AP": 28.1, "photos": "COCO val2014"})) == "28.1 AP on COCO val2014"
