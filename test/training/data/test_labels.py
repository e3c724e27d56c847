"""Annotations: brought into the skeleton's order, and what is wrong with them counted and named."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.skeleton import BODY_25, COCO_17, COCO_18, MPI_15, Skeleton
from openpose_ros.training.config import ConfigError, CropConfig
from openpose_ros.training.data.centres import WHOLE, centres
from openpose_ros.training.data.labels import Labels
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.regions import Polygons
from openpose_ros.training.data.report import Report, show
from openpose_ros.training.data.sample import Sample

Body = Callable[[float, float, float], npt.NDArray[np.float64]]
Person = Callable[..., dict[str, Any]]


def read(
    *people: dict[str, Any], skeleton: Skeleton = COCO_18, size: tuple[int, int] = (300, 400), **more: Any
) -> tuple[Sample | None, Report]:
    report = Report("test")
    record = Record(Picture(data=b""), "photo.jpg", size, people=people)
    return Labels(skeleton, report, **more)(record), report


def got(*people: dict[str, Any], **more: Any) -> Sample:
    found, _ = read(*people, **more)
    assert found is not None
    return found


def test_joints_stand_in_the_skeleton_s_order_half_a_pixel_off_coco_s(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    found = got(person(points))
    for name in COCO_17.joints:
        np.testing.assert_allclose(found.people[0, COCO_18.joint(name)], points[COCO_17.joint(name)], atol=1e-4)
    assert found.labelled.all()


def test_the_neck_is_the_middle_of_both_shoulders_and_unknown_without_one(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    left, right = (COCO_17.joint(f"{side}_shoulder") for side in ("left", "right"))
    neck = got(person(points)).people[0, COCO_18.joint("neck")]
    np.testing.assert_allclose(neck, (points[left] + points[right]) / 2, atol=1e-4)
    seen = [joint != left for joint in range(17)]
    one = got(person(points, seen))
    assert np.isnan(one.people[0, COCO_18.joint("neck")]).all()
    assert np.isnan(one.people[0, COCO_18.joint("left_shoulder")]).all()
    assert one.labelled.all()


@pytest.mark.parametrize(
    ("skeleton", "unknown"),
    [
        (BODY_25, {"left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"}),
        (MPI_15, {"head", "chest"}),
        (COCO_17, set()),
    ],
    ids=["BODY_25", "MPI-15", "COCO-17"],
)
def test_joints_that_coco_cannot_give_are_not_labelled(
    body: Body, person: Person, skeleton: Skeleton, unknown: set[str]
) -> None:
    found = got(person(body(200.0, 150.0, 200.0)), skeleton=skeleton)
    assert {name for name, known in zip(skeleton.joints, found.labelled, strict=True) if not known} == unknown
    assert np.isfinite(found.people[0, found.labelled]).all()
    assert np.isnan(found.people[0, ~found.labelled]).all()


def test_crowds_and_people_without_joints_are_ignored_and_few_joints_are_not(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    outline = [[10.0, 10.0, 50.0, 10.0, 50.0, 90.0]]
    crowd = person(points, iscrowd=1, segmentation=outline)
    nobody = person(points, [False] * 17, bbox=[10.0, 20.0, 30.0, 40.0])
    one_joint = person(points, [joint == 0 for joint in range(17)])
    found = got(crowd, nobody, one_joint)
    assert len(found.people) == 1
    assert found.counts.tolist() == [1]
    polygon, box = found.ignored
    assert isinstance(polygon, Polygons) and isinstance(box, Polygons)
    np.testing.assert_allclose(polygon.parts[0], np.array(outline).reshape(-1, 2) - 0.5)
    np.testing.assert_allclose(box.parts[0].min(0), (9.5, 19.5))
    np.testing.assert_allclose(box.parts[0].max(0), (39.5, 59.5))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"keypoints": [1.0, 2.0, 2.0]}, "person with 3 numbers instead of 51"),
        ({"keypoints": [math.nan] * 51}, "person with joints that are no numbers"),
        ({"keypoints": ["x"] * 51}, "person with joints that are no numbers"),
        ({"keypoints": [math.inf, 1.0, 2.0] * 17}, "person with joints that are no numbers"),
        ({"keypoints": 7}, "person with no numbers instead of 51"),
    ],
)
def test_a_person_with_wrong_numbers_is_masked_counted_and_named(
    body: Body, person: Person, change: dict[str, Any], reason: str
) -> None:
    found, report = read(person(body(200.0, 150.0, 200.0)) | change)
    assert found is not None
    assert len(found.people) == 0 and len(found.ignored) == 1
    assert report.dropped == {reason: 1}
    assert report.examples == {reason: ["photo.jpg"]}


def test_joints_outside_of_the_photo_are_left_out_and_named(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    points[0] = (450.0, 20.0)
    points[1] = (-30.0, 20.0)
    found, report = read(person(points))
    assert found is not None
    assert np.isnan(found.people[0, COCO_18.joint("nose")]).all()
    assert np.isfinite(found.people[0]).all(-1).sum() == 16
    assert report.dropped == {"joint outside of its photo (left out)": 1}


def test_a_limb_of_no_length_is_named_and_stays(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    points[COCO_17.joint("left_knee")] = points[COCO_17.joint("left_ankle")]
    found, report = read(person(points))
    assert found is not None and np.isfinite(found.people).all()
    assert report.dropped == {"limb of no length (not drawn)": 1}


@pytest.mark.parametrize("box", [None, [1.0, 2.0], [0.0, 0.0, -5.0, 3.0], [math.nan] * 4, "box"])
def test_without_a_usable_box_it_is_that_of_the_joints(body: Body, person: Person, box: Any) -> None:
    points = body(200.0, 150.0, 200.0)
    found = got(person(points, bbox=box, area=None))
    np.testing.assert_allclose(found.boxes[0], [*points.min(0), *points.max(0)], atol=1e-3)
    assert 0.4 < found.areas[0] / np.prod(np.ptp(points, axis=0)) < 0.7


def test_someone_without_joints_box_and_outline_is_named() -> None:
    found, report = read({"keypoints": [], "iscrowd": 0})
    assert found is not None and not found.ignored
    assert list(report.dropped) == ["person without joints, box and outline"]


def test_a_source_that_labels_some_joints_says_so_for_every_crop(body: Body, person: Person) -> None:
    found = got(person(body(200.0, 150.0, 200.0)), only=["left_knee", "neck"])
    known = {COCO_18.joints[joint] for joint in np.flatnonzero(found.labelled)}
    assert known == {"left_knee", "neck"}
    assert np.isfinite(found.people[0]).all(-1).sum() == 2


def test_a_joint_that_the_skeleton_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="source test: COCO-18 has no joint 'tail'"):
        Labels(COCO_18, Report("test"), only=["tail"])


def test_of_one_labelled_person_a_photo_loss_counts_around_that_person_only(body: Body, person: Person) -> None:
    points = body(200.0, 150.0, 200.0)
    found = got(person(points), one_person=True)
    assert found.confined is not None
    low, high = points.min(0) - found.confined[:2], found.confined[2:] - points.max(0)
    np.testing.assert_allclose([*low, *high], 30.0, atol=0.01)
    nobody, report = read(person(points, [False] * 17), one_person=True)
    assert nobody is None
    assert report.dropped == {"no labelled person": 1}


def test_centres_are_the_middles_of_large_people_with_enough_joints_apart(body: Body, person: Person) -> None:
    few = [joint < 4 for joint in range(17)]
    found = got(
        person(body(100.0, 150.0, 200.0)),
        person(body(110.0, 150.0, 190.0)),  # too near to the first
        person(body(250.0, 150.0, 200.0), few),
        person(body(300.0, 150.0, 40.0)),  # too small
        person(body(350.0, 150.0, 200.0)),
    )
    assert len(found.people) == 5
    places = centres(found, CropConfig())
    assert [(round(c.x, 1), round(c.y, 1), round(c.height)) for c in places] == [
        (100.0, 150.0, 200), (350.0, 150.0, 200),
    ]  # fmt: skip


def test_who_lies_down_is_measured_by_half_their_length(body: Body, person: Person) -> None:
    points = body(150.0, 200.0, 200.0)[:, ::-1]
    (centre,) = centres(got(person(points)), CropConfig())
    assert centre.height == pytest.approx(100.0, abs=0.1)


def test_photos_of_nobody_are_shown_whole_and_those_of_masked_people_not_at_all(body: Body, person: Person) -> None:
    assert centres(got(), CropConfig()) == [WHOLE]
    assert centres(got(person(body(200.0, 150.0, 200.0), [False] * 17)), CropConfig()) == []


def test_a_report_names_the_first_examples_and_counts_the_rest() -> None:
    report = Report("mine", photos=3)
    for number in range(7):
        report.drop("photo missing", f"{number}.jpg")
    assert "mine: 7 x photo missing: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, ..." in show([report])
