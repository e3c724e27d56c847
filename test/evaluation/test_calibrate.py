"""What is learned from annotated photos: a planted offset, threshold and relation are found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode.score import LearnedScore, evidence
from openpose_ros.evaluation import calibrate
from openpose_ros.evaluation.calibrate import fit_person_score, heat_offset, joint_threshold
from openpose_ros.grid import Grid
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18

SIZE = (480, 640)
GRID = Grid.short_side(*SIZE, 368, 8)
ORDER = list(COCO_18.order_in(COCO_17))


def annotations(truth: npt.NDArray[np.float64], visible: int = 2) -> list[dict[str, Any]]:
    """COCO's annotations of (P, 18, 2) people in source pixels."""
    rows = []
    for person in truth[:, ORDER] + 0.5:
        left, top, width, height = *person.min(0), *np.ptp(person, axis=0)
        rows.append(
            {
                "iscrowd": 0,
                "num_keypoints": 17,
                "bbox": [left, top, width, height],
                "area": 0.6 * width * height,
                "keypoints": np.concatenate([person, np.full((17, 1), float(visible))], 1).ravel().tolist(),
            }
        )
    return rows


def photos(count: int = 6) -> list[npt.NDArray[np.float64]]:
    return [crowd(3, *SIZE, seed=seed) for seed in range(count)]


def people(xy: npt.NDArray[np.float64], score: npt.ArrayLike | None = None) -> People:
    return People.from_arrays(COCO_18, xy, SIZE, score)


@pytest.mark.parametrize("planted", [(0.0, 0.0), (0.2, -0.1), (-0.35, 0.3)])
def test_a_planted_heat_offset_is_found(planted: tuple[float, float]) -> None:
    random = np.random.default_rng(0)
    truth = photos()
    found = []
    for xy in truth:
        cells = GRID.to_cells(xy) + planted + random.normal(0, 0.1, xy.shape)
        cells[:, 4] += 30.0  # a wrist on somebody else must not count
        found.append(people(GRID.to_image(cells)))
    across, down = heat_offset(found, [annotations(xy) for xy in truth], [GRID] * len(truth))
    assert (across, down) == pytest.approx(planted, abs=0.02)


def test_hidden_joints_do_not_tell_the_heat_offset() -> None:
    truth = photos(2)
    shifted = [people(GRID.to_image(np.add(GRID.to_cells(xy), 0.3))) for xy in truth]
    exact = [people(xy) for xy in truth]
    offset = heat_offset(
        [*shifted, *exact],
        [*(annotations(xy, visible=1) for xy in truth), *(annotations(xy) for xy in truth)],
        [GRID] * 4,
    )
    assert offset == pytest.approx((0.0, 0.0), abs=1e-3)


def test_photos_of_several_sizes_count_in_their_own_cells() -> None:
    grids = [Grid.short_side(*SIZE, side, 8) for side in (184, 368, 736)]
    truth = photos(3)
    found = [
        people(grid.to_image(np.add(grid.to_cells(xy), (0.2, 0.1)))) for xy, grid in zip(truth, grids, strict=True)
    ]
    assert heat_offset(found, [annotations(xy) for xy in truth], grids) == pytest.approx((0.2, 0.1), abs=1e-3)


def test_photos_in_which_nobody_was_found_teach_no_offset_and_say_so() -> None:
    nobody = People.empty(COCO_18, SIZE)
    with pytest.raises(ValueError, match="nobody|no people|no joint"):
        heat_offset([nobody], [annotations(photos(1)[0])], [GRID])


def test_a_planted_joint_threshold_is_found() -> None:
    random = np.random.default_rng(0)
    truth, found = photos(20), []
    for xy in truth:
        score = random.random(xy.shape[:2])
        off = (score < 0.3)[..., None] * 60.0  # joints of less than this score are wrong
        off[:, [2, 5, 8, 11]] = 0.0  # but the trunk holds everybody recognisable
        found.append(people(xy + off, score))
    threshold = joint_threshold(found, [annotations(xy) for xy in truth])
    assert threshold == pytest.approx(0.3, abs=0.03)


def test_where_every_joint_is_right_no_threshold_is_needed() -> None:
    truth = photos(2)
    assert joint_threshold([people(xy) for xy in truth], [annotations(xy) for xy in truth]) == 0.0


def test_a_threshold_that_would_drop_all_joints_is_still_a_number() -> None:
    # The surest joints are the wrong ones, just so, on a person who is recognised by the others.
    truth = crowd(1, *SIZE)
    size = np.sqrt(0.6 * np.prod(np.ptp(truth[0, ORDER], axis=0)))
    score, xy = np.full((1, 18), 0.1), truth.copy()
    for joint in ORDER[:9]:
        sigma = COCO_17.sigmas[ORDER.index(joint)]
        xy[0, joint, 0] += 2 * sigma * size * np.sqrt(2 * np.log(1 / 0.45))
        score[0, joint] = 0.9
    assert 0.0 <= joint_threshold([people(xy, score)], [annotations(truth)]) <= 1.0


def test_photos_in_which_nobody_was_found_teach_no_joint_threshold() -> None:
    nobody = People.empty(COCO_18, SIZE)
    assert joint_threshold([nobody], [annotations(photos(1)[0])]) == 0.0


def scored(xy: npt.NDArray[np.float64], quality: npt.NDArray[np.float64]) -> People:
    """People whose heats and limbs are as good as they are themselves, more or less."""
    random = np.random.default_rng(len(quality))
    heat = np.clip(quality[:, None] + random.normal(0, 0.15, (len(quality), 18)), 0.02, 1.0)
    held = np.clip(quality[:, None] + random.normal(0, 0.15, (len(quality), 19)), 0.0, 1.0)
    return replace(people(xy, heat), limb_score=held.astype(np.float32))


@pytest.fixture(scope="module")
def planted() -> tuple[list[People], list[list[dict[str, Any]]]]:
    """Photos where good people stand as they are annotated, bad ones elsewhere."""
    random = np.random.default_rng(1)
    found, everybody = [], []
    for seed in range(30):
        xy, quality = crowd(4, *SIZE, seed=seed), random.random(4)
        found.append(scored(xy + np.where(quality > 0.5, 0.0, 300.0)[:, None, None], quality))
        everybody.append(annotations(xy))
    return found, everybody


@pytest.fixture(scope="module")
def learned(planted: Any) -> LearnedScore:
    """What the first twenty of them teach."""
    found, everybody = planted
    return fit_person_score(found[:20], everybody[:20], COCO_18)


def test_a_planted_relation_between_evidence_and_oks_is_learned(planted: Any, learned: LearnedScore) -> None:
    good, bad = [], []
    for seen in planted[0][20:]:
        plain, worth = evidence(seen), learned(seen)
        good += worth[plain > 0.6].tolist()
        bad += worth[plain < 0.4].tolist()
    assert len(good) > 5
    assert len(bad) > 5
    assert np.mean(good) > 0.8
    assert np.mean(bad) < 0.2
    assert min(good) > max(bad)


def test_a_mirrored_person_is_worth_about_the_same(planted: Any, learned: LearnedScore) -> None:
    for seen in planted[0][20:]:
        turned = replace(
            seen,
            score=seen.score[:, list(COCO_18.mirrored)],
            limb_score=seen.limb_score[:, list(COCO_18.mirrored_limbs)],
        )
        np.testing.assert_allclose(learned(turned), learned(seen), atol=0.25)


def test_the_same_photos_teach_the_same_score(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "ROUNDS", 10)
    found, everybody = planted
    first, second = (fit_person_score(found[:4], everybody[:4], COCO_18) for _ in range(2))
    np.testing.assert_array_equal(first.hidden, second.hidden)
    np.testing.assert_array_equal(first.output, second.output)


def test_people_in_crowds_teach_nothing(planted: Any) -> None:
    found, everybody = planted
    crowd_ = {"iscrowd": 1, "num_keypoints": 0, "bbox": [-999, -999, 9999, 9999], "keypoints": [0] * 51, "area": 1.0}
    # The bad ones of the first photos stand in a crowd, so that only good ones are left to learn from.
    score = fit_person_score(found[:4], [[*people_, crowd_] for people_ in everybody[:4]], COCO_18)
    assert np.concatenate([score(seen) for seen in found[:4]]).min() > 0.8


def test_photos_in_which_nobody_was_found_teach_no_score_and_say_so() -> None:
    nobody = replace(People.empty(COCO_18, SIZE), limb_score=np.empty((0, 19), np.float32))
    with pytest.raises(ValueError, match="nobody|no people"):
        fit_person_score([nobody], [annotations(photos(1)[0])], COCO_18)
