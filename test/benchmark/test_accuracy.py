"""The table of every network at hand, on photos whose people are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from openpose_ros.backends import synthetic_card
from openpose_ros.backends.synthetic import group
from openpose_ros.benchmark import accuracy
from openpose_ros.commands.benchmark import main
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with two cards; nothing else is installed."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("first", "second"):
        replace(synthetic_card(), name=name).save(folder / f"{name}.yaml")
    monkeypatch.setattr(accuracy, "model_folders", lambda: [folder])
    return folder


@pytest.fixture
def given(coco_folder: Callable[..., tuple[Path, Path]], tmp_path: Path) -> list[str]:
    """The flags of two photos, their people annotated, and of the file of results."""
    sizes = ((480, 640), (600, 500))
    annotations, images = coco_folder(
        [(size, People.from_arrays(COCO_18, group(*size, COCO_18), size)) for size in sizes]
    )
    return [
        "accuracy", "--annotations", str(annotations), "--images", str(images), "--backend", "synthetic",
        "--json", str(tmp_path / "out.json"),
    ]  # fmt: skip


def rows(given: list[str]) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = json.loads(Path(given[-1]).read_text())["accuracy"]
    return table


def test_every_network_is_measured_with_one_look_and_with_four(
    installed: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 0
    found = rows(given)
    assert [(row["network"], row["looks"]) for row in found] == [
        ("first", "one"), ("first", "four"), ("second", "one"), ("second", "four"),
    ]  # fmt: skip
    for row in found:
        if row["looks"] == "one":  # the synthetic backend answers a mirrored picture as any other
            assert row["AP"] > 95.0 and row["AP_completed"] > 95.0 and row["AP_textbook"] > 95.0
        assert row["images"] == 2
        assert row["precision"] == "float32"
        assert 0.0 < row["network_ms"] < row["photo_ms"]
    assert found[1]["input"]["scales"] == "1,1.5" and found[1]["input"]["flip"]
    assert "AP_textbook" in capsys.readouterr().out


def test_it_goes_on_where_it_was(installed: Path, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*given, "--only", "first", "--looks", "one"]) == 0
    before = rows(given)
    assert [(row["network"], row["looks"]) for row in before] == [("first", "one")]
    assert main([*given, "--only", "second", "--markdown"]) == 0
    assert rows(given)[0] == before[0]
    assert len(rows(given)) == 3
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("| first |") and line.endswith("| - | - | - | - |") for line in lines)


def test_times_to_compare_are_taken_by_turns(
    installed: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[tuple[str, int]] = []
    submit = accuracy.Estimator.submit

    def watched(self: Any, images: Any) -> Any:
        order.append((self.card.name, images[0].shape[0]))
        return submit(self, images)

    assert main([*given, "--looks", "one"]) == 0
    assert not any("by_turns" in row for row in rows(given))
    monkeypatch.setattr(accuracy.Estimator, "submit", watched)
    assert main([*given, "--looks", "one", "--by-turns", "2"]) == 0
    turns = [one for one in order if one[1] > 64]  # the first look of all is at a small grey picture
    assert turns == [(name, side) for side in (480, 600) for name in ("first", "first", "second", "second")]
    assert all(row["by_turns"] == 2 and row["photo_ms"] > 0.0 and row["AP"] > 95.0 for row in rows(given))


def test_a_network_that_was_interrupted_goes_on_with_the_photo_it_was_at(
    installed: Path, given: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    submit = accuracy.Estimator.submit
    asked: list[int] = []

    def cut_off(self: Any, images: Any) -> Any:
        if images[0].shape[0] > 64:  # no warming up
            asked.append(images[0].shape[0])
            if len(asked) == 2:
                raise KeyboardInterrupt
        return submit(self, images)

    flags = [*given, "--only", "first", "--looks", "one"]
    monkeypatch.setattr(accuracy.Estimator, "submit", cut_off)
    assert main(flags) == 130
    notes = tmp_path / "out.first.one.jsonl"
    assert len(notes.read_text().splitlines()) == 1
    notes.write_text(notes.read_text() + '[2, {"": [')  # the power went
    assert main(flags) == 0
    assert asked == [480, 600, 600]
    assert rows(given)[0]["AP"] > 95.0
    assert not notes.exists()


def test_results_of_other_photos_are_no_beginning(
    installed: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*given, "--only", "first", "--looks", "one", "--limit", "1"]) == 0
    assert main(given) == 1
    assert "measures of 1 photos, and here are 2" in capsys.readouterr().err


def test_a_file_that_is_no_network_is_named_and_the_rest_goes_on(
    installed: Path, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weights" / "below").mkdir(parents=True)
    (tmp_path / "weights" / "below" / "torn.pb").write_bytes(b"no graph")
    assert main([*given, "--weights", str(tmp_path / "weights"), "--looks", "one"]) == 0
    assert len(rows(given)) == 2
    assert "left out: torn.pb" in capsys.readouterr().err


def test_a_network_that_does_not_run_here_has_a_row_with_the_reason(installed: Path, given: list[str]) -> None:
    given[given.index("synthetic")] = "torch"
    assert main([*given, "--only", "first", "--looks", "one"]) == 0
    assert "AP" not in rows(given)[0]
    assert rows(given)[0]["trouble"]


@pytest.mark.shared
def test_the_real_networks_at_hand_are_found(shared: Path, tmp_path: Path) -> None:
    cards, trouble = accuracy.at_hand([shared / "models"], tmp_path)
    assert {"human-pose-estimation-0001", "mobilenet_thin", "mobilenet_v2_small", "mobilenet_v2_1.4"} <= {
        card.name for card in cards
    }
    assert any("topology_only" in sentence for sentence in trouble)
