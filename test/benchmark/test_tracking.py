"""The tracking benchmark counts what it says, and the tracker beats the nearest middle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpose_ros.benchmark import walk
from openpose_ros.benchmark.tracking import Nearest, cost, identity, mistakes, smoothing
from openpose_ros.commands import benchmark
from openpose_ros.options import TrackOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18


def moment(stamp: float, who: list[int]) -> walk.Moment:
    people = People.from_arrays(COCO_18, np.ones((len(who), 18, 2)), walk.SIZE)
    return walk.Moment(stamp, people, np.array(who, np.int64), np.empty((0, 18, 3)), np.empty(0, np.int64))


class Says:
    """Gives the ids that it was told, image after image."""

    def __init__(self, *ids: list[int]) -> None:
        self.ids = iter(ids)

    def __call__(self, people: People, stamp: float) -> People:
        return replace(people, id=np.array(next(self.ids), np.int32))


@pytest.mark.parametrize(
    ("who", "ids", "expected"),
    [
        ([[0, 1], [1, 0]], [[5, 6], [6, 5]], (2, 0, 0, 0)),
        ([[0], [0], [0]], [[5], [6], [5]], (1, 2, 1, 0)),
        ([[0, 1], [0, 1]], [[5, 6], [6, 5]], (2, 2, 2, 2)),
        ([[0], [], [0]], [[5], [], [6]], (1, 1, 1, 0)),
        ([[0], [1]], [[5], [5]], (2, 0, 0, 1)),
        ([[0], [0], [0]], [[5], [-1], [5]], (1, 0, 0, 0)),
        ([[walk.NOBODY, 0], [0, walk.NOBODY]], [[5, 6], [6, 7]], (1, 0, 0, 0)),
    ],
)
def test_mistakes_are_counted(who: list[list[int]], ids: list[list[int]], expected: tuple[int, ...]) -> None:
    moments = [moment(0.1 * frame, people) for frame, people in enumerate(who)]
    found = mistakes(moments, Says(*ids))
    assert (found["people"], found["switches"], found["fragments"], found["shared"]) == expected


def test_the_nearest_of_the_image_before_is_the_same_and_who_is_far_is_not() -> None:
    figure = walk.project(walk.body(walk.Walker(((0.0, 0.0, 4.0),) * 2), 0.0))
    follow = Nearest(2.0)

    def ids(stamp: float, *shifts: float) -> list[int]:
        xy = np.array([figure + np.array([shift, 0.0]) for shift in shifts]).reshape(-1, 18, 2)
        return follow(People.from_arrays(COCO_18, xy, walk.SIZE), stamp).id.tolist()

    assert ids(0.0, 0.0, 150.0) == [1, 2]
    assert ids(0.1, 160.0, 10.0) == [2, 1]
    assert ids(0.2) == []
    assert ids(0.3, 10.0, -250.0) == [1, 3]
    assert ids(5.0, 10.0) == [4]


def test_the_tracker_makes_a_fraction_of_the_mistakes() -> None:
    rows = list(identity(TrackOptions(), 2, rates=(10.0,)))
    assert [row["scene"] for row in rows[::2]] == list(walk.SCENES)
    ours, theirs = (sum(row["switches"] for row in rows if row["follower"] == name) for name in ("tracker", "nearest"))
    assert ours < 0.2 * theirs
    people = [row["people"] for row in rows]
    assert people[::2] == people[1::2]
    assert min(people) > 0


def test_smoothing_is_compared_with_what_was_observed() -> None:
    rows = {row["motion"]: row for row in smoothing(TrackOptions(), 2, rates=(30.0,))}
    assert rows["standing"]["error"] < 0.6
    assert rows["standing"]["jitter"] < 0.35
    assert rows["walking"]["error"] < 1.1
    assert rows["walking"]["jitter"] < 0.8
    loose = {r["motion"]: r for r in smoothing(TrackOptions(smooth_min_cutoff=100.0), 1, rates=(30.0,))}
    assert loose["standing"]["jitter"] > 0.8


def test_there_is_a_cost_for_every_number_of_people() -> None:
    rows = list(cost(TrackOptions(), (1, 3), 3))
    assert [row["people"] for row in rows] == [1, 3]
    assert all(0 < row["median_ms"] <= row["p95_ms"] for row in rows)


def test_the_command_prints_and_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    arguments = ["tracking", "--seeds", "1", "--people", "1", "2", "--repeats", "2", "--track-memory", "1.5"]
    assert benchmark.main([*arguments, "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["tracking"]
    assert {row["what"] for row in rows} == {"identity", "smoothing", "cost"}
    assert [row["people"] for row in rows if row["what"] == "cost"] == [1, 2]
    told = capsys.readouterr().out
    assert "switches" in told and "jitter" in told and "median_ms" in told
    assert benchmark.main([*arguments, "--track-memory", "1000"]) == 1
    assert capsys.readouterr().err.startswith("benchmark: track_memory is 1000.0; expected 0 to 60")
