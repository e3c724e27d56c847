"""The network that the package brings along."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
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
