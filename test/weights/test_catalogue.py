"""The int8 file of a network: beside its card or in the cache, and of these very weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.catalogue import cache_folder, int8_card


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def put(folder: Path, name: str, network: dict[str, str], content: bytes = b"weights") -> Card:
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.bin"
    weights.write_bytes(content)
    card = Card(name, network, COCO_18, weights=weights, sha256=file_digest(weights))
    card.save(folder / f"{name}.yaml")
    return Card.load(folder / f"{name}.yaml")


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return put(tmp_path / "models", "some", {"type": "lightweight"})


def twin(folder: Path, of: str) -> Card:
    return put(folder, "some-int8", {"type": "graph", "precision": "int8", "of": of}, b"int8")


def test_the_file_beside_the_card_goes_before_that_in_the_cache(card: Card) -> None:
    assert card.path is not None
    kept = twin(cache_folder(), card.sha256)
    assert int8_card(card) == kept
    beside = twin(card.path.parent, card.sha256)
    assert int8_card(card) == beside


def test_a_file_of_other_weights_is_passed_over(card: Card) -> None:
    assert card.path is not None
    twin(card.path.parent, "0" * 64)
    with pytest.raises(CardError, match=r"some has no file in int8 \(.*some-int8.yaml was made of other weights\)"):
        int8_card(card)
    kept = twin(cache_folder(), card.sha256)
    assert int8_card(card) == kept


def test_the_sentence_holds_the_command_that_makes_it(card: Card) -> None:
    with pytest.raises(CardError, match=f"export --model {card.path} --precision int8 --calibration"):
        int8_card(card)
