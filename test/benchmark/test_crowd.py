"""Crowds of the benchmark: as many people as asked for, the same every time, as busy as real photos."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.benchmark.crowd import crowd, crowd_fields
from openpose_ros.decode.peaks import find_peaks
from openpose_ros.skeleton import SKELETONS, Skeleton


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("count", [0, 1, 5, 20, 100])
def test_a_crowd_has_so_many_whole_people_in_the_picture(skeleton: Skeleton, count: int) -> None:
    people = crowd(count, 480, 640, skeleton)
    assert people.shape == (count, len(skeleton.joints), 2)
    assert np.isfinite(people).all()
    if count:
        middle = people.mean(1)
        assert (middle > 0).all()
        assert (middle < (640, 480)).all()
        apart = np.hypot(*(middle[:, None] - middle[None]).T) + 1e6 * np.eye(count)
        assert apart.min() > 5


def test_a_seed_makes_the_same_crowd_and_another_seed_another() -> None:
    np.testing.assert_array_equal(crowd(5, 480, 640, seed=3), crowd(5, 480, 640, seed=3))
    assert np.abs(crowd(5, 480, 640, seed=3) - crowd(5, 480, 640, seed=4)).max() > 1
    first, second = crowd_fields(5, 128, 160, seed=3), crowd_fields(5, 128, 160, seed=3)
    np.testing.assert_array_equal(first.heatmaps, second.heatmaps)
    np.testing.assert_array_equal(first.pafs, second.pafs)


def test_fields_of_a_crowd_murmur_as_those_of_real_networks_do() -> None:
    fields = crowd_fields(5, 368, 656)
    assert fields.heatmaps.shape == (1, 19, 46, 82)
    assert fields.heatmaps.dtype == fields.pafs.dtype == np.float32
    certain, weak = (len(find_peaks(fields.heatmaps, 18, threshold).x) for threshold in (0.3, 0.01))
    assert certain == 5 * 18
    assert 1.5 * certain < weak < 30 * certain
