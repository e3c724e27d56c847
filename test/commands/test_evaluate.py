"""``evaluate``: annotated photos in, a table and JSON out, and a sentence where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.backends.synthetic import group
from openpose_ros.card import Card
from openpose_ros.commands.evaluate import main
from openpose_ros.options import BackendOptions, DecodeOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18

Write = Callable[[list[tuple[tuple[int, int], People]]], tuple[Path, Path]]

SIZES = [(480, 640), (640, 480), (426, 640)]
FIXED = {"AP", "AP50", "AP75", "AR", "images", "network_ms", "decode_ms"}


@pytest.fixture
def dataset(coco_folder: Write) -> list[str]:
    """Flags that name photos on which the synthetic backend is right about everybody."""
    annotations, images = coco_folder(
        [(size, People.from_arrays(COCO_18, group(*size, COCO_18), size)) for size in SIZES]
    )
    return ["--model", "", "--backend", "synthetic", "--annotations", str(annotations), "--images", str(images)]


def test_a_perfect_network_measures_a_hundred(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert main([*dataset, "--short-side", "480", "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report.keys() >= FIXED
    assert report["AP"] == report["AP50"] == report["AR"] == pytest.approx(100.0)
    assert report["images"] == 3
    assert report["network_ms"] > 0
    assert report["decode_ms"] > 0
    assert report["backend"] == "synthetic"
    assert report["input"]["input_size"] == "480"
    assert report["decode"]["min_person_score"] == 0.0
    assert report["at_min_person_score"]["precision"] == report["at_min_person_score"]["recall"] == 1.0
    told = capsys.readouterr().out
    for part in ("3 photos", "short side 480", "scales 1,", "flip off", "AP75", "100.00", "milliseconds"):
        assert part in told


def test_what_was_asked_for_is_what_is_reported(dataset: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    flags = ["--short-side", "256", "--scales", "1,1.25", "--limit", "2", "--complete", "--heat-threshold", "0.05"]
    assert main([*dataset, *flags, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["images"] == 2
    assert (report["input"]["input_size"], report["input"]["scales"]) == ("256", "1,1.25")
    assert report["decode"]["complete"] is True
    assert report["decode"]["heat_threshold"] == 0.05


def test_flip_is_an_option_of_its_own(dataset: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main([*dataset, "--flip", "--limit", "1", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["input"]["flip"] is True


def test_a_card_without_people_to_find_still_has_a_report(dataset: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main([*dataset, "--min-person-score", "1", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["AP"] == 0.0


def test_every_joint_has_a_row(dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    assert main([*dataset, "--json", str(out)]) == 0
    joints = json.loads(out.read_text())["joints"]
    assert list(joints) == list(COCO_17.joints)
    assert joints["left_wrist"] == {
        "labelled": 9, "found": 9, "pck_10": 1.0, "pck_20": 1.0, "oks_50": 1.0, "oks_50_of_all": 1.0
    }  # fmt: skip
    assert "left wrist" in capsys.readouterr().out


def test_photos_without_people_show_whom_the_network_makes_up(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The synthetic backend sees three people everywhere."""
    out, empty = tmp_path / "out.json", Path(dataset[-1])
    assert main([*dataset, "--empty", str(empty), "--json", str(out)]) == 0
    found = json.loads(out.read_text())["empty"]
    assert (found["photos"], found["people"], found["people_per_photo"], found["photos_with_people"]) == (3, 9, 3.0, 3)
    assert "3.000 people a photo (9 in 3 of 3 photos)" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["missing", "no photos"])
def test_a_folder_without_photos_is_told_before_the_work(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    empty = tmp_path / "nobody"
    if kind == "no photos":
        empty.mkdir()
    Path(dataset[-1], "000000000001.jpg").unlink()  # would end the work, were it begun
    assert main([*dataset, "--empty", str(empty)]) == 1
    told = capsys.readouterr().err
    assert str(empty) in told
    assert told.startswith("evaluate: ")


def test_two_settings_are_compared_by_a_bootstrap(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert main([*dataset, "--versus", "max_people=1", "--json", str(out)]) == 0
    versus = json.loads(out.read_text())["versus"]
    assert (versus["with"], versus["resamples"], versus["seed"]) == ("max_people=1", 2000, 0)
    ap = versus["measures"]["AP"]
    assert (ap["A"], ap["B_better"], ap["is_real"]) == (100.0, 0.0, True)
    assert ap["B"] < 40.0
    assert ap["low"] <= ap["difference"] <= ap["high"] < 0.0
    told = capsys.readouterr().out
    assert "B is max_people=1" in told
    assert "2000 resamples" in told


def test_people_found_earlier_are_compared_without_running_them_again(dataset: list[str], tmp_path: Path) -> None:
    out, people = tmp_path / "out.json", tmp_path / "people.json"
    assert main([*dataset, "--people", str(people)]) == 0
    assert len(json.loads(people.read_text())) == 9
    assert main([*dataset, "--versus", str(people), "--json", str(out)]) == 0
    versus = json.loads(out.read_text())["versus"]
    assert versus["measures"]["AP"]["difference"] == 0.0
    assert versus["measures"]["AP"]["is_real"] is False
    assert "network_ms" not in versus


def test_the_worst_photos_are_drawn(dataset: list[str], tmp_path: Path) -> None:
    out, picture = tmp_path / "out.json", tmp_path / "worst.jpg"
    assert main([*dataset, "--worst", str(picture), "--worst-count", "2", "--json", str(out)]) == 0
    sheet = cv2.imread(str(picture))
    assert sheet is not None
    assert sheet.shape[1] > 1700
    listed = json.loads(out.read_text())["worst"]
    assert len(listed) == 2
    assert listed[0]["why"].startswith("all 3 found")


def test_a_split_picks_photos_and_says_what_the_network_saw(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    (tmp_path / "mine.txt").write_text("1\n3\n")
    assert main([*dataset, "--split", str(tmp_path / "mine.txt"), "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["images"] == 2
    assert report["split"] == {"name": "mine.txt", "photos": 2, "seen_in_training": 0}
    assert "CAUTION" not in capsys.readouterr().out
    monkeypatch.setattr("openpose_ros.evaluation.split.Split.seen_in_training", lambda self, card: 1)
    assert main([*dataset, "--split", str(tmp_path / "mine.txt")]) == 0
    assert "CAUTION  trained on train2017, which holds 1 of the 2 photos" in capsys.readouterr().out


def test_the_help_is_short_and_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 50
    assert max(map(len, told.splitlines())) <= 110
    for options in (DecodeOptions, BackendOptions):
        for option in options.options():
            assert f"--{option.name.replace('_', '-')}" in told


@pytest.mark.parametrize("missing", ["--model", "--annotations", "--images"])
def test_what_is_missing_on_the_command_line_is_bad_usage(
    dataset: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = dataset.index(missing)
    with pytest.raises(SystemExit) as ended:
        main(dataset[:place] + dataset[place + 2 :])
    assert ended.value.code == 2
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--short-side", "5"], "input_size is '5'"),
        (["--scales", "big"], "scales is 'big'"),
        (["--heat-threshold", "7"], "heat_threshold is 7.0"),
        (["--annotations", "nowhere.json"], "no annotation file nowhere.json"),
        (["--images", "nowhere"], "no folder of photos nowhere"),
        (["--backend", "torch", "--model", "nowhere.yaml"], "no model card at nowhere.yaml"),
        (["--split", "val-2k"], "no split 'val-2k'"),
        (["--split", "coco2014-val-1k"], "lacks 1160 of the 1160 photos"),
        (["--versus", "compleat=true"], "compleat=true is no setting"),
        (["--versus", "nowhere.yaml", "backend=torch"], "no model card at nowhere.yaml"),
        (["--versus", "nowhere.json"], "nowhere.json is not readable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_sentence_and_bad_usage(
    dataset: list[str], flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*dataset, *flags]) == 2
    err = capsys.readouterr().err
    assert err.startswith("evaluate: ")
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("content", [None, b"no picture"], ids=["missing", "unreadable"])
def test_a_photo_that_cannot_be_read_ends_it_with_its_name(
    dataset: list[str], content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = Path(dataset[-1]) / "000000000002.jpg"
    photo.unlink()
    if content is not None:
        photo.write_bytes(content)
    assert main(dataset) == 1
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert err.startswith("evaluate: ")
    assert str(photo) in err


@pytest.mark.parametrize("flag", ["--json", "--worst", "--people"])
def test_what_cannot_be_written_is_told_before_the_work(
    dataset: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main([*dataset, flag, str(tmp_path / "nowhere" / "out.jpg")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("evaluate: ")
    assert "nowhere" in captured.err


@pytest.mark.shared
def test_a_real_network_is_as_accurate_as_it_is_known_to_be(shared: Path, zoo_card: Card, tmp_path: Path) -> None:
    out, val = tmp_path / "out.json", shared / "data" / "val"
    flags: list[Any] = [
        "--model", zoo_card.path, "--annotations", val / "person_keypoints.json", "--images", val / "images",
        "--short-side", 368, "--limit", 20, "--json", out,
    ]  # fmt: skip
    assert main([str(flag) for flag in flags]) == 0
    report = json.loads(out.read_text())
    assert report.keys() >= FIXED
    assert report["images"] == 20
    assert report["precision"] == "float32"
    assert 35 < report["AP"] < 75
    assert report["AP75"] < report["AP50"]
