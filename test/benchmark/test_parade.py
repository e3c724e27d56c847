"""The parade: its truth, what is measured of it on the way through two bags, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")
pytest.importorskip("scipy", reason="needs SciPy")

from openpose_ros.backends.synthetic import STANDING
from openpose_ros.benchmark import parade
from openpose_ros.benchmark.parade import WALKERS, Limits, Still, Walker
from openpose_ros.commands.benchmark import LIMITS, main
from openpose_ros.demo.photos import PORTRAITS, portrait
from openpose_ros.options import DecodeOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.default import local_model

Change = Callable[[int, Any], Any]


def figure(height: int, shade: int = 200) -> Still:
    """A grey tile with somebody who stands in the middle of it."""
    width = round(0.6 * height)
    joints = np.array([STANDING.get(name, (np.nan, np.nan)) for name in COCO_18.joints])
    places = joints * 0.9 * height + (0.5 * width, 0.05 * height)
    return Still(np.full((height, width, 3), shade, np.uint8), places)


def figures() -> list[Still]:
    return [figure(walker.height, 40 * number + 20) for number, walker in enumerate(WALKERS)]


def test_walkers_enter_move_and_leave() -> None:
    moments = list(parade.parade(figures()))
    assert len(moments) == parade.IMAGES
    seen = [set(moment.who[moment.sure].tolist()) for moment in moments]
    assert 3 not in seen[0] and 3 in seen[-1]
    assert 2 in seen[0] and 2 not in seen[-1]
    assert any({0, 1} <= there for there in seen)
    assert any(0 not in there and 1 in there for there in seen[30:60]), "nobody hides the one behind"
    for before, after in zip(moments, moments[1:], strict=False):
        both = sorted(set(before.who) & set(after.who))
        for name in both:
            way = after.truth[after.who == name] - before.truth[before.who == name]
            assert np.nanmax(np.abs(way), initial=0.0) < 10.5, "more than a few pixels from image to image"


def test_truth_lies_on_the_picture_of_the_walker() -> None:
    for moment in list(parade.parade(figures()))[::7]:
        for name, joints in zip(moment.who, moment.truth, strict=True):
            x, y = joints[np.isfinite(joints).all(-1)].round().astype(int).T
            assert (moment.image[y, x] == 40 * name + 20).mean() > 0.9


def test_what_is_hidden_or_beyond_the_border_is_no_truth() -> None:
    far, near = figure(200), figure(200)
    walkers = [Walker(0, 200, 100, ((0, 300),)), Walker(0, 200, 100, ((0, 300),))]
    (moment,) = parade.parade([far, near], walkers, 1)
    assert moment.who.tolist() == [1] and moment.sure.tolist() == [True]
    assert moment.doubtful.tolist() == [[300.0, 100.0, 420.0, 300.0]]
    walkers = [Walker(0, 200, 100, ((0, -60),))]
    (moment,) = parade.parade([far], walkers, 1)
    assert moment.who.tolist() == [0] and moment.sure.tolist() == [False]
    known = np.isfinite(moment.truth[0]).all(-1)
    assert 0 < known.sum() < 18 and (moment.truth[0, known, 0] >= 0).all()
    assert list(parade.parade([], [], 2))[1].truth.shape[0] == 0


class Knowing:
    """In place of an estimator: it knows the parade, and does to the truth what ``change`` says."""

    def __init__(self, change: Change) -> None:
        self.skeleton = COCO_18
        self.card = SimpleNamespace(name="knowing")
        self.backend = SimpleNamespace(name="none")
        self._moments = parade.parade(figures())
        self._number = 0
        self._change = change

    def submit(self, images: Any) -> Any:
        moment = next(self._moments)
        assert len(images) == 1 and (images[0] == moment.image).all(), "the bag holds other images"
        xy = self._change(self._number, moment.truth[moment.sure])
        self._number += 1
        people = People.from_arrays(COCO_18, xy, parade.SIZE)
        return SimpleNamespace(result=lambda: [people], milliseconds={"network": 1.0})


def measured(change: Change, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(parade, "stills", lambda estimator: figures())
    estimator: Any = Knowing(change)
    return parade.measure(estimator, folder)


def test_perfect_eyes_find_and_follow_everybody_through_both_bags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = measured(lambda number, truth: truth, tmp_path, monkeypatch)
    assert (row["images"], row["recall"], row["ghosts"], row["people"], row["switches"]) == (90, 1.0, 0, 4, 0)
    assert row["expected"] > 150
    assert {file.name for file in tmp_path.iterdir()} == {"parade.mcap", "poses.mcap"}


def test_who_is_overlooked_costs_recall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = measured(lambda number, truth: truth[number % 2 :], tmp_path, monkeypatch)
    assert 0.6 < row["recall"] < 0.9
    assert row["ghosts"] == 0


def test_who_is_not_there_is_a_ghost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def haunted(number: int, truth: Any) -> Any:
        ghost = figure(60).joints + np.array([500.0, 415.0])
        return np.concatenate([truth, ghost[None]]) if number % 10 == 0 else truth

    row = measured(haunted, tmp_path, monkeypatch)
    assert (row["recall"], row["ghosts"]) == (1.0, 9)


def test_tracker_that_forgets_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openpose_ros.recorded import run

    class Forgetful:
        def __init__(self, options: Any) -> None:
            self._next = 0

        def __call__(self, people: People, stamp: float) -> People:
            self._next += len(people)
            return replace(people, id=np.arange(self._next - len(people), self._next, dtype=np.int32))

    monkeypatch.setattr(run, "Tracker", Forgetful)
    row = measured(lambda number, truth: truth, tmp_path, monkeypatch)
    assert row["switches"] == row["expected"] - row["people"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_bundled_network_finds_and_follows_the_parade_within_its_limits(tmp_path: Path) -> None:
    from openpose_ros.estimator import Estimator

    if local_model() is None or any(portrait(name) is None for name in PORTRAITS):
        pytest.skip("needs a network and the packages with the portraits")
    estimator = Estimator.load()
    estimator.decode = DecodeOptions.from_mapping({**asdict(estimator.decode), **estimator.card.thresholds()})
    try:
        row = parade.measure(estimator, tmp_path)
    finally:
        estimator.close()
    assert not Limits.load(LIMITS).broken(row, time=False), row


ROW = {"recall": 0.94, "ghosts": 4, "switches": 2, "p95_ms": 6000.0}


def test_limits_that_are_not_kept_are_sentences() -> None:
    limits = Limits.load(LIMITS)
    assert limits.broken(ROW) == [
        "recall is 0.940; expected at least 0.95",
        "ghosts is 4; expected at most 3",
        "switches is 2; expected at most 1",
        "p95_ms is 6000; expected at most 5000",
    ]
    assert len(limits.broken(ROW, time=False)) == 3
    assert not limits.broken({"recall": 0.95, "ghosts": 3, "switches": 1, "p95_ms": 5000.0})


@pytest.mark.parametrize("text", ["recall: 1", "[]", "", "recall: 1\nghosts: 0\nswitches: 0\np95_ms: 1\nmore: 2"])
def test_limits_with_other_entries_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(ValueError, match="expected ghosts, p95_ms, recall, switches"):
        Limits.load(tmp_path / "limits.yaml")


def test_missing_limits_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parade", "--limits", "nowhere.yaml"]) == 1
    said = capsys.readouterr().err
    assert said == "benchmark: the limits nowhere.yaml cannot be read: No such file or directory; --limits names " + (
        "another file\n"
    )


class Blind:
    card = SimpleNamespace(name="blind")

    def __call__(self, image: Any) -> People:
        return People.empty(COCO_18, parade.SIZE)


def test_network_that_finds_nobody_is_named() -> None:
    if any(portrait(name) is None for name in PORTRAITS):
        pytest.skip("needs the packages with the portraits")
    blind: Any = Blind()
    with pytest.raises(parade.ParadeError, match="blind finds nobody on portrait"):
        parade.stills(blind)
