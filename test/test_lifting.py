"""Places in space: right where the body is seen, unknown where it is not, and never an exception about people."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.benchmark.depth_scene import CAMERA, Scene, scene
from openpose_ros.benchmark.lifting import by_lift, by_pixel, errors
from openpose_ros.camera_model import CameraModel
from openpose_ros.lifting import lift
from openpose_ros.options import DepthOptions
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import COCO_18, SKELETONS, Skeleton

Floats = npt.NDArray[np.float32]

PLAIN = CameraModel(640, 480, np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]))
JOINT = {name: index for index, name in enumerate(COCO_18.joints)}


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@lru_cache
def shown(count: int = 5, seed: int = 0, half: bool = False, wall: float = 7.0, clean: bool = False) -> Scene:
    return scene(count, seed, depth_size=(240, 320) if half else (480, 640), wall=wall, clean=clean)


def placed(people: People, depth: Floats, camera: CameraModel = CAMERA, **options: float) -> Floats:
    found = lift(people, depth, camera, DepthOptions(**options))  # type: ignore[arg-type]
    assert found.xyz is not None
    assert found.xyz.dtype == np.float32
    return found.xyz


def standing(z: float, x: float = 0.0) -> People:
    """Somebody flat who faces PLAIN, z metres away, 1.7 m tall."""
    places = {
        "nose": (0, -0.65), "neck": (0, -0.5), "right_shoulder": (-0.2, -0.5), "left_shoulder": (0.2, -0.5),
        "right_elbow": (-0.25, -0.2), "left_elbow": (0.25, -0.2), "right_wrist": (-0.28, 0.05),
        "left_wrist": (0.28, 0.05), "right_hip": (-0.12, 0), "left_hip": (0.12, 0), "right_knee": (-0.13, 0.42),
        "left_knee": (0.13, 0.42), "right_ankle": (-0.13, 0.83), "left_ankle": (0.13, 0.83),
        "right_eye": (-0.03, -0.68), "left_eye": (0.03, -0.68), "right_ear": (-0.07, -0.67), "left_ear": (0.07, -0.67),
    }  # fmt: skip
    xyz = np.array([[x + places[name][0], places[name][1], z] for name in COCO_18.joints])
    return People.from_arrays(COCO_18, PLAIN.project(xyz)[None], (480, 640))


def around(people: People, joint: str, reach: int) -> tuple[slice, slice]:
    x, y = np.rint(people.xy[0, JOINT[joint]]).astype(int)
    return np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]


@pytest.mark.parametrize("half", [False, True], ids=["640x480", "320x240"])
def test_joints_that_are_seen_are_placed_on_the_body(half: bool) -> None:
    scenes = [shown(5, seed, half) for seed in range(8)]
    found = errors(scenes, [by_lift(each.people, each) for each in scenes])
    naive = errors(scenes, [by_pixel(each.people, each) for each in scenes])
    assert found["joints"] > 300
    assert found["surface_mm"] < 15
    assert found["surface_p95_mm"] < 70
    assert found["outliers"] < (0.02 if half else 0.01)
    assert found["outliers"] < 0.5 * naive["outliers"]
    assert found["placed"] > max(0.96, naive["placed"])
    assert found["centre_mm"] < 80
    assert found["hidden_astray"] < 0.7 * naive["hidden_astray"]


def test_a_wall_close_behind_is_not_the_person() -> None:
    scenes = [shown(2, seed, half=True, wall=2.5) for seed in range(6)]
    found = errors(scenes, [by_lift(each.people, each) for each in scenes])
    naive = errors(scenes, [by_pixel(each.people, each) for each in scenes])
    assert found["surface_p95_mm"] < 60 < naive["surface_p95_mm"]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_skeleton_is_placed(skeleton: Skeleton) -> None:
    scenes = [scene(2, seed, depth_size=(240, 320), skeleton=skeleton, clean=True) for seed in range(4)]
    found = errors(scenes, [by_lift(each.people, each) for each in scenes])
    assert found["surface_mm"] < 15
    assert found["placed"] > 0.95


def test_a_skeleton_of_unknown_names_is_placed_too() -> None:
    strange = Skeleton("crane", ("base", "boom", "hook"), ((0, 1), (1, 2)))
    people = People.from_arrays(strange, [[[100, 100], [150, 120], [200, 300]]], (480, 640))
    depth = np.full((480, 640), 3.0, np.float32)
    depth[250:] = 8.0
    np.testing.assert_allclose(placed(people, depth, PLAIN)[0, :, 2], [3, 3, np.nan])


def test_z_is_measured_along_the_axis_and_the_place_lies_on_the_ray() -> None:
    each = shown()
    xyz = placed(each.people, each.depth)
    known = np.isfinite(xyz[..., 0])
    np.testing.assert_allclose(CAMERA.project(xyz)[known], each.people.xy[known], atol=1e-2)
    flat = placed(standing(2.5, x=1.2), np.full((480, 640), 2.5, np.float32), PLAIN)
    np.testing.assert_allclose(flat[np.isfinite(flat[..., 2])][:, 2], 2.5, rtol=1e-6)


def test_a_joint_found_beside_the_limb_does_not_read_the_wall() -> None:
    depth = np.full((480, 640), 6.0, np.float32)
    people = standing(2.5)
    for joint in COCO_18.joints:
        depth[around(people, joint, 6)] = 2.5
    people.xy[0, JOINT["left_wrist"]] += (8, 0)
    x, y = people.xy[0, JOINT["left_wrist"]].astype(int)
    assert depth[y, x] == 6.0
    np.testing.assert_allclose(placed(people, depth, PLAIN)[0, JOINT["left_wrist"], 2], 2.5)


def test_a_small_hole_is_read_around_and_a_large_one_is_unknown() -> None:
    people, depth = standing(2.5), np.full((480, 640), 2.5, np.float32)
    depth[around(people, "nose", 2)] = np.nan
    depth[around(people, "left_knee", 20)] = np.nan
    found = np.isfinite(placed(people, depth, PLAIN)[0, :, 2])
    assert [COCO_18.joints[joint] for joint in np.flatnonzero(~found)] == ["left_knee", "left_ankle"][: (~found).sum()]
    assert not found[JOINT["left_knee"]]
    assert found[JOINT["nose"]]


@pytest.mark.parametrize("nothing", [np.nan, 0.0, np.inf, -np.inf, -1.0, 0.05, 30.0])
def test_depths_that_are_none_are_ignored(nothing: float) -> None:
    people, depth = standing(2.5), np.full((480, 640), 2.5, np.float32)
    depth[::2] = nothing
    np.testing.assert_allclose(placed(people, depth, PLAIN)[0, :, 2], np.where(people.known[0], 2.5, np.nan), rtol=1e-6)
    depth[:] = nothing
    assert np.isnan(placed(people, depth, PLAIN)).all()


def test_what_hides_a_joint_from_further_off_is_not_the_joint() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    depth[320:] = 2.0  # a table before the legs
    found = placed(people, depth, PLAIN)[0, :, 2]
    np.testing.assert_allclose(found, np.where(people.xy[0, :, 1] < 318, 3.0, np.nan), rtol=1e-6)


def test_somebody_half_hidden_is_where_the_visible_half_is() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    depth[:, :315] = 1.6  # somebody else stands before the right half
    found = placed(people, depth, PLAIN)[0, :, 2]
    np.testing.assert_allclose(found[people.xy[0, :, 0] > 318], 3.0, rtol=1e-6)
    assert np.isnan(found[people.xy[0, :, 0] < 311]).all()


def test_a_bone_of_impossible_length_is_not_believed() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    people.xy[0, JOINT["right_wrist"]] = (600, 240)
    found = placed(people, depth, PLAIN)[0, :, 2]
    assert np.flatnonzero(np.isnan(found)).tolist() == [JOINT["right_wrist"]]


def test_an_arm_stretched_towards_the_camera_is_placed() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    for joint, z in (("right_elbow", 2.72), ("right_wrist", 2.48)):
        people.xy[0, JOINT[joint]] = PLAIN.project([-0.2, -0.45, z])
        depth[around(people, joint, 6)] = z
    # The elbow is behind the wrist, and read there.
    found = placed(people, depth, PLAIN)[0, :, 2]
    assert found[JOINT["right_wrist"]] == pytest.approx(2.48)


def test_a_completed_joint_has_no_depth() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    state = people.state.copy()
    state[0, JOINT["left_elbow"]] = JointState.COMPLETED
    found = placed(replace(people, state=state), depth, PLAIN)[0, :, 2]
    assert np.flatnonzero(np.isnan(found)).tolist() == [JOINT["left_elbow"]]


def test_a_face_alone_is_placed() -> None:
    people, depth = standing(1.0), np.full((480, 640), 1.0, np.float32)
    face = [JOINT[name] for name in ("nose", "left_eye", "right_eye", "left_ear")]
    alone = np.full_like(people.xy, np.nan)
    alone[0, face] = people.xy[0, face] + (0, 200)
    found = placed(People.from_arrays(COCO_18, alone, (480, 640)), depth, PLAIN)[0, :, 2]
    assert np.flatnonzero(np.isfinite(found)).tolist() == sorted(face)


def test_nobody_and_people_of_whom_nothing_is_known_are_no_error() -> None:
    depth = np.full((480, 640), 3.0, np.float32)
    assert placed(People.empty(COCO_18, (480, 640)), depth, PLAIN).shape == (0, 18, 3)
    unknown = People.from_arrays(COCO_18, np.full((2, 18, 2), np.nan), (480, 640))
    assert np.isnan(placed(unknown, depth, PLAIN)).all()


def test_joints_outside_the_picture_are_unknown() -> None:
    people, depth = standing(3.0, x=1.75), np.full((480, 640), 3.0, np.float32)
    found = placed(people, depth, PLAIN)[0]
    outside = people.xy[0, :, 0] > 645
    assert outside.any() and not outside.all()
    assert np.isnan(found[outside]).all()
    assert np.isfinite(found[people.xy[0, :, 0] < 639]).all()


def test_the_depth_image_may_have_another_resolution() -> None:
    # On a slanted wall a shift by half a pixel is a shift of the depth.
    shifts = []
    for height, width in ((480, 640), (240, 320), (120, 160), (960, 1280)):
        columns = (np.arange(width) + 0.5) * 640 / width - 0.5
        depth = np.broadcast_to(3.0 + 0.002 * columns, (height, width)).astype(np.float32)
        people = [standing(3.5, x) for x in np.linspace(-1.2, 1.2, 40)]
        off = [placed(each, depth, PLAIN)[0, :, 2] - 3.0 - 0.002 * each.xy[0, :, 0] for each in people]
        shifts.append(np.nanmean(off))
    assert np.abs(shifts).max() < 0.0003


def test_sizes_that_do_not_belong_together_are_refused_with_both() -> None:
    people = standing(3.0)
    with pytest.raises(ValueError, match=r"424x240 pixels and the image 640x480, another shape; expected depth regist"):
        placed(people, np.full((240, 424), 3.0, np.float32), PLAIN)
    with pytest.raises(ValueError, match="calibration is for 1280x720 pixels, but the image has 640x480"):
        placed(people, np.full((480, 640), 3.0, np.float32), replace(PLAIN, width=1280, height=720))
    with pytest.raises(ValueError, match=r"shape \(0, 640\)"):
        placed(people, np.empty((0, 640), np.float32), PLAIN)


def test_a_size_that_was_rounded_is_the_same_shape() -> None:
    people = replace(standing(3.0), image_size=(720, 1280))
    camera = replace(PLAIN, width=1280, height=720)
    assert np.isfinite(placed(people, np.full((240, 427), 3.0, np.float32), camera)).any()


def test_people_are_handed_on_as_they_were() -> None:
    each = shown()
    people = replace(each.people, id=np.arange(len(each.people), dtype=np.int32))
    before, depth = people.xy.copy(), each.depth.copy()
    found = lift(people, each.depth, CAMERA, DepthOptions())
    np.testing.assert_array_equal(people.xy, before)
    np.testing.assert_array_equal(each.depth, depth)
    assert people.xyz is None
    for name in ("xy", "score", "state", "person_score", "id"):
        assert getattr(found, name) is getattr(people, name)


def test_the_bounds_of_the_sensor_are_kept() -> None:
    people, depth = standing(3.0), np.full((480, 640), 3.0, np.float32)
    assert np.isnan(placed(people, depth, PLAIN, depth_max=2.9)).all()
    assert np.isnan(placed(people, depth, PLAIN, depth_min=3.1)).all()
    with pytest.raises(ValueError, match="depth_min is 3.0 and depth_max 2.0"):
        DepthOptions(depth_min=3.0, depth_max=2.0)
