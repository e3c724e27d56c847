"""Annotated pictures, videos and JSON files, as OpenPose names them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from openpose_ros.media import Frame, frames
from openpose_ros.people import People
from openpose_ros.results import ResultError, Results
from openpose_ros.skeleton import COCO_18


def frame(stem: str = "a", size: tuple[int, int] = (48, 64)) -> Frame:
    return Frame(np.full((*size, 3), 90, np.uint8), f"{stem}.png", stem, 0.0, 0)


def somebody() -> People:
    xy = np.full((1, 18, 2), np.nan)
    xy[0, 0] = (3.5, 4.25)
    return People.from_arrays(COCO_18, xy, (48, 64))


def test_json_is_openpose_s_version_1_3(tmp_path: Path) -> None:
    with Results(tmp_path / "new" / "folder", pictures=False, json=True) as results:
        results.add(frame("clip_000000000007"), somebody(), None)
    (path,) = results.files
    assert path.name == "clip_000000000007_keypoints.json"
    table = json.loads(path.read_text())
    assert table["version"] == 1.3
    (person,) = table["people"]
    assert person["pose_keypoints_2d"][:6] == [3.5, 4.25, 1.0, 0.0, 0.0, 0.0]
    assert len(person["pose_keypoints_2d"]) == 54


def test_nobody_is_an_empty_list(tmp_path: Path) -> None:
    with Results(tmp_path, pictures=False, json=True) as results:
        results.add(frame(), People.empty(COCO_18, (48, 64)), None)
    assert json.loads((tmp_path / "a_keypoints.json").read_text()) == {"version": 1.3, "people": []}


def test_two_photos_of_one_name_both_stay(tmp_path: Path) -> None:
    with Results(tmp_path) as results:
        for grey in (0, 255):
            results.add(frame(), somebody(), np.full((8, 8, 3), grey, np.uint8))
    assert [path.name for path in results.files] == ["a_rendered.png", "a_1_rendered.png"]
    assert [int(cv2.imread(str(path)).mean()) for path in results.files] == [0, 255]


def test_a_video_holds_every_frame_whatever_its_size(tmp_path: Path) -> None:
    with Results(tmp_path, pictures=False, video="walk", rate=10.0) as results:
        for size in ((48, 64), (64, 48), (10, 200), (49, 65)):
            image = np.full((*size, 3), 200, np.uint8)
            results.add(frame(size=size), somebody(), image)
    (path,) = results.files
    assert path.stem == "walk_rendered"
    shown = [one.image for one in frames(path)]
    assert [image.shape for image in shown] == [(48, 64, 3)] * 4
    assert shown[1][24, 32].mean() == pytest.approx(200, abs=12)
    assert shown[1][24, 2].mean() < 30, "an upright picture stands between black bars"


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file"):
        Results(tmp_path / "file" / "folder")


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    results = Results(tmp_path, pictures=False, json=True)
    (tmp_path / "a_keypoints.json").mkdir()
    with pytest.raises(ResultError, match=r"a_keypoints\.json"):
        results.add(frame(), somebody(), None)
