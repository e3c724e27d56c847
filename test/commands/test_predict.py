"""``predict`` from a source to files, with the synthetic backend and, where they are at hand, with real weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from openpose_ros import prediction
from openpose_ros.card import Card
from openpose_ros.commands.predict import main
from openpose_ros.media import frames
from openpose_ros.skeleton import COCO_18

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two photos and something that is none."""
    made = tmp_path / "photos"
    made.mkdir()
    for number, name in enumerate(("a.png", "c.jpg")):
        cv2.imwrite(str(made / name), np.full((120, 160 + 40 * number, 3), 90, np.uint8))
    (made / "b.png").write_bytes(b"torn")
    return made


@pytest.fixture
def video(tmp_path: Path) -> Path:
    writer = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (160, 120))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write videos")
    for index in range(5):
        writer.write(np.full((120, 160, 3), 20 * index, np.uint8))
    writer.release()
    return tmp_path / "walk.avi"


def synthetic(*arguments: str | Path) -> int:
    return main([*map(str, arguments), "--backend", "synthetic", "--input-size", "128"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gives_a_picture_and_json_for_each_photo(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert synthetic(folder, "--output", tmp_path / "out", "--json") == 0
    assert names(tmp_path / "out") == [
        "a_keypoints.json", "a_rendered.png", "c_keypoints.json", "c_rendered.png",
    ]  # fmt: skip
    assert "b.png" in caplog.text
    told = capsys.readouterr().out
    assert "2 frames" in told
    for stage in ("preprocess", "network", "peaks", "limbs", "assemble", "draw", "write"):
        assert f"{stage} " in told
    assert cv2.imread(str(tmp_path / "out" / "c_rendered.png")).shape == (120, 200, 3)


def test_the_people_in_the_json_are_the_people_in_the_summary(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic(folder / "a.png", "--output", tmp_path / "out", "--json", "--no-pictures") == 0
    table = json.loads((tmp_path / "out" / "a_keypoints.json").read_text())
    assert table["version"] == 1.3
    assert len(table["people"]) >= 1
    assert f"1 frame, {len(table['people'])} people" in capsys.readouterr().out
    places = np.array(table["people"][0]["pose_keypoints_2d"]).reshape(-1, 3)
    seen = places[places[:, 2] > 0]
    assert len(seen)
    assert np.all((seen[:, 0] > -5) & (seen[:, 0] < 165) & (seen[:, 1] > -5) & (seen[:, 1] < 125))


def test_a_video_gives_a_video_and_numbered_json(video: Path, tmp_path: Path) -> None:
    assert synthetic(video, "--output", tmp_path / "out", "--json", "--limit", "3") == 0
    written = names(tmp_path / "out")
    assert written[:3] == [f"walk_{index:012d}_keypoints.json" for index in range(3)]
    assert [name.rsplit(".", 1)[0] for name in written[3:]] == ["walk_rendered"]
    shown = frames(tmp_path / "out" / written[3])
    assert shown.rate == 10.0
    assert [frame.image.shape for frame in shown] == [(120, 160, 3)] * 3


def test_photos_can_become_one_video_and_a_video_pictures(folder: Path, video: Path, tmp_path: Path) -> None:
    assert synthetic(folder, "--output", tmp_path / "one", "--video", "--no-pictures") == 0
    assert [name.rsplit(".", 1)[0] for name in names(tmp_path / "one")] == ["photos_rendered"]
    assert synthetic(video, "--output", tmp_path / "two", "--no-video", "--pictures", "--limit", "2") == 0
    assert names(tmp_path / "two") == [f"walk_{index:012d}_rendered.png" for index in range(2)]


def test_people_below_the_least_score_are_left_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic(folder / "a.png", "--output", tmp_path / "out", "--min-person-score", "1.0") == 0
    assert "1 frame, 0 people" in capsys.readouterr().out


def test_every_kind_of_result_goes_where_it_is_asked_to(folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").rename(folder / "a_7.png")
    (folder / "c.jpg").unlink()
    flags = {"--json-to": "json", "--pictures-to": "pictures", "--maps-to": "maps", "--coco-json": "coco.json"}
    places = [str(tmp_path / "out" / part) if part[0] != "-" else part for pair in flags.items() for part in pair]
    assert synthetic(folder, *places, "--maps", "pafs", "--maps-format", "npz", "--video-to", tmp_path / "v.avi") == 0
    out = tmp_path / "out"
    assert names(out / "json") == ["a_7_keypoints.json"]
    assert names(out / "pictures") == ["a_7_rendered.png"]
    assert names(out / "maps") == ["a_7_pose_heatmaps.npz"]
    assert {row["image_id"] for row in json.loads((out / "coco.json").read_text())} == {7}
    assert frames(tmp_path / "v.avi").total == 1
    assert not (Path.cwd() / "predict_out").exists()


def test_a_command_line_of_openpose_does_what_it_did(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    theirs = [
        "--video", video, "--write_json", out / "json", "--write_images", out / "pictures", "--display", "0",
        "--write_images_format", "jpg", "--net_resolution", "-1x128", "--frame_first", "1", "--frame_step", "2",
        "--frame_rotate", "90", "--number_people_max", "2", "--keypoint_scale", "3", "--part_candidates",
        "--disable_blending",
    ]  # fmt: skip
    assert main([*map(str, theirs), "--backend", "synthetic"]) == 0
    assert names(out / "json") == [f"walk_{index:012d}_keypoints.json" for index in (1, 3)]
    assert names(out / "pictures") == [f"walk_{index:012d}_rendered.jpg" for index in (1, 3)]
    assert names(out) == ["json", "pictures"]
    table = json.loads((out / "json" / "walk_000000000001_keypoints.json").read_text())
    assert len(table["people"]) == 2
    places = np.array(table["people"][0]["pose_keypoints_2d"]).reshape(-1, 3)
    assert 0.0 < places[places[:, 2] > 0, :2].max() < 1.1
    assert len(table["part_candidates"][0]) == 18
    drawn = cv2.imread(str(out / "pictures" / "walk_000000000001_rendered.jpg"))
    assert drawn.shape == (160, 120, 3), "turned by a quarter"
    assert np.median(drawn) == 0, "on black"


@pytest.mark.parametrize("render", ["heatmaps", "pafs", "left_wrist", "neck-right_hip", "background"])
def test_maps_are_drawn_instead_of_people(render: str, folder: Path, tmp_path: Path) -> None:
    assert synthetic(folder / "a.png", "--output", tmp_path / "people") == 0
    assert synthetic(folder / "a.png", "--output", tmp_path / "maps", "--render", render) == 0
    people, maps = (cv2.imread(str(tmp_path / kind / "a_rendered.png")).astype(int) for kind in ("people", "maps"))
    assert np.abs(people - maps).max() > 50
    assert np.abs(maps - 90).max() > 50


def test_a_map_that_is_not_there_is_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic(folder / "a.png", "--output", tmp_path / "out", "--render", "left_hand") == 1
    assert "predict: render is 'left_hand'; expected people, heatmaps" in capsys.readouterr().err


def test_what_is_not_sure_enough_is_written_but_not_drawn(folder: Path, tmp_path: Path) -> None:
    assert synthetic(folder / "a.png", "--output", tmp_path, "--json", "--render-threshold", "1.0") == 0
    assert len(json.loads((tmp_path / "a_keypoints.json").read_text())["people"]) == 3
    assert np.abs(cv2.imread(str(tmp_path / "a_rendered.png")).astype(int) - 90).max() == 0


def test_a_stream_that_does_not_answer_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synthetic("http://127.0.0.1:9/none", "--output", tmp_path / "out") == 1
    assert "http://127.0.0.1:9/none cannot be opened" in capsys.readouterr().err


def test_a_flag_of_openpose_that_means_nothing_here_is_bad_usage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--image_dir", str(folder), "--hand"])
    assert ended.value.code == 2
    assert "--hand of OpenPose is 'true': only bodies are looked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.png"], "missing.png"),
        (["missing.png", "--model", "nowhere.yaml"], "missing.png"),
        ([str(ROOT / "setup.py")], "setup.py"),
    ],
)
def test_a_bad_source_is_one_sentence(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic(*arguments, "--output", tmp_path / "out") == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("predict: ")
    assert told in message


def test_a_missing_model_is_one_sentence(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder), "--output", str(tmp_path / "out"), "--model", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_only_unreadable_photos_are_a_failure(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synthetic(folder / "b.png", "--output", tmp_path / "out") == 1
    assert "b.png" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "flags",
    [
        ["--limit", "-1"],
        ["--input-size", "tall"],
        ["--min-person-score", "2"],
        ["--opacity", "0"],
        ["--scales", "x"],
        ["--rotate", "45"],
        ["--fourcc", "longer"],
        ["--first-frame", "5", "--last-frame", "3"],
        ["--maps", "hands"],
        ["--map-opacity", "2"],
    ],
    ids=" ".join,
)
def test_a_bad_value_is_bad_usage(flags: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(folder), *flags])
    assert ended.value.code == 2
    assert flags[-2].strip("-").replace("-", "_") in capsys.readouterr().err.replace("-", "_")


def test_without_a_display_show_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(prediction.sys, "platform", "linux")
    assert synthetic(folder, "--output", tmp_path / "out", "--show") == 1
    assert "DISPLAY" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_headless_opencv_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def headless(*arguments: object) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(prediction.cv2, "namedWindow", headless)
    assert synthetic(folder, "--output", tmp_path / "out", "--show") == 1
    assert "headless" in capsys.readouterr().err


def test_the_window_shows_every_frame_until_q(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(prediction.cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(prediction.cv2, "imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr(prediction.cv2, "waitKey", lambda wait: ord("q") if len(shown) == 3 else -1)
    assert synthetic(video, "--output", tmp_path / "out", "--show", "--json", "--no-video") == 0
    assert len(shown) == 3
    assert len(names(tmp_path / "out")) == 3


def test_ctrl_c_ends_with_what_was_done(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "0000.png"), np.full((120, 160, 3), 90, np.uint8))
    for number in range(1, 3000):
        os.link(folder / "0000.png", folder / f"{number:04d}.png")
    command = [sys.executable, "-m", "openpose_ros", "predict", str(folder), "--backend", "synthetic"]
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*command, "--input-size", "128", "--output", str(out)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (out.is_dir() and len(list(out.iterdir())) > 2):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "frames, " in told
    assert "Traceback" not in complained


@pytest.mark.shared
def test_a_real_network_finds_the_team_in_a_real_photo(shared: Path, zoo_card: Card, tmp_path: Path) -> None:
    photo = shared / "data" / "val" / "images" / "000000247917.jpg"
    out = tmp_path / "out"
    flags = ["--backend", "torch", "--precision", "float32", "--min-person-score", "0.25", "--json"]
    assert main([str(photo), "--model", str(zoo_card.path), "--output", str(out), *flags]) == 0
    people = json.loads((out / "000000247917_keypoints.json").read_text())["people"]
    found = np.array([person["pose_keypoints_2d"] for person in people]).reshape(len(people), 18, 3)

    table = json.loads((shared / "data" / "val" / "person_keypoints.json").read_text())
    annotated = [entry["keypoints"] for entry in table["annotations"] if entry["image_id"] == 247917]
    shoulders = np.array(annotated, float).reshape(len(annotated), 17, 3)[:, 5:7]
    necks = shoulders[(shoulders[..., 2] > 0).all(1), :, :2].mean(1)
    off = np.hypot(*np.moveaxis(necks[:, None] - found[None, :, COCO_18.joint("neck"), :2], -1, 0)).min(1)
    assert len(necks) >= 8
    assert (off < 10).sum() >= len(necks) - 2
