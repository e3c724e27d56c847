"""The memory benchmark: resident size at the start, half way and at the end."""

from __future__ import annotations

import mmap
import sys

import pytest

from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.benchmark import memory
from openpose_ros.estimator import Estimator
from openpose_ros.options import InputOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def estimator() -> Estimator:
    return Estimator(SyntheticBackend(synthetic_card()), InputOptions(input_size="64"))


@pytest.mark.parametrize(("frames", "at"), [(12, [6, 12]), (1, [1]), (2, [1, 2])])
def test_the_size_is_read_half_way_and_at_the_end(
    estimator: Estimator, frames: int, at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "SETTLE", frames)
    rows = memory.rows(estimator, frames)
    assert [row["frames"] for row in rows] == at
    assert all(row["resident_mb"] > 10 for row in rows)


def test_the_first_size_is_read_once_caches_are_full(estimator: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE", 3)
    assert [row["frames"] for row in memory.rows(estimator, 10)] == [3, 5, 10]


def test_the_resident_size_is_that_of_this_process() -> None:
    before = memory.resident_megabytes()
    with mmap.mmap(-1, 64_000_000) as held:  # never of memory that was used and freed before
        held.write(b"x" * len(held))
        assert memory.resident_megabytes() - before > 40


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_memory_does_not_grow_with_the_frames(estimator: Estimator) -> None:
    rows = memory.rows(estimator, 10_000)
    assert rows[-1]["resident_mb"] - rows[0]["resident_mb"] < 10
