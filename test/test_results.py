"""Annotated pictures, videos and JSON files, as OpenPose names them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.decode import Candidates
from openpose_ros.estimator import Estimator
from openpose_ros.media import Frame, frames
from openpose_ros.options import InputOptions, ResultOptions
from openpose_ros.people import People
from openpose_ros.results import ResultError, Results, Wanted
from openpose_ros.skeleton import COCO_18


def frame(stem: str = "a", size: tuple[int, int] = (48, 64)) -> Frame:
    return Frame(np.full((*size, 3), 90, np.uint8), f"{stem}.png", stem, 0.0, 0)


def somebody() -> People:
    xy = np.full((1, 18, 2), np.nan)
    xy[0, 0] = (3.5, 4.25)
    return People.from_arrays(COCO_18, xy, (48, 64))


def test_json_is_openpose_s_version_1_3(tmp_path: Path) -> None:
    with Results(Wanted(json=tmp_path / "new" / "folder")) as results:
        results.add(frame("clip_000000000007"), somebody(), None)
    (path,) = results.files
    assert path.name == "clip_000000000007_keypoints.json"
    table = json.loads(path.read_text())
    assert table["version"] == 1.3
    (person,) = table["people"]
    assert person["pose_keypoints_2d"][:6] == [3.5, 4.25, 1.0, 0.0, 0.0, 0.0]
    assert len(person["pose_keypoints_2d"]) == 54


def test_nobody_is_an_empty_list(tmp_path: Path) -> None:
    with Results(Wanted(json=tmp_path)) as results:
        results.add(frame(), People.empty(COCO_18, (48, 64)), None)
    assert json.loads((tmp_path / "a_keypoints.json").read_text()) == {"version": 1.3, "people": []}


def test_two_photos_of_one_name_both_stay(tmp_path: Path) -> None:
    with Results(Wanted(pictures=tmp_path)) as results:
        for grey in (0, 255):
            results.add(frame(), somebody(), np.full((8, 8, 3), grey, np.uint8))
    assert [path.name for path in results.files] == ["a_rendered.png", "a_1_rendered.png"]
    assert [int(cv2.imread(str(path)).mean()) for path in results.files] == [0, 255]


def test_a_video_holds_every_frame_whatever_its_size(tmp_path: Path) -> None:
    with Results(Wanted(video=tmp_path / "walk"), rate=10.0) as results:
        for size in ((48, 64), (64, 48), (10, 200), (49, 65)):
            image = np.full((*size, 3), 200, np.uint8)
            results.add(frame(size=size), somebody(), image)
    (path,) = results.files
    assert path.stem == "walk"
    shown = [one.image for one in frames(path)]
    assert [image.shape for image in shown] == [(48, 64, 3)] * 4
    assert shown[1][24, 32].mean() == pytest.approx(200, abs=12)
    assert shown[1][24, 2].mean() < 30, "an upright picture stands between black bars"


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file"):
        Results(Wanted(pictures=tmp_path / "file" / "folder"))


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    results = Results(Wanted(json=tmp_path))
    (tmp_path / "a_keypoints.json").mkdir()
    with pytest.raises(ResultError, match=r"a_keypoints\.json"):
        results.add(frame(), somebody(), None)


def looked_at(size: tuple[int, int] = (480, 640)) -> tuple[People, Candidates]:
    """People in a picture and what they were made of."""
    estimator = Estimator(SyntheticBackend(synthetic_card()), InputOptions(input_size="240"))
    job = estimator.submit([np.full((*size, 3), 90, np.uint8)])
    (people,) = job.result()
    assert job.found is not None
    return people, job.found


def triples(numbers: list[float]) -> np.ndarray:
    return np.array(numbers).reshape(-1, 3)


@pytest.mark.parametrize(
    ("scale", "factor", "shift"),
    [("input", 0.5, -0.25), ("unit", (1 / 639, 1 / 479), 0.0), ("signed", (2 / 639, 2 / 479), -1.0)],
)
def test_coordinates_are_counted_as_asked(
    scale: str, factor: float | tuple[float, float], shift: float, tmp_path: Path
) -> None:
    people, found = looked_at()
    with Results(Wanted(json=tmp_path), ResultOptions(keypoint_scale=scale, candidates=True)) as results:
        assert results.needs_found
        results.add(frame(size=(480, 640)), people, None, found)
    table = json.loads((tmp_path / "a_keypoints.json").read_text())
    numbers = triples(table["people"][0]["pose_keypoints_2d"])
    known = people.known[0]
    np.testing.assert_allclose(numbers[known, :2], people.xy[0, known] * factor + shift, atol=1e-3)
    assert not numbers[~known].any(), "an unknown joint stays 0, 0, 0"
    nose = triples(table["part_candidates"][0]["0"])
    assert np.abs(nose[:, :2] - numbers[0, :2]).max(1).min() < 1e-3


def test_candidates_are_all_joints_before_anybody_was_made_of_them(tmp_path: Path) -> None:
    people, found = looked_at()
    with Results(Wanted(json=tmp_path), ResultOptions(candidates=True)) as results:
        results.add(frame(), people[:1], None, found)
    (parts,) = json.loads((tmp_path / "a_keypoints.json").read_text())["part_candidates"]
    assert list(parts) == [str(joint) for joint in range(18)]
    for joint in range(18):
        every = triples(parts[str(joint)])
        assert (np.diff(every[:, 2]) <= 0).all()
        for person in range(len(people)):
            if people.known[person, joint]:
                assert np.abs(every[:, :2] - people.xy[person, joint]).max(1).min() < 1e-3
    assert len(triples(parts["1"])) == len(people) == 3


def test_coco_s_results_are_one_file_of_everybody(tmp_path: Path) -> None:
    results = Results(Wanted(coco=tmp_path / "new" / "coco.json"))
    results.add(frame("COCO_val2014_000000000042"), somebody(), None)
    results.add(frame("000000000043"), People.empty(COCO_18, (48, 64)), None)
    results.add(frame("7"), somebody(), None)
    results.close()
    results.close()
    rows = json.loads((tmp_path / "new" / "coco.json").read_text())
    assert [row["image_id"] for row in rows] == [42, 7]
    assert rows[0]["category_id"] == 1
    assert len(rows[0]["keypoints"]) == 3 * 17
    assert rows[0]["keypoints"][:6] == [4.0, 4.75, 1.0, 0.0, 0.0, 0.0], "COCO counts from the pixel's corner"
    assert [path.name for path in results.files] == ["coco.json"]


def test_a_photo_without_a_number_has_no_place_in_coco_s_results(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="a.png has no number"):
        Results(Wanted(coco=tmp_path / "coco.json")).add(frame(), somebody(), None)


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("float", b"\x00\x00\x40\x40"), ("npz", b"PK")])
def test_maps_are_written_as_asked(form: str, begins: bytes, tmp_path: Path) -> None:
    people, found = looked_at()
    with Results(Wanted(maps=tmp_path), ResultOptions(maps_format=form, maps="parts")) as results:
        results.add(frame(), people, None, found)
    (path,) = results.files
    assert path.name == f"a_pose_heatmaps.{form}"
    assert path.read_bytes().startswith(begins)


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "webp"])
def test_pictures_have_the_format_that_was_asked_for(suffix: str, tmp_path: Path) -> None:
    with Results(Wanted(pictures=tmp_path), ResultOptions(picture_format=suffix)) as results:
        results.add(frame(), somebody(), np.full((8, 8, 3), 200, np.uint8))
    assert cv2.imread(str(tmp_path / f"a_rendered.{suffix}")).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("name", "fourcc", "written"),
    [
        ("walk.avi", "", "walk.avi"),
        ("walk", "MJPG", "walk.avi"),
        ("walk.v2", "", "walk.v2.mp4"),
        ("w.avi", "XVID", "w.avi"),
    ],
)
def test_a_video_has_the_codec_and_the_rate_that_were_asked_for(
    name: str, fourcc: str, written: str, tmp_path: Path
) -> None:
    with Results(Wanted(video=tmp_path / name), ResultOptions(fourcc=fourcc, video_fps=12.0), rate=30.0) as results:
        for _ in range(3):
            results.add(frame(), somebody(), np.full((48, 64, 3), 200, np.uint8))
    (path,) = results.files
    if path.suffix == ".avi" and written.endswith(".mp4"):
        pytest.skip("this OpenCV can write no .mp4")
    assert path == tmp_path / written
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.0)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    if fourcc:
        code = int(capture.get(cv2.CAP_PROP_FOURCC))
        found = "".join(chr(code >> 8 * place & 255) for place in range(4))
        assert found in (fourcc, {"XVID": "FMP4"}.get(fourcc))
    capture.release()


def test_a_codec_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"can write no video .*walk.avi; take another fourcc"):
        Results(Wanted(video=tmp_path / "walk.avi"), ResultOptions(fourcc="QQQQ")).add(
            frame(), somebody(), np.full((48, 64, 3), 200, np.uint8)
        )
