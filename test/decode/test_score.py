"""The score of a person: evidence in 0..1, or what such evidence was worth on annotated photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.card import Card, CardError
from openpose_ros.decode.score import LearnedScore, evidence, features, load_person_score, mirrored
from openpose_ros.people import People
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton


def someone(count: int = 5, skeleton: Skeleton = COCO_18, seed: int = 0) -> People:
    """People of random scores, as a decoder finds them."""
    random = np.random.default_rng(seed)
    joints, limbs = len(skeleton.joints), len(skeleton.limbs)
    xy = random.uniform(0, 100, (count, joints, 2))
    xy[random.random((count, joints)) < 0.3] = np.nan
    people = People.from_arrays(skeleton, xy, (480, 640), random.random((count, joints)))
    held = random.normal(0.6, 0.4, (count, limbs)).astype(np.float32)  # fields overshoot on both sides
    return replace(people, limb_score=np.where(random.random(held.shape) < 0.3, np.float32(0), held))


def learned(skeleton: Skeleton = COCO_18, neurons: int = 7, seed: int = 0) -> LearnedScore:
    random = np.random.default_rng(seed)
    rows = 2 * (len(skeleton.joints) + len(skeleton.limbs)) + 1
    return LearnedScore(
        random.normal(0, 1, (rows, neurons)).astype(np.float32), random.normal(0, 1, neurons + 1).astype(np.float32)
    )


def card(folder: Path, skeleton: Skeleton = COCO_18) -> Card:
    return Card("c", {}, skeleton, person_score=folder / "score.safetensors", path=folder / "c.yaml")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([COCO_18, BODY_25, MPI_15]))
def test_evidence_is_a_share_between_nothing_and_everything(seed: int, skeleton: Skeleton) -> None:
    people = someone(6, skeleton, seed)
    share = evidence(people)
    assert share.dtype == np.float32
    assert share.shape == (6,)
    assert ((share >= 0) & (share <= 1)).all()
    more = replace(people, score=np.minimum(people.score + 0.1, 1.0).astype(np.float32))
    assert (evidence(more) > share).all()


@pytest.mark.parametrize(("heat", "held", "share"), [(1, 1, 1.0), (0, 0, 0.0), (1, 0, 18 / 37), (0.5, 5, 28 / 37)])
def test_evidence_counts_every_joint_and_limb_once(heat: float, held: float, share: float) -> None:
    people = People.from_arrays(COCO_18, np.zeros((1, 18, 2)), (9, 9), np.full((1, 18), heat))
    people = replace(people, limb_score=np.full((1, 19), held, np.float32))
    assert evidence(people).tolist() == [pytest.approx(share)]


def test_nobody_has_no_scores() -> None:
    nobody = replace(People.empty(COCO_18, (9, 9)), limb_score=np.empty((0, 19), np.float32))
    assert evidence(nobody).shape == (0,)
    assert features(nobody).shape == (0, 74)
    assert learned()(nobody).shape == (0,)


def test_people_that_no_decoder_found_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="people without limb scores cannot be scored"):
        evidence(People.from_arrays(COCO_18, np.zeros((1, 18, 2)), (9, 9)))


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25, MPI_15], ids=lambda skeleton: skeleton.name)
def test_features_in_a_mirror_are_those_of_the_mirrored_people_and_twice_the_same(skeleton: Skeleton) -> None:
    people = someone(4, skeleton)
    rows = features(people)
    assert rows.shape == (4, 2 * (len(skeleton.joints) + len(skeleton.limbs)))
    turned = replace(
        people,
        score=people.score[:, list(skeleton.mirrored)],
        limb_score=people.limb_score[:, list(skeleton.mirrored_limbs)],
    )
    np.testing.assert_array_equal(mirrored(rows, skeleton), features(turned))
    np.testing.assert_array_equal(mirrored(mirrored(rows, skeleton), skeleton), rows)
    assert not np.array_equal(mirrored(rows, skeleton), rows)


def test_a_learned_score_lies_between_zero_and_one_whatever_was_learned() -> None:
    loud = replace(learned(), output=1000 * learned().output)
    with np.errstate(over="ignore"):
        score = loud(someone(50))
    assert score.dtype == np.float32
    assert ((score >= 0) & (score <= 1)).all()


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda skeleton: skeleton.name)
def test_a_learned_score_is_read_back_as_it_was_saved(tmp_path: Path, skeleton: Skeleton) -> None:
    score, people = learned(skeleton), someone(8, skeleton)
    score.save(tmp_path / "score.safetensors")
    np.testing.assert_array_equal(load_person_score(card(tmp_path, skeleton))(people), score(people))


def test_a_card_without_a_learned_score_goes_by_evidence() -> None:
    assert load_person_score(Card("plain", {}, COCO_18)) is evidence


@pytest.mark.parametrize(
    "content", [None, b"", b"no tensors", b"\xff" * 100], ids=["missing", "empty", "text", "rubbish"]
)
def test_an_unreadable_score_is_named_with_its_card(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "score.safetensors").write_bytes(content)
    with pytest.raises(CardError) as caught:
        load_person_score(card(tmp_path))
    assert f"{tmp_path / 'score.safetensors'} named by {tmp_path / 'c.yaml'} is not readable" in str(caught.value)


def test_a_truncated_score_is_named(tmp_path: Path) -> None:
    place = tmp_path / "score.safetensors"
    learned().save(place)
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(CardError, match="is not readable"):
        load_person_score(card(tmp_path))


def test_a_score_of_other_tensors_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"hidden": np.zeros((75, 3), np.float32)}, tmp_path / "score.safetensors")
    with pytest.raises(CardError, match="output"):
        load_person_score(card(tmp_path))


@pytest.mark.parametrize(
    "score",
    [
        learned(BODY_25),
        LearnedScore(np.zeros((75, 3), np.float32), np.zeros(3, np.float32)),
        LearnedScore(np.zeros((75, 3), np.float32), np.zeros((4, 1), np.float32)),
    ],
    ids=["of another skeleton", "no bias", "no vector"],
)
def test_a_score_of_the_wrong_shape_is_refused(tmp_path: Path, score: LearnedScore) -> None:
    score.save(tmp_path / "score.safetensors")
    with pytest.raises(CardError, match=r"has shape .*; COCO-18 needs \(75, N\)"):
        load_person_score(card(tmp_path))


def test_a_score_without_two_dimensions_is_refused(tmp_path: Path) -> None:
    LearnedScore(np.zeros(75, np.float32), np.zeros(4, np.float32)).save(tmp_path / "score.safetensors")
    with pytest.raises(CardError, match="has shape"):
        load_person_score(card(tmp_path))
