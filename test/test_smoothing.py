"""The One-Euro filter: calmer at rest, close behind in motion, the same for near and far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpose_ros.smoothing import one_euro

Array = npt.NDArray[np.float64]

SECONDS = 1.0 / 30.0


def smoothed(places: Array, height: float = 200.0, cutoff: float = 1.0, beta: float = 15.0) -> Array:
    """(T, J, 2) places of one person, image after image."""
    before = np.full((1, *places.shape[1:]), np.nan)
    speed = np.zeros_like(before)
    out = []
    for xy in places:
        before, speed = one_euro(xy[None], before, speed, SECONDS, np.array([height]), cutoff, beta)
        out.append(before[0])
    return np.array(out)


def resting(images: int = 120, joints: int = 18) -> Array:
    return 100.0 + np.random.default_rng(0).normal(0.0, 2.0, (images, joints, 2))


def test_jitter_at_rest_shrinks_to_a_third() -> None:
    raw = resting()
    assert np.diff(smoothed(raw), axis=0)[10:].std() < 0.35 * np.diff(raw, axis=0)[10:].std()


def test_motion_is_followed_within_a_few_hundredths_of_the_body() -> None:
    walk = np.arange(60.0)[:, None, None] * (200.0 * SECONDS, 0.0) * np.ones((1, 3, 2))  # one height a second
    lag = np.abs(smoothed(walk) - walk)[30:]
    assert lag.max() < 0.02 * 200.0
    assert np.abs(smoothed(walk, beta=0.0) - walk)[30:].min(2).max() == 0.0  # y rests
    assert np.abs(smoothed(walk, beta=0.0) - walk)[30:, :, 0].min() > 0.1 * 200.0  # without beta it lags


def test_the_first_place_stands_as_it_is() -> None:
    raw = resting(1)
    np.testing.assert_array_equal(smoothed(raw), raw)


def test_a_joint_that_was_gone_starts_anew_and_the_others_go_on() -> None:
    raw = resting(20, 2)
    raw[10, 0] = np.nan
    raw[11:, 0] += 50.0
    out = smoothed(raw)
    assert np.isnan(out[10, 0]).all()
    np.testing.assert_array_equal(out[11, 0], raw[11, 0])
    assert np.abs(out[12, 0] - raw[12, 0]).max() > 0
    alone = smoothed(raw[:, 1:])
    np.testing.assert_allclose(out[:, 1:], alone)


def test_without_time_the_places_are_taken_as_they_are() -> None:
    xy, before = np.full((1, 2, 2), 7.0), np.full((1, 2, 2), 3.0)
    with np.errstate(all="raise"):
        out, speed = one_euro(xy, before, np.ones_like(xy), 0.0, np.array([100.0]), 1.0, 15.0)
    np.testing.assert_array_equal(out, xy)
    assert not speed.any()


def test_a_long_time_leaves_nothing_of_the_past() -> None:
    out, _ = one_euro(np.full((1, 1, 2), 7.0), np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), 1e6, np.ones(1), 1.0, 0.0)
    np.testing.assert_allclose(out, 7.0, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_near_and_far_people_are_smoothed_alike(scale: float) -> None:
    raw = resting() + np.arange(120.0)[:, None, None]
    np.testing.assert_allclose(smoothed(scale * raw, scale * 200.0), scale * smoothed(raw, 200.0), rtol=1e-9)


def test_the_direction_of_motion_does_not_matter() -> None:
    raw = resting() + np.arange(120.0)[:, None, None] * (2.0, 0.0)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(smoothed(raw @ turn), smoothed(raw) @ turn, rtol=1e-9, atol=1e-9)


def test_twenty_people_are_smoothed_as_each_alone() -> None:
    random = np.random.default_rng(1)
    xy, before, speed = (random.normal(0.0, 50.0, (20, 18, 2)) for _ in range(3))
    height = random.uniform(50.0, 400.0, 20)
    together, _ = one_euro(xy, before, speed, 0.1, height, 1.0, 15.0)
    for p in range(20):
        one = slice(p, p + 1)
        alone, _ = one_euro(xy[one], before[one], speed[one], 0.1, height[one], 1.0, 15.0)
        np.testing.assert_array_equal(together[one], alone)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.floats(0.01, 100.0),
    st.floats(0.0, 100.0),
    st.floats(1.0, 2000.0),
)
def test_the_answer_lies_between_the_last_one_and_the_new_place(
    xs: list[float], cutoff: float, beta: float, height: float
) -> None:
    raw = np.array(xs)[:, None, None] * np.ones((1, 1, 2))
    out = smoothed(raw, height, cutoff, beta)
    low, high = np.minimum(out[:-1], raw[1:]), np.maximum(out[:-1], raw[1:])
    slack = 1e-9 * (1.0 + np.abs(raw[1:]) + np.abs(out[:-1]))
    assert ((out[1:] >= low - slack) & (out[1:] <= high + slack)).all()
