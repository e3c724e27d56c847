"""Expectations of people: they move on, fade, widen, and follow what is seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.backends.synthetic import STANDING
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18, SKELETONS, Skeleton
from openpose_ros.tracks import FADING, SWING_MOST, Build, Seen, Tracks

EVERYBODY = np.ones(1, np.bool_)
FIRST = np.zeros(1, np.intp)
WRIST = COCO_18.joint("left_wrist")


def seen(x: float = 100.0, height: float = 200.0, skeleton: Skeleton = COCO_18, hidden: tuple[int, ...] = ()) -> Seen:
    xy = np.array([[STANDING[name] for name in skeleton.joints]]) * height + (x, 50.0)
    xy[:, list(hidden)] = np.nan
    return Seen.of(People.from_arrays(skeleton, xy, (480, 640)), Build.of(skeleton))


def heights(size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sqrt(seen().squared_height(size))


def followed(tracks: Tracks, x: float, seconds: float, height: float = 200.0) -> None:
    """An image later the body is at x."""
    tracks.advance(seconds)
    found = seen(x, height)
    tracks.meet(FIRST, found, FIRST, (found.xy - tracks.xy).mean(1))


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_the_height_is_known_from_any_part_of_the_body(skeleton: Skeleton) -> None:
    knees = tuple(j for j, name in enumerate(skeleton.joints) if "knee" in name or "ankle" in name or "toe" in name)
    for hidden in ((), knees, tuple(j for j in range(len(skeleton.joints)) if j not in knees)):
        assert heights(seen(skeleton=skeleton, hidden=hidden).size)[0] == pytest.approx(200.0, rel=0.05)


def test_a_height_that_nothing_tells_is_guessed_and_never_zero() -> None:
    nothing = seen(hidden=tuple(range(1, 18)))
    np.testing.assert_array_equal(nothing.size, 0.0)
    assert nothing.squared_height(nothing.size)[0] == pytest.approx((0.3 * 480.0) ** 2)


def test_joints_that_the_figure_lacks_tell_nothing_of_the_height() -> None:
    hand = Skeleton("hand", ("palm", "thumb"), ((0, 1),))
    people = People.from_arrays(hand, [[(0.0, 0.0), (500.0, 500.0)]], (480, 640))
    np.testing.assert_array_equal(Seen.of(people, Build.of(hand)).size, 0.0)


def test_joints_never_seen_are_expected_where_the_figure_has_them() -> None:
    legs = tuple(j for j, name in enumerate(COCO_18.joints) if "knee" in name or "ankle" in name)
    tracks = Tracks.begin(seen(hidden=legs), EVERYBODY)
    np.testing.assert_allclose(tracks.xy, seen().xy, atol=0.03 * 200.0)


def test_a_body_moves_on_with_its_speed_which_fades() -> None:
    tracks = Tracks.begin(seen(), EVERYBODY)
    for image in range(1, 31):
        followed(tracks, 100.0 + 5.0 * image, 1.0 / 30.0)
    assert tracks.velocity[0] == pytest.approx((150.0, 0.0), rel=0.1)
    before, speed = tracks.xy.copy(), tracks.velocity.copy()
    tracks.advance(0.1)
    np.testing.assert_allclose(tracks.xy - before, np.broadcast_to(0.1 * speed, before.shape), rtol=0.03)
    tracks.advance(100.0)
    np.testing.assert_allclose((tracks.xy - before)[0], np.broadcast_to(FADING * speed, before.shape[1:]), rtol=1e-6)
    assert np.abs(tracks.velocity).max() < 1e-6


def test_one_step_in_time_is_worth_two_halves() -> None:
    once, twice = Tracks.begin(seen(), EVERYBODY), Tracks.begin(seen(), EVERYBODY)
    for tracks, steps in ((once, 1), (twice, 2)):
        tracks.velocity[:] = 100.0, -20.0
        for _ in range(steps):
            tracks.advance(0.2 / steps)
    np.testing.assert_allclose(once.xy, twice.xy)
    np.testing.assert_allclose(once.velocity, twice.velocity)
    np.testing.assert_allclose(once.covariance, twice.covariance, rtol=0.02)


def test_what_was_long_not_seen_is_expected_less_narrowly_but_not_anywhere() -> None:
    tracks = Tracks.begin(seen(hidden=(WRIST,)), EVERYBODY)
    others = np.arange(18) != WRIST
    fresh = tracks.spread(FIRST)[0]
    assert fresh[WRIST] == pytest.approx(SWING_MOST**2, rel=0.05)
    assert (fresh[others] < 0.001).all()
    tracks.advance(0.1)
    later = tracks.spread(FIRST)[0]
    assert (later[others] > 4.0 * fresh[others]).all()
    tracks.advance(1.0)
    assert (tracks.spread(FIRST)[0] > later).all()


def test_joints_out_of_sight_go_with_the_body() -> None:
    tracks = Tracks.begin(seen(), EVERYBODY)
    tracks.advance(0.1)
    moved = seen(130.0, hidden=(WRIST,))
    tracks.meet(FIRST, moved, FIRST, np.array([[30.0, 0.0]]))
    assert tracks.xy[0, WRIST] - seen().xy[0, WRIST] == pytest.approx((30.0, 0.0), abs=3.0)
    assert tracks.stale[0, WRIST] == pytest.approx(0.1)
    assert not np.delete(tracks.stale[0], WRIST).any()


def test_who_comes_nearer_grows() -> None:
    tracks = Tracks.begin(seen(height=100.0), EVERYBODY)
    for image in range(1, 61):
        followed(tracks, 100.0, 1.0 / 30.0, height=100.0 + 2.0 * image)
    assert 180.0 < heights(tracks.size)[0] < 220.0


def test_near_and_far_people_move_alike() -> None:
    near, far = (Tracks.begin(seen(0.0, height), EVERYBODY) for height in (400.0, 100.0))
    for image in range(1, 10):
        followed(near, 12.0 * image, 0.1, 400.0)
        followed(far, 3.0 * image, 0.1, 100.0)
    np.testing.assert_allclose(near.velocity, 4.0 * far.velocity)
    np.testing.assert_allclose(near.covariance, far.covariance)
