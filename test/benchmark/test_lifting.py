"""Rendered rooms and what is measured in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openpose_ros.benchmark.depth_scene import CAMERA, FARTHEST, NEAREST, scene
from openpose_ros.benchmark.lifting import ROOMS, errors
from openpose_ros.commands.benchmark import main
from openpose_ros.lifting import BONES, TALLEST
from openpose_ros.skeleton import BODY_25, COCO_18

HALF = (240, 320)


def test_a_seed_makes_the_same_room_and_another_seed_another() -> None:
    one, same, other = scene(3, 1, depth_size=HALF), scene(3, 1, depth_size=HALF), scene(3, 2, depth_size=HALF)
    np.testing.assert_array_equal(one.depth, same.depth)
    np.testing.assert_array_equal(one.people.xy, same.people.xy)
    assert np.abs(one.joints - other.joints).max() > 0.1


def test_without_errors_the_image_shows_the_surface_at_each_joint() -> None:
    shown = scene(5, 0, clean=True)
    known = shown.people.known
    x, y = np.rint(shown.people.xy[known]).astype(int).clip(0, (639, 479)).T
    off = np.abs(shown.depth[y, x] - shown.surface[known][:, 2])
    assert np.quantile(off, 0.95) < 0.02
    np.testing.assert_allclose(CAMERA.project(shown.surface)[known], shown.people.xy[known], atol=1e-3)


def test_what_is_called_visible_is_the_body_around_the_joint() -> None:
    shown = scene(8, 3, depth_size=HALF)
    before = (shown.joints - shown.surface)[..., 2]
    assert shown.visible.any() and not shown.visible.all()
    assert before[shown.visible].max() < 0.16
    assert np.median(before[~shown.visible]) > 0.2


def test_people_have_human_bones_and_stand_in_the_room() -> None:
    joints = np.concatenate([scene(4, seed, depth_size=(60, 80), skeleton=BODY_25).joints for seed in range(4)])
    for name, (parent, share) in (("elbow", BONES["elbow"]), ("wrist", BONES["wrist"]), ("ankle", BONES["ankle"])):
        bone = joints[:, BODY_25.joint(f"left_{name}")] - joints[:, BODY_25.joint(f"left_{parent}")]
        assert (np.linalg.norm(bone, axis=1) < share * TALLEST).all()
    hips = joints[:, BODY_25.joint("mid_hip"), 2]
    assert (hips >= NEAREST).all() and (hips <= FARTHEST).all()


def test_the_sensor_errs_as_told() -> None:
    truth, sensed = scene(2, 0, clean=True).depth, scene(2, 0).depth
    lost = np.isnan(sensed)
    assert 0.01 < lost.mean() < 0.15
    off = np.abs(sensed - truth)[~lost]
    assert 0.005 < np.median(off) < 0.06
    assert np.nanmax(np.abs(sensed * 1e3 - np.rint(sensed * 1e3))) < 1e-2


def test_a_counter_hides_what_is_behind_it() -> None:
    free, behind = scene(1, 4, depth_size=HALF), scene(1, 4, depth_size=HALF, counter=True)
    hips = [COCO_18.joint("left_hip"), COCO_18.joint("right_hip")]
    assert not behind.visible[:, hips].any()
    assert behind.visible.sum() < free.visible.sum()


def test_errors_are_told_in_millimetres_and_shares() -> None:
    shown = scene(3, 0, depth_size=HALF)
    exact = errors([shown], [shown.surface.astype(np.float32)])
    assert (exact["placed"], exact["outliers"], exact["surface_mm"]) == (1.0, 0.0, 0.0)
    wrong = errors([shown], [(shown.surface + np.array([0, 0, 0.2])).astype(np.float32)])
    assert wrong["outliers"] == 1.0
    assert wrong["surface_mm"] == pytest.approx(200.0, abs=0.1)


def test_rooms_in_which_nothing_is_seen_are_one_sentence() -> None:
    shown = scene(3, 0, depth_size=HALF)
    with pytest.raises(ValueError, match="no joint was placed"):
        errors([shown], [np.full(shown.surface.shape, np.nan, np.float32)])


def test_the_command_writes_a_row_for_every_room_and_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    arguments = ["lifting", "--people", "1", "2", "--scenes", "1", "--repeats", "1", "--json", str(out)]
    assert main(arguments) == 0
    rows = json.loads(out.read_text())["lifting"]
    assert {(row["room"], row["people"], row["reading"]) for row in rows} == {
        (room, count, reading) for room in ROOMS for count in (1, 2) for reading in ("pixel", "lift")
    }
    assert "surface_mm" in capsys.readouterr().out
