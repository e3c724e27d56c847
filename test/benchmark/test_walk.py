"""Scenes of walkers: the same for the same seed, true to geometry, and as noisy as asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from openpose_ros.benchmark import walk
from openpose_ros.benchmark.walk import LIKE_A_NETWORK, NOBODY, Noise, Pillar, Scene, Walker, body, moments, project
from openpose_ros.skeleton import COCO_18, SKELETONS, Skeleton

STANDING_AT_4 = Walker(((0.0, 0.0, 4.0), (2.0, 0.0, 4.0)))
PASSING = Walker(((0.0, -2.0, 5.0), (4.0, 2.0, 5.0)))


@pytest.mark.parametrize("make", walk.SCENES.values(), ids=walk.SCENES)
def test_a_seed_makes_the_same_moments_and_another_seed_others(make: Callable[[int], Scene]) -> None:
    assert make(3) == make(3) != make(4)
    first, second = (list(moments(make(3), 5.0, LIKE_A_NETWORK, 3)) for _ in range(2))
    assert len(first) == len(second) > 20
    for a, b in zip(first, second, strict=True):
        assert a.stamp == b.stamp
        np.testing.assert_array_equal(a.people.xy, b.people.xy)
        np.testing.assert_array_equal(a.who, b.who)
    other = list(moments(make(3), 5.0, LIKE_A_NETWORK, 4))
    assert any(not np.array_equal(a.people.xy, b.people.xy, equal_nan=True) for a, b in zip(first, other, strict=False))


@pytest.mark.parametrize("make", walk.SCENES.values(), ids=walk.SCENES)
def test_who_is_observed_is_there_and_only_once(make: Callable[[int], Scene]) -> None:
    for moment in moments(make(0), 5.0, LIKE_A_NETWORK):
        real = moment.who[moment.who != NOBODY]
        assert len(set(real.tolist())) == len(real)
        assert set(real.tolist()) <= set(moment.everybody.tolist())
        assert len(moment.who) == len(moment.people)
        assert len(moment.bodies) == len(moment.everybody)


def test_without_noise_people_are_seen_where_they_are() -> None:
    for moment in moments(Scene((PASSING, STANDING_AT_4), 1.5), 10.0):
        for row, person in enumerate(moment.who):
            known = moment.people.known[row]
            true = project(moment.bodies[moment.everybody.tolist().index(person)])
            assert known.sum() >= walk.FEWEST
            np.testing.assert_allclose(moment.people.xy[row, known], true[known], atol=1e-3)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_bodies_have_their_height_and_their_sides(skeleton: Skeleton) -> None:
    joints = body(STANDING_AT_4, 1.0, skeleton)
    assert np.isfinite(joints).all()
    assert 0.85 * 1.75 < np.ptp(joints[:, 1]) <= 1.75
    # who faces the camera has the left hand on the right of the picture
    left, right = (skeleton.joint(f"{side}_wrist") for side in ("left", "right"))
    assert joints[left, 0] > joints[right, 0]


def test_walkers_keep_to_their_way_and_swing_their_limbs() -> None:
    at = [body(PASSING, t) for t in np.arange(0.0, 4.0, 0.05)]
    neck, ankle = ([b[COCO_18.joint(name)] for b in at] for name in ("neck", "left_ankle"))
    np.testing.assert_allclose(np.diff(neck, axis=0)[:, 0], 0.05, atol=1e-9)
    np.testing.assert_allclose(np.array(neck)[:, 2], 5.0)
    ahead = np.array(ankle)[:, 0] - np.array(neck)[:, 0]
    assert ahead.max() > 0.25 and ahead.min() < -0.25
    still = [body(STANDING_AT_4, t) for t in (0.0, 0.7, 2.0)]
    np.testing.assert_array_equal(still[0], still[2])


def test_the_nearer_of_two_hides_joints_of_the_farther() -> None:
    near, far = STANDING_AT_4, replace(STANDING_AT_4, way=((0.0, 0.05, 6.0), (2.0, 0.05, 6.0)))
    bodies = np.stack([body(far, 1.0), body(near, 1.0)])
    seen = walk.in_sight(bodies)
    assert seen[1].all()
    assert 0 <= seen[0].sum() < 14
    apart = np.stack([body(replace(far, way=((0.0, 2.0, 6.0), (2.0, 2.0, 6.0))), 1.0), body(near, 1.0)])
    assert walk.in_sight(apart).all()


def test_a_pillar_hides_only_what_is_behind_it() -> None:
    bodies = body(STANDING_AT_4, 1.0)[None]
    assert not walk.in_sight(bodies, (Pillar(0.0, 1.5, 2.0),)).any()
    assert walk.in_sight(bodies, (Pillar(0.0, 1.5, 5.0),)).all()
    assert walk.in_sight(bodies, (Pillar(1.5, 1.0, 2.0),)).all()


def test_joints_outside_the_picture_are_unknown_and_nobody_behind_the_camera_is_seen() -> None:
    close = Walker(((0.0, 0.0, 1.2), (2.0, 0.0, 1.2)))
    moment = next(moments(Scene((close,), 1.0), 10.0))
    inside = (moment.people.xy >= 0) & (moment.people.xy <= (walk.SIZE[1] - 1, walk.SIZE[0] - 1))
    assert 0 < moment.people.known.sum() < 18
    assert inside[moment.people.known].all()
    behind = Walker(((0.0, 0.0, -3.0), (2.0, 0.0, -3.0)))
    assert len(next(moments(Scene((behind,), 1.0), 10.0)).people) == 0


def test_an_empty_scene_shows_nobody() -> None:
    every = list(moments(Scene((), 1.0), 10.0))
    assert len(every) == 11
    assert all(len(moment.people) == len(moment.everybody) == 0 for moment in every)


def test_noise_is_as_much_as_was_asked_for() -> None:
    scene = Scene((replace(STANDING_AT_4, way=((0.0, 0.0, 4.0), (100.0, 0.0, 4.0))),), 99.0)
    clean = next(moments(scene, 10.0)).people
    height = walk.FOCAL * np.ptp(body(scene.walkers[0], 0.0)[:, 1]) / 4.0
    every = list(moments(scene, 10.0, Noise(0.01, joints=0.2, people=0.1, ghosts=0.3, frames=0.25)))
    assert len(every) / 991 == pytest.approx(0.75, abs=0.05)
    found = [m.people.xy[m.who == 0] for m in every]
    assert np.mean([len(xy) for xy in found]) == pytest.approx(0.9, abs=0.04)
    apart = np.concatenate(found) - clean.xy
    assert np.isfinite(apart).mean() == pytest.approx(0.8, abs=0.02)
    assert np.nanstd(apart) == pytest.approx(0.01 * height, rel=0.05)
    assert np.mean([(m.who == NOBODY).sum() for m in every]) == pytest.approx(0.3, abs=0.06)


def test_legs_are_mistaken_for_each_other_on_request() -> None:
    plain, swapped = (next(moments(Scene((STANDING_AT_4,), 1.0), 10.0, Noise(swapped=s))).people.xy[0] for s in (0, 1))
    left, right = COCO_18.joint("left_ankle"), COCO_18.joint("right_ankle")
    np.testing.assert_array_equal(swapped[left], plain[right])
    np.testing.assert_array_equal(swapped[right], plain[left])
    np.testing.assert_array_equal(swapped[:8], plain[:8])
