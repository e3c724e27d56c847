"""The paired bootstrap: each draw is scored as COCO's own code would, and only real differences are called real."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.evaluation.bootstrap import Judged, compare
from openpose_ros.evaluation.coco import MEASURES, AnnotatedPhotos
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17

Write = Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]

SIZE = (480, 640)
COUNT = 14


def crowd(random: np.random.Generator, people: int) -> np.ndarray:
    """(P, 17, 2) people of sizes between COCO's small and large."""
    size = random.uniform(30, 260, (people, 1, 1))
    return random.uniform(0, 1, (people, 17, 2)) * size + random.uniform(0, 200, (people, 1, 2))


def found(truth: np.ndarray, random: np.random.Generator, noise: float) -> People:
    """Most of the people, some twice, some who are nobody, with scores that tie."""
    shown = np.concatenate([truth[random.random(len(truth)) < 0.8], truth[:1], crowd(random, 2)])
    near = shown + random.normal(0, noise, shown.shape)
    score = np.sort(random.integers(1, 6, len(near)) / 6)[::-1]
    return People.from_arrays(COCO_17, near, SIZE, person_score=score)


@pytest.fixture
def scene(coco_folder: Write) -> tuple[AnnotatedPhotos, list[np.ndarray]]:
    random = np.random.default_rng(0)
    truth = [crowd(random, number % 4) for number in range(COUNT)]
    return AnnotatedPhotos(*coco_folder([(SIZE, People.from_arrays(COCO_17, people, SIZE)) for people in truth])), truth


def people_of(truth: list[np.ndarray], seed: int, noise: float) -> list[People]:
    random = np.random.default_rng(seed)
    return [found(people, random, noise) for people in truth]


def coco_on(photos: AnnotatedPhotos, people: list[People], drawn: np.ndarray) -> dict[str, float]:
    """COCO's own accumulation over a list of photos in which one may stand several times."""
    evaluation = photos.evaluated(people)
    areas, count = len(evaluation.params.areaRng), len(photos)
    listed = sorted(drawn)
    evaluation.evalImgs = [evaluation.evalImgs[area * count + number] for area in range(areas) for number in listed]
    evaluation.params.imgIds = list(range(len(listed)))
    evaluation._paramsEval.imgIds = list(range(len(listed)))
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
        evaluation.summarize()
    return {name: 100.0 * float(value) for name, value in zip(MEASURES, evaluation.stats, strict=True)}


def agree(ours: dict[str, float], coco: dict[str, float]) -> None:
    for name, value in coco.items():
        if value == -100.0:
            assert np.isnan(ours[name]), name
        else:
            assert ours[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize("noise", [0.0, 4.0, 12.0])
def test_each_photo_once_is_exactly_what_coco_measures(
    scene: tuple[AnnotatedPhotos, list[np.ndarray]], noise: float
) -> None:
    photos, truth = scene
    people = people_of(truth, 1, noise)
    measured = photos.measure(people)
    assert 5.0 < measured["AP"] < 95.0
    agree(Judged.of(photos, people).measures(), measured)
    agree(Judged.of(photos, people).measures(range(COUNT)[::-1]), measured)


@pytest.mark.parametrize("seed", range(12))
def test_a_draw_is_exactly_what_coco_measures_on_that_list_of_photos(
    scene: tuple[AnnotatedPhotos, list[np.ndarray]], seed: int
) -> None:
    photos, truth = scene
    people = people_of(truth, 2, 6.0)
    drawn = np.random.default_rng(seed).integers(0, COUNT, COUNT)
    agree(Judged.of(photos, people).measures(drawn), coco_on(photos, people, drawn))


def test_photos_without_anybody_measure_nothing(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    assert len(truth[0]) == len(truth[4]) == 0
    judged = Judged.of(photos, people_of(truth, 1, 4.0))
    assert all(np.isnan(value) for value in judged.measures([0, 4, 4]).values())


def test_nobody_found_measures_zero(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, _ = scene
    assert Judged.of(photos, [People.empty(COCO_17, SIZE)] * COUNT).measures()["AP"] == 0.0


def test_the_same_people_do_not_differ(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    people = people_of(truth, 1, 4.0)
    for one in compare(photos, people, people, resamples=20).values():
        assert (one.a - one.b, one.low, one.high, one.better, one.is_real) == (0.0, 0.0, 0.0, 0.5, False)


def test_a_clear_gain_is_real_and_its_reverse_too(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    rough, fine = people_of(truth, 1, 25.0), people_of(truth, 1, 1.0)
    forth, back = compare(photos, rough, fine, resamples=200)["AP"], compare(photos, fine, rough, resamples=200)["AP"]
    assert forth.is_real and back.is_real
    assert forth.low > 10.0
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))
    assert (forth.better, back.better) == (1.0, 0.0)
    assert forth.low < forth.b - forth.a < forth.high


def test_mere_chance_is_not_called_real(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    one = compare(photos, people_of(truth, 3, 6.0), people_of(truth, 4, 6.0), resamples=200)["AP"]
    assert not one.is_real
    assert 0.025 < one.better < 0.975


def test_the_same_seed_gives_the_same_answer(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    pair = people_of(truth, 1, 4.0), people_of(truth, 1, 8.0)
    assert compare(photos, *pair, resamples=30) == compare(photos, *pair, resamples=30)
    assert compare(photos, *pair, resamples=30) != compare(photos, *pair, resamples=30, seed=1)


def test_results_must_be_as_many_as_photos(scene: tuple[AnnotatedPhotos, list[np.ndarray]]) -> None:
    photos, truth = scene
    with pytest.raises(ValueError):  # noqa: PT011
        Judged.of(photos, people_of(truth, 1, 4.0)[:-1])
