"""The network that the package brings along."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.weights.catalogue import int8_card
from openpose_ros.weights.default import default_model

MODEL = Path(__file__).resolve().parents[1] / "model"


@pytest.fixture(scope="module")
def card() -> Card:
    return Card.load(MODEL / "lightweight.yaml")


def test_it_runs_where_none_is_named(card: Card) -> None:
    assert Card.load(default_model()).sha256 == card.sha256


def test_its_files_are_whole_and_small(card: Card) -> None:
    weights = card.verified_weights()
    assert weights.stat().st_size < 20e6
    assert card.person_score is not None
    assert card.person_score.is_file()
    assert (MODEL / "NOTICE").is_file()


@pytest.fixture(scope="module")
def in_int8(card: Card) -> Card:
    return int8_card(card)


def test_its_file_in_int8_is_small_and_loses_half_an_ap_at_most(card: Card, in_int8: Card) -> None:
    files = card.verified_weights(), in_int8.verified_weights()
    assert files[1].parent == MODEL
    assert sum(file.stat().st_size for file in files) < 25e6
    assert in_int8.accuracy["AP"] >= card.accuracy["AP"] - 0.5


@pytest.mark.shared
def test_in_int8_it_says_of_photos_what_it_says_in_float32(
    card: Card, in_int8: Card, photos: list[npt.NDArray[np.uint8]]
) -> None:
    pytest.importorskip("openvino")
    answers = []
    for precision in ("float32", "int8"):
        estimator = Estimator.load(card.path or "", backend="openvino", precision=precision)
        found = [estimator.fields([photo]) for photo in photos]
        estimator.close()
        answers.append(np.concatenate([maps.ravel() for one in found for maps in (one.heatmaps[:, :-1], one.pafs)]))
    assert estimator.card == in_int8
    exact, rounded = answers
    assert 0.0 < np.linalg.norm(rounded - exact) < 0.12 * np.linalg.norm(exact)


def test_its_card_says_where_it_comes_from_and_what_it_is_worth(card: Card) -> None:
    assert card.licence == "Apache-2.0"
    assert "human-pose-estimation-0001" in card.source
    assert "COCO train2017" in card.notes
    assert 40.0 < card.accuracy["AP"] < 70.0
    assert 0.0 < card.min_person_score < 0.5


def test_it_finds_the_people_in_the_demo_s_photos(card: Card) -> None:
    skimage = pytest.importorskip("skimage", reason="needs scikit-image's photos")
    image = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    estimator = Estimator.load(card.path or "", backend="torch", precision="float32")
    people = estimator(image)
    people = people[people.person_score >= card.min_person_score]
    assert len(people) == 1
    nose = people.xy[0, people.skeleton.joint("nose")]
    np.testing.assert_allclose(nose, (215, 116), atol=8)
    small = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)
    assert len(estimator(small)) >= 1
    estimator.close()
