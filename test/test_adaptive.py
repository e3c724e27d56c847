"""The size of the network's input follows what there is time for, calmly."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from openpose_ros.adaptive import CALM, AdaptiveSize, Change
from openpose_ros.options import AdaptiveOptions

SIZES = AdaptiveOptions().sizes()
Cost = Callable[[str, float], float]
Event = tuple[float, Change]


def network(milliseconds_at_368: float, fixed: float = 0.0) -> Cost:
    """What an image costs when the network's time follows the area and the rest is always the same."""
    return lambda size, now: 1e-3 * (fixed + milliseconds_at_368 * (int(size) / 368) ** 2)


def noisy(cost: Cost, spread: float, stalls: float = 0.0, seed: int = 0) -> Cost:
    """The same with a log-normal spread, and now and then an image that takes ten times as long."""
    random = np.random.default_rng(seed)

    def noise(size: str, now: float) -> float:
        return cost(size, now) * float(np.exp(random.normal(0.0, spread))) * (10.0 if random.random() < stalls else 1.0)

    return noise


def live(sizing: AdaptiveSize, cost: Cost, seconds: float, camera: float = 30.0, begin: float = 0.0) -> list[Event]:
    """Let images come so many times a second; what changed, and when."""
    now, changes = begin, []
    while now < begin + seconds:
        spent = cost(sizing.size, now)
        now += max(spent, 1.0 / camera)
        if (change := sizing.took(spent, now)) is not None:
            changes.append((now, change))
    return changes


@pytest.mark.parametrize(
    ("milliseconds", "expected"), [(5.0, "448"), (24.0, "368"), (30.0, "320"), (40.0, "256"), (400.0, "256")]
)
def test_the_largest_size_that_keeps_the_rate_is_found_and_kept(milliseconds: float, expected: str) -> None:
    sizing = AdaptiveSize(SIZES, 30.0)
    changes = live(sizing, network(milliseconds), 60.0)
    assert sizing.size == expected
    assert len(changes) == SIZES.index(expected), "every step is taken once, and none back"
    assert sizing.too_slow == (milliseconds == 400.0)


def test_it_begins_with_the_smallest_and_waits_between_the_steps() -> None:
    sizing = AdaptiveSize(SIZES, 30.0)
    assert sizing.size == "256"
    changes = live(sizing, network(5.0), 60.0)
    assert [(change.before, change.after) for _, change in changes] == list(pairwise(SIZES))
    times = [0.0, *(when for when, _ in changes)]
    assert all(later - earlier > CALM for earlier, later in pairwise(times))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("milliseconds", [12.0, 24.0, 30.0, 36.0])
def test_noise_and_stalls_make_no_difference(milliseconds: float, seed: int) -> None:
    calm = AdaptiveSize(SIZES, 30.0)
    live(calm, network(milliseconds), 300.0)
    sizing = AdaptiveSize(SIZES, 30.0)
    changes = live(sizing, noisy(network(milliseconds), 0.15, stalls=0.03, seed=seed), 300.0)
    assert sizing.size == calm.size
    assert len(changes) <= len(SIZES) + 1


def test_a_step_in_load_is_followed_down_at_once_and_up_when_it_is_over() -> None:
    sizing = AdaptiveSize(SIZES, 30.0)
    light, heavy = network(15.0), network(45.0)
    live(sizing, light, 60.0)
    assert sizing.size == "448"
    changes = live(sizing, heavy, 60.0, begin=60.0)
    assert sizing.size == "256"
    assert changes[-1][0] < 62.5
    (when, back), *_ = live(sizing, light, 60.0, begin=120.0)
    assert (back.before, back.after) == ("256", "320")
    assert when < 126.0
    assert sizing.size == "448"


def test_an_edge_between_two_sizes_is_crossed_less_and_less_often() -> None:
    """A larger size that costs more than its area says looks affordable again after every retreat."""

    def steep(size: str, now: float) -> float:
        return 0.020 if size == "256" else 0.040

    sizing = AdaptiveSize(("256", "264"), 30.0)
    changes = live(sizing, steep, 600.0)
    trials = [when for when, change in changes if change.after == "264"]
    assert 3 <= len(trials) <= 9
    waits = np.diff(trials)
    assert (waits[1:] >= waits[:-1] - 1.0).all()
    assert waits[-1] > 90.0


def test_a_change_says_what_it_was_for() -> None:
    sizing = AdaptiveSize(SIZES, 20.0)
    live(sizing, network(10.0), 60.0)
    (_, change), *_ = live(sizing, network(80.0), 10.0, begin=60.0)
    assert (change.before, change.after) == ("448", "256")
    assert change.cost == pytest.approx(0.080 * (448 / 368) ** 2)
    assert change.allowed == pytest.approx(0.05)


def test_one_slow_image_changes_nothing() -> None:
    sizing = AdaptiveSize(SIZES, 30.0)
    live(sizing, network(20.0), 60.0)
    before = sizing.size
    assert sizing.took(3.0, 63.0) is None
    assert live(sizing, network(20.0), 10.0, begin=63.0) == []
    assert sizing.size == before


def test_sizes_of_height_and_width_are_told_apart_by_their_area() -> None:
    options = AdaptiveOptions(adaptive_sizes="368x656, 256x456,480x480")
    assert options.sizes() == ("256x456", "480x480", "368x656")
    sizing = AdaptiveSize(options.sizes(), 10.0)
    live(sizing, lambda size, now: 0.001, 60.0)
    assert sizing.size == "368x656"


@pytest.mark.parametrize("sizes", ["", "256", "256,256", "256,368x656", "256,large", "256,8", "256;320"])
def test_sizes_that_cannot_be_compared_are_refused(sizes: str) -> None:
    with pytest.raises(ValueError, match="adaptive_sizes is .*; expected two or more different sizes"):
        AdaptiveOptions(adaptive_sizes=sizes)
