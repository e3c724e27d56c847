"""People: arrays that belong together, and what other formats make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from openpose_ros.people import JointState, People
from openpose_ros.skeleton import COCO_17, COCO_18, MPI_15, Skeleton


def crowd(count: int = 3, skeleton: Skeleton = COCO_18) -> People:
    """People of distinguishable numbers, the neck (or second joint) of the last one unknown."""
    joints, limbs = len(skeleton.joints), len(skeleton.limbs)
    xy = np.arange(count * joints * 2, dtype=np.float32).reshape(count, joints, 2) + 0.25
    xy[-1, 1] = np.nan
    people = People.from_arrays(skeleton, xy, (480, 640), np.full((count, joints), 0.5), np.linspace(0.9, 0.1, count))
    return replace(
        people,
        id=np.arange(10, 10 + count, dtype=np.int32),
        xyz=np.where(np.isnan(xy[..., :1]), np.float32(np.nan), np.ones((count, joints, 3), np.float32)),
        limb_score=np.arange(count * limbs, dtype=np.float32).reshape(count, limbs),
    )


def test_nobody_is_empty_arrays_of_the_right_shape() -> None:
    nobody = People.empty(MPI_15, (480, 640))
    assert len(nobody) == 0
    assert nobody.xy.shape == (0, 15, 2)
    assert nobody.score.shape == nobody.known.shape == (0, 15)
    assert nobody.boxes.shape == (0, 4)
    assert nobody.id.shape == (0,)
    assert nobody.to_openpose_json() == {"version": 1.3, "people": []}
    assert nobody.to_coco(7) == []
    assert len(nobody[[]]) == len(nobody[:0]) == len(nobody[np.zeros(0, bool)]) == 0


def test_places_alone_make_people_who_were_seen_for_certain() -> None:
    xy = np.zeros((1, 18, 2))
    xy[0, 3] = np.nan
    xy[0, 4] = 5.0, np.nan  # half a place is none
    people = People.from_arrays(COCO_18, xy, (10, 20))
    assert people.known[0].tolist() == [joint not in (3, 4) for joint in range(18)]
    assert people.score[0].tolist() == [0.0 if joint in (3, 4) else 1.0 for joint in range(18)]
    assert np.isnan(people.xy[0, 4]).all()
    assert people.person_score.tolist() == [1.0]
    assert people.id.tolist() == [-1]
    assert {people.xy.dtype, people.score.dtype, people.person_score.dtype} == {np.dtype(np.float32)}
    assert people.state.dtype == np.uint8


def test_places_are_copied() -> None:
    xy = np.zeros((1, 18, 2), np.float32)
    people = People.from_arrays(COCO_18, xy, (10, 20))
    xy[:] = 7.0
    assert not people.xy.any()


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        (0, [0]),
        (-1, [2]),
        (np.int64(1), [1]),
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
        (np.array([], np.int64), []),
    ],
    ids=str,
)
def test_a_selection_takes_everything_along(which: Any, rows: list[int]) -> None:
    everybody = crowd()
    some = everybody[which]
    assert some.id.tolist() == [10 + row for row in rows]
    for name in ("xy", "score", "state", "person_score", "xyz", "limb_score"):
        np.testing.assert_array_equal(getattr(some, name), getattr(everybody, name)[rows])
    assert some.image_size == everybody.image_size
    assert some.skeleton is everybody.skeleton


def test_nobody_at_that_index_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        crowd()[3]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("xy", (3, 17, 2)),
        ("score", (2, 18)),
        ("state", (3, 17)),
        ("person_score", (3, 1)),
        ("id", (2,)),
        ("xyz", (3, 18, 2)),
        ("limb_score", (3, 18)),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused_by_name(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"People\.{name} has shape .*3 people of COCO-18 need"):
        replace(crowd(), **{name: np.zeros(shape, np.float32)})


def test_boxes_hold_the_known_joints() -> None:
    xy = np.full((2, 18, 2), np.nan)
    xy[0, 2], xy[0, 5], xy[0, 9] = (30.0, 4.0), (-2.0, 8.0), (7.0, 60.0)
    people = People.from_arrays(COCO_18, xy, (480, 640))
    np.testing.assert_array_equal(people.boxes, [[-2.0, 4.0, 30.0, 60.0], [np.nan] * 4])
    assert people.boxes.dtype == np.float32


def test_completed_joints_count_as_known() -> None:
    people = crowd(1)
    state = people.state.copy()
    state[0, 0] = JointState.COMPLETED
    assert replace(people, state=state).known[0, 0]
    assert not people.known[0, 1]


def test_openpose_json_has_every_key_in_openpose_s_order() -> None:
    person = crowd().to_openpose_json()["people"][1]
    assert list(person) == [
        "person_id",
        "pose_keypoints_2d",
        "face_keypoints_2d",
        "hand_left_keypoints_2d",
        "hand_right_keypoints_2d",
        "pose_keypoints_3d",
        "face_keypoints_3d",
        "hand_left_keypoints_3d",
        "hand_right_keypoints_3d",
    ]
    assert person["person_id"] == [11]
    assert all(person[name] == [] for name in person if name.startswith(("face", "hand")))


def test_openpose_json_holds_triples_in_skeleton_order_and_zeros_where_unknown() -> None:
    people = crowd()
    table = people.to_openpose_json()
    assert table["version"] == 1.3
    for person in range(3):
        flat = np.array(table["people"][person]["pose_keypoints_2d"]).reshape(18, 3)
        solid = np.array(table["people"][person]["pose_keypoints_3d"]).reshape(18, 4)
        known = people.known[person]
        np.testing.assert_allclose(flat[known, :2], people.xy[person, known], atol=1e-4)
        assert (flat[known, 2] == 0.5).all()
        assert (solid[known] == [1.0, 1.0, 1.0, 0.5]).all()
        assert not flat[~known].any()
        assert not solid[~known].any()


def test_openpose_json_without_depth_has_no_solid_points_and_is_plain_python() -> None:
    import json

    table = replace(crowd(), xyz=None).to_openpose_json()
    assert [person["pose_keypoints_3d"] for person in table["people"]] == [[], [], []]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_coco_counts_from_the_pixel_s_corner_in_its_own_order() -> None:
    people = crowd()
    rows = people.to_coco(42)
    assert [row["image_id"] for row in rows] == [42, 42, 42]
    assert [row["category_id"] for row in rows] == [1, 1, 1]
    assert [row["score"] for row in rows] == pytest.approx(people.person_score.tolist())
    for person, row in enumerate(rows):
        keypoints = np.array(row["keypoints"]).reshape(17, 3)
        for joint, name in enumerate(COCO_17.joints):
            x, y = people.xy[person, COCO_18.joint(name)]
            assert keypoints[joint].tolist() == [x + 0.5, y + 0.5, 0.5]


def test_coco_joints_that_are_unknown_or_not_of_the_skeleton_are_zero() -> None:
    people = crowd(1, MPI_15)  # has no face, and its last person no neck
    keypoints = np.array(people.to_coco(1)[0]["keypoints"]).reshape(17, 3)
    for joint, name in enumerate(COCO_17.joints):
        assert keypoints[joint].any() == (name in MPI_15.joints)
