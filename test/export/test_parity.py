"""Two answers side by side: what is told, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx")

from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.estimator import Estimator
from openpose_ros.export import ExportError
from openpose_ros.export.parity import Answer, answer, compare
from openpose_ros.options import InputOptions

PHOTOS = [np.zeros((240, 320, 3), np.uint8), np.zeros((320, 240, 3), np.uint8)]


@pytest.fixture(scope="module")
def right() -> Answer:
    return answer(Estimator(SyntheticBackend(synthetic_card()), InputOptions(input_size="128")), PHOTOS)


def changed(given: Answer, heat: float = 1.0, limb: float = 1.0) -> Answer:
    fields = [replace(one, heatmaps=one.heatmaps * heat, pafs=one.pafs * limb) for one in given.fields]
    return Answer(fields, [people[1:] for people in given.people])


def test_the_same_answer_differs_by_nothing(right: Answer) -> None:
    found = compare("itself", right, right)
    assert found.difference == 0.0
    assert found.largest == found.mean == (0.0, 0.0)
    assert found.photos == 2
    assert found.expected == found.found == found.alike == 6
    assert found.apart == (0.0, 0.0)
    found.check(1e-9)
    assert "6 for 6, 6 the same" in str(found)


def test_what_differs_is_told_in_numbers_and_people(right: Answer) -> None:
    found = compare("another", changed(right, heat=0.9), right)
    assert found.difference == pytest.approx(0.1, rel=1e-4)
    joints = len(right.fields[0].skeleton.joints)
    assert found.largest[0] == pytest.approx(
        0.1 * max(one.heatmaps[:, :joints].max() for one in right.fields), rel=1e-4
    )
    assert found.largest[1] == 0.0
    assert (found.expected, found.found, found.alike) == (6, 4, 4)


@pytest.mark.parametrize("limb", [0.5, np.nan])
def test_an_answer_too_far_off_is_refused(right: Answer, limb: float) -> None:
    found = compare("spoiled", changed(right, limb=limb), right)
    with pytest.raises(
        ExportError, match=r"spoiled answers (0\.5|inf) off PyTorch, .*0\.1 is the most that is accepted"
    ):
        found.check(0.1)


def test_answers_without_people_can_be_compared(right: Answer) -> None:
    nobody = Answer(right.fields, [people[:0] for people in right.people])
    found = compare("blind", nobody, right)
    assert (found.expected, found.found, found.alike) == (6, 0, 0)
    assert "px apart" not in str(found)
