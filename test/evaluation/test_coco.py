"""COCO's terms: photos and annotations as COCO has them, scores as COCO's own code computes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.backends.synthetic import group
from openpose_ros.evaluation.coco import MEASURES, AnnotatedPhotos, DatasetError, best_oks, oks
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18, MPI_15

Write = Callable[[list[tuple[tuple[int, int], People]]], tuple[Path, Path]]

SIZES = [(480, 640), (500, 375), (427, 640), (640, 480)]


def everybody(size: tuple[int, int]) -> People:
    """Three people, as a perfect estimator would find them."""
    return People.from_arrays(COCO_18, group(*size, COCO_18), size)


def nobody(size: tuple[int, int]) -> People:
    return People.empty(COCO_18, size)


def moved(people: People, dx: float) -> People:
    return replace(people, xy=people.xy + np.float32([dx, 0]))


@pytest.fixture
def photos(coco_folder: Write) -> AnnotatedPhotos:
    return AnnotatedPhotos(*coco_folder([(size, everybody(size)) for size in SIZES]))


def test_perfect_people_measure_a_hundred(photos: AnnotatedPhotos) -> None:
    measures = photos.measure([everybody(size) for size in SIZES])
    assert tuple(measures) == MEASURES
    for name in ("AP", "AP50", "AP75", "AP_large", "AR", "AR50", "AR75", "AR_large"):
        assert measures[name] == pytest.approx(100.0)


def test_nobody_found_measures_zero(photos: AnnotatedPhotos) -> None:
    assert photos.measure([nobody(size) for size in SIZES]) == dict.fromkeys(MEASURES, 0.0)


def test_people_missed_in_half_of_the_photos_halve_the_recall(photos: AnnotatedPhotos) -> None:
    found = [everybody(size) if number % 2 else nobody(size) for number, size in enumerate(SIZES)]
    measures = photos.measure(found)
    assert measures["AR"] == pytest.approx(50.0)
    assert measures["AP"] == pytest.approx(50.0, abs=1.0)


def test_half_a_pixel_is_not_lost_between_the_two_ways_of_counting(photos: AnnotatedPhotos) -> None:
    measured = [
        photos.measure([moved(everybody(size), dx) for size in SIZES])["AP"] for dx in (-40.0, -20.0, 20.0, 40.0)
    ]
    assert measured[0] == measured[3] < measured[1] == measured[2] < 100.0


def test_sure_ghosts_cost_more_than_doubtful_ones(photos: AnnotatedPhotos) -> None:
    def with_ghosts(score: float) -> float:
        found = []
        for size in SIZES:
            people, ghosts = everybody(size), moved(everybody(size), 5000.0)
            found.append(
                People.from_arrays(
                    COCO_18, np.concatenate([people.xy, ghosts.xy]), size,
                    person_score=[0.5] * 3 + [score] * 3,
                )
            )  # fmt: skip
        return photos.measure(found)["AP"]

    assert with_ghosts(0.1) == pytest.approx(100.0)
    assert with_ghosts(0.9) < 60.0


def test_results_must_be_as_many_as_photos(photos: AnnotatedPhotos) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        photos.measure([everybody(SIZES[0])])


@pytest.mark.parametrize("seed", range(12))
def test_oks_is_what_coco_s_own_code_computes(coco_folder: Write, seed: int) -> None:
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(seed)
    truth = random.uniform(20, 400, (4, 17, 2)).astype(np.float32)
    truth[random.random((4, 17)) < 0.3] = np.nan
    truth[:, 0] = 100.0
    size = (480, 640)
    found = truth[random.integers(0, 4, 6)] + random.normal(0, 8, (6, 17, 2))
    found[random.random((6, 17)) < 0.2] = np.nan
    people = People.from_arrays(COCO_17, found, size, person_score=np.linspace(0.9, 0.1, 6))
    photos = AnnotatedPhotos(*coco_folder([(size, People.from_arrays(COCO_17, truth, size))]))
    theirs = COCOeval(photos.coco, photos.coco.loadRes(people.to_coco(1)), "keypoints")
    theirs.params.imgIds = [1]
    theirs._prepare()
    expected = np.asarray(theirs.computeOks(1, 1))
    ours = np.stack([oks(people, person) for person in photos.photos[0].people], 1)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    best, excused = best_oks(people, photos.photos[0].people)
    np.testing.assert_allclose(best, expected.max(1), atol=1e-6)
    assert not excused.any()


def test_oks_of_nobody_is_empty(photos: AnnotatedPhotos) -> None:
    assert oks(nobody(SIZES[0]), photos.photos[0].people[0]).shape == (0,)
    best, excused = best_oks(nobody(SIZES[0]), photos.photos[0].people)
    assert best.shape == excused.shape == (0,)


@pytest.mark.parametrize("kind", ["a crowd", "a person without keypoints"])
def test_who_stands_in_a_crowd_or_on_a_person_without_keypoints_is_excused(kind: str) -> None:
    people = everybody((480, 640))
    left, top, right, bottom = people.boxes[0]
    area: dict[str, Any] = {
        "iscrowd": int(kind == "a crowd"),
        "num_keypoints": 0,
        "keypoints": [0] * 51,
        "bbox": [left - 1, top - 1, right - left + 2, bottom - top + 2],
        "area": 1000.0,
    }
    best, excused = best_oks(people, [area])
    assert best.tolist() == [0.0, 0.0, 0.0]
    assert excused.tolist() == [True, False, False]


def test_who_is_found_is_not_excused(photos: AnnotatedPhotos) -> None:
    crowd = {"iscrowd": 1, "num_keypoints": 0, "bbox": [0, 0, 640, 480], "keypoints": [0] * 51, "area": 1.0}
    best, excused = best_oks(everybody(SIZES[0]), [*photos.photos[0].people, crowd])
    np.testing.assert_allclose(best, 1.0, atol=1e-6)
    assert not excused.any()


def test_a_skeleton_without_a_face_is_judged_by_the_joints_it_has(photos: AnnotatedPhotos) -> None:
    size = SIZES[0]
    people = People.from_arrays(MPI_15, group(*size, MPI_15), size)
    fit = np.stack([oks(people, person) for person in photos.photos[0].people])
    assert (np.sort(fit.max(0)) > 0.6).all()
    assert (fit.max(0) < 0.8).all()  # five joints of the face are missing


@pytest.mark.parametrize(
    ("limit", "ids"), [(0, [1, 2, 3, 4]), (1, [1]), (2, [1, 4]), (3, [1, 3, 4]), (4, [1, 2, 3, 4]), (9, [1, 2, 3, 4])]
)
def test_a_limit_spreads_over_the_photos(coco_folder: Write, limit: int, ids: list[int]) -> None:
    some = AnnotatedPhotos(*coco_folder([(size, everybody(size)) for size in SIZES]), limit)
    found = [photo.id for photo in some]
    assert len(some) == len(found) == len(ids)
    if limit != 3:
        assert found == ids
    assert found[0] == 1


def test_only_the_chosen_photos_are_measured(coco_folder: Write) -> None:
    some = AnnotatedPhotos(*coco_folder([(size, everybody(size)) for size in SIZES]), 2)
    assert some.measure([everybody(SIZES[0]), everybody(SIZES[3])])["AR"] == pytest.approx(100.0)


def test_a_split_keeps_its_photos_only(coco_folder: Write) -> None:
    annotations, folder = coco_folder([(size, everybody(size)) for size in SIZES])
    some = AnnotatedPhotos(annotations, folder, only={2, 4})
    assert [photo.id for photo in some] == [2, 4]
    assert some.measure([everybody(SIZES[1]), everybody(SIZES[3])])["AR"] == pytest.approx(100.0)
    assert [photo.id for photo in AnnotatedPhotos(annotations, folder, limit=1, only={2, 4})] == [2]


def test_a_split_of_which_photos_are_missing_is_refused(coco_folder: Write) -> None:
    with pytest.raises(DatasetError, match="lacks 2 of the 3 photos of the split, such as the one with the id 17"):
        AnnotatedPhotos(*coco_folder([(size, everybody(size)) for size in SIZES]), only={1, 17, 18})


def test_people_written_as_results_measure_the_same_when_read_again(photos: AnnotatedPhotos, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    found = []
    for size in SIZES:
        xy = everybody(size).xy + random.normal(0, 12, (3, 18, 2))
        xy[0, 3] = np.nan
        found.append(People.from_arrays(COCO_18, xy, size, person_score=[0.9, 0.5, 0.5]))
    found[2] = nobody(SIZES[2])
    path = tmp_path / "people.json"
    path.write_text(json.dumps(photos.results(found)))
    again = photos.read_results(path)
    assert [len(people) for people in again] == [3, 3, 0, 3]
    assert photos.measure(again) == photos.measure(found)
    assert 10.0 < photos.measure(found)["AP"] < 95.0
    assert photos.results(again)[0]["keypoints"][::3] == photos.results(found)[0]["keypoints"][::3]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "not readable: No such file"),
        ("{", "not a file of COCO keypoint results"),
        ('{"a": 1}', "not a file of COCO keypoint results"),
        ("[3]", "not a file of COCO keypoint results"),
        ('[{"image_id": 1, "score": 1, "keypoints": [1, 2]}]', "not a file of COCO keypoint results"),
        ('[{"image_id": 77, "score": 1, "keypoints": []}]', "holds nobody in the photos that are evaluated"),
        ("[]", "holds nobody in the photos that are evaluated"),
    ],
)
def test_results_that_are_of_no_use_are_named(
    photos: AnnotatedPhotos, tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / "people.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DatasetError, match=told) as caught:
        photos.read_results(path)
    assert str(path) in str(caught.value)


def test_a_skeleton_without_a_face_has_no_face_in_another_joint_s_place(photos: AnnotatedPhotos) -> None:
    """Joints that a skeleton lacks lie at 0, 0 for COCO, as its own code has them."""
    size = SIZES[0]
    people = People.from_arrays(MPI_15, group(*size, MPI_15), size)
    row = [*people.to_coco(1)[0]["keypoints"]]
    person = photos.photos[0].people[0]
    wanted = {**person, "keypoints": [*row[:15], *person["keypoints"][15:]]}
    places = np.reshape(row, (17, 3))[:5, :2]
    assert not places.any()
    in_place = {**wanted, "keypoints": [*([0.0, 0.0, 2.0] * 5), *person["keypoints"][15:]]}
    assert oks(people, in_place).max() == pytest.approx(1.0, abs=1e-6)


def test_photos_are_read_as_they_are_stored(photos: AnnotatedPhotos) -> None:
    for photo, size in zip(photos, SIZES, strict=True):
        image = photo.read()
        assert image.shape == (*size, 3)
        assert image.dtype == np.uint8
        assert (np.abs(image.astype(int) - 127) < 4).all()


def test_an_orientation_tag_does_not_turn_an_annotated_photo(photos: AnnotatedPhotos) -> None:
    path = photos.photos[0].path
    plain = path.read_bytes()
    # EXIF with one entry: orientation 6, a quarter turn.
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path.write_bytes(plain[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + plain[2:])
    turned = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert turned is not None
    assert turned.shape == (640, 480, 3)
    assert photos.photos[0].read().shape == (480, 640, 3)


def test_a_missing_photo_is_named(photos: AnnotatedPhotos) -> None:
    photos.photos[1].path.unlink()
    with pytest.raises(DatasetError, match=f"the photo {photos.photos[1].path} is missing"):
        photos.photos[1].read()


def test_an_unreadable_photo_is_named(photos: AnnotatedPhotos) -> None:
    photos.photos[1].path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=f"the photo {photos.photos[1].path} is unreadable"):
        photos.photos[1].read()


def test_missing_files_and_folders_are_named(coco_folder: Write, tmp_path: Path) -> None:
    annotations, folder = coco_folder([(SIZES[0], everybody(SIZES[0]))])
    with pytest.raises(DatasetError, match=f"there is no annotation file {tmp_path / 'none.json'}"):
        AnnotatedPhotos(tmp_path / "none.json", folder)
    with pytest.raises(DatasetError, match=f"there is no folder of photos {tmp_path / 'none'}"):
        AnnotatedPhotos(annotations, tmp_path / "none")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"images": []}',
        b'{"images": [], "annotations": [], "categories": []}',
        b'{"images": [{"id": 1}], "annotations": [], "categories": []}',
        b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 1}], "categories": []}',
        b"\xff\xfe\x00rubbish",
    ],
    ids=str,
)
def test_a_file_that_is_no_coco_annotation_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        AnnotatedPhotos(path, tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_annotations_without_keypoints_are_refused(coco_folder: Write) -> None:
    """Such as COCO's instances: boxes of people, nothing about their joints."""
    annotations, folder = coco_folder([(SIZES[0], everybody(SIZES[0]))])
    table = json.loads(annotations.read_text())
    for person in table["annotations"]:
        del person["keypoints"], person["num_keypoints"]
    annotations.write_text(json.dumps(table))
    with pytest.raises(DatasetError, match="keypoints"):
        AnnotatedPhotos(annotations, folder)
