"""The card beside a weight file: read whole or refused in one sentence that names the file and the entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, SKELETONS, Skeleton

LEAST: dict[str, Any] = {"name": "little", "network": {"type": "lightweight"}, "skeleton": "COCO-18"}
HAND = Skeleton("hand", ("wrist", "left_thumb", "right_thumb"), ((0, 1), (0, 2)), frozenset({1}), (0.1, 0.2, 0.3))


def written(folder: Path, table: Any) -> Path:
    path = folder / "little.yaml"
    path.write_text(yaml.safe_dump(table))
    return path


def refusal(path: str | Path) -> str:
    """The one sentence with which a card is refused."""
    with pytest.raises(CardError) as caught:
        Card.load(path)
    told = str(caught.value)
    assert "\n" not in told
    return told


def test_three_entries_make_a_card(tmp_path: Path) -> None:
    card = Card.load(written(tmp_path, LEAST))
    assert card.name == "little"
    assert card.skeleton is COCO_18
    assert card.path == tmp_path / "little.yaml"
    assert card.weights is None
    assert (card.stride, card.channels, card.pad_value) == (8, "BGR", 128)


def test_a_card_is_found_from_its_weight_file(tmp_path: Path) -> None:
    written(tmp_path, LEAST)
    assert Card.load(tmp_path / "little.safetensors").name == "little"
    assert Card.load(str(tmp_path / "little.bin")).name == "little"


def test_files_are_found_beside_the_card_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**LEAST, "weights": "little.safetensors", "person_score": "little.score"}
    path = written(tmp_path, table)
    monkeypatch.chdir(tmp_path.parent)
    card = Card.load(path)
    assert card.weights == tmp_path / "little.safetensors"
    assert card.person_score == tmp_path / "little.score"


def test_one_number_stands_for_three_channels(tmp_path: Path) -> None:
    card = Card.load(written(tmp_path, {**LEAST, "mean": 127.5, "scale": [1, 2, 3]}))
    assert card.mean == (127.5, 127.5, 127.5)
    assert card.scale == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_skeleton_of_its_own_may_stand_beside_or_inside(tmp_path: Path, place: str) -> None:
    (tmp_path / "hand.yaml").write_text(yaml.safe_dump(HAND.to_mapping()))
    skeleton = "hand.yaml" if place == "beside" else HAND.to_mapping()
    assert Card.load(written(tmp_path, {**LEAST, "skeleton": skeleton})).skeleton == HAND


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), HAND], ids=lambda skeleton: skeleton.name)
def test_what_is_saved_is_loaded_again(tmp_path: Path, skeleton: Skeleton) -> None:
    path = tmp_path / "saved.yaml"
    card = Card(
        name="saved",
        network={"type": "lightweight", "channels": 16},
        skeleton=skeleton,
        stride=4,
        channels="RGB",
        mean=(1.0, 2.0, 3.0),
        scale=(0.1, 0.2, 0.3),
        pad_value=0,
        paf_offset=0.33,
        heat_offset=(0.1, -0.2),
        weights=tmp_path / "saved.safetensors",
        sha256="ab" * 32,
        min_person_score=0.25,
        min_joint_score=0.05,
        person_score=tmp_path / "saved.score.safetensors",
        licence="Apache-2.0",
        source="somewhere – with a dash",
        accuracy={"AP": 50.2, "split": "val"},
        notes="a note",
        path=path,
    )
    card.save(path)
    assert Card.load(path) == card


def test_a_saved_card_can_move_with_its_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    card = Card("moved", {"type": "lightweight"}, COCO_18, weights=first / "w.safetensors")
    card.save(first / "moved.yaml")
    first.rename(second)
    assert Card.load(second / "moved.yaml").weights == second / "w.safetensors"


def test_a_changed_copy_of_a_built_in_skeleton_keeps_its_changes(tmp_path: Path) -> None:
    changed = replace(MPI_15, filling=frozenset({0}))
    Card("changed", {"type": "lightweight"}, changed).save(tmp_path / "changed.yaml")
    assert Card.load(tmp_path / "changed.yaml").skeleton == changed


@pytest.mark.parametrize("name", ["nowhere.yaml", "nowhere.safetensors", "nowhere", "folder"])
def test_a_missing_card_is_named_with_what_was_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    told = refusal(tmp_path / name)
    assert str(tmp_path / Path(name).stem) in told
    assert "expected a card (.yaml) or a weight file beside its card" in told


@pytest.mark.parametrize("nothing", ["", ".", "/"])
def test_a_path_without_a_name_is_no_card(nothing: str) -> None:
    assert "no model card" in refusal(nothing)


@pytest.mark.parametrize(
    "content",
    [b"", b"- a\n- b\n", b"network: {", b"\x00\x01\x02", b"\xff\xfe\xfa", b"just words"],
    ids=["empty", "a list", "torn", "zeros", "no text", "words"],
)
def test_a_file_that_is_no_card_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "little.yaml"
    path.write_bytes(content)
    assert str(path) in refusal(path)


@pytest.mark.parametrize("name", ["name", "network", "skeleton"])
def test_a_missing_entry_is_named(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {key: value for key, value in LEAST.items() if key != name})
    assert refusal(path) == f"{path}: unknown entries [], missing entries ['{name}']"


@pytest.mark.parametrize("name", ["strides", "path"])
def test_an_unknown_entry_is_named(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {**LEAST, name: 8})
    assert refusal(path) == f"{path}: unknown entries ['{name}'], missing entries []"


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        ("network", "lightweight", "a table with an entry 'type'"),
        ("network", {"channels": 16}, "a table with an entry 'type'"),
        ("skeleton", "COCO-19", "COCO-18, COCO-17, BODY_25, MPI-15"),
        ("skeleton", {"name": "half"}, "missing keys ['joints', 'limbs']"),
        ("channels", "GBR", "one of BGR, RGB"),
        ("stride", 0, "a whole number from 1 to 64"),
        ("stride", 8.5, "a whole number from 1 to 64"),
        ("stride", "8", "a whole number from 1 to 64"),
        ("pad_value", 300, "0 to 255"),
        ("pad_value", "grey", ""),
        ("pad_value", None, ""),
        ("mean", [1, 2], "one number or three"),
        ("mean", "grey", ""),
        ("scale", [1, 2, "x"], ""),
        ("heat_offset", 0.1, ""),
        ("heat_offset", [0.1], ""),
        ("paf_offset", "a third", ""),
        ("paf_offset", None, ""),
        ("paf_offset", float("nan"), ""),
        ("min_person_score", 7.0, ""),
        ("min_person_score", "high", ""),
        ("min_joint_score", -1.0, ""),
    ],
)
def test_a_wrong_value_is_refused_with_file_entry_and_value(
    tmp_path: Path, entry: str, value: Any, expected: str
) -> None:
    path = written(tmp_path, {**LEAST, entry: value})
    told = refusal(path)
    assert told.startswith(f"{path}: ")
    assert entry in told
    assert expected in told


def test_the_thresholds_of_a_card_are_settings_of_the_decoder() -> None:
    card = Card("sure", {"type": "lightweight"}, COCO_18, min_person_score=0.3, min_joint_score=0.1)
    assert DecodeOptions.from_mapping(card.thresholds()) == DecodeOptions(min_person_score=0.3, min_joint_score=0.1)


def test_weights_that_are_those_of_the_card_are_found(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"0123456789")
    card = Card("w", {"type": "lightweight"}, COCO_18, weights=weights, sha256=file_digest(weights))
    assert card.verified_weights() == weights


def test_the_digest_is_sha256() -> None:
    assert file_digest(Path("/dev/null")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("content", [b"", b"01234567", b"0123456780", b"01234567890"])
def test_truncated_or_other_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"0123456789")
    digest = file_digest(weights)
    card = Card("w", {}, COCO_18, weights=weights, sha256=digest, path=tmp_path / "w.yaml")
    weights.write_bytes(content)
    with pytest.raises(CardError) as caught:
        card.verified_weights()
    told = str(caught.value)
    assert str(weights) in told
    assert str(card.path) in told
    assert digest[:12] in told
    assert file_digest(weights)[:12] in told


def test_missing_weights_are_named(tmp_path: Path) -> None:
    card = Card("w", {}, BODY_25, weights=tmp_path / "w.safetensors", path=tmp_path / "w.yaml")
    with pytest.raises(CardError, match=f"the weights {card.weights} named by {card.path} are missing"):
        card.verified_weights()


def test_a_card_without_weights_says_so() -> None:
    with pytest.raises(CardError, match="bare: the card names no weight file"):
        Card("bare", {}, COCO_18).verified_weights()
