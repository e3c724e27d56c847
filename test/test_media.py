"""Photos, folders, videos, bags and webcams as one iterator of frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros.media import MediaError, frames, listed


def photo(path: Path, colour: tuple[int, int, int] = (10, 20, 200), size: tuple[int, int] = (24, 32)) -> Path:
    """A photo of one colour (blue, green, red); size is height, width."""
    assert cv2.imwrite(str(path), np.full((*size, 3), colour, np.uint8))
    return path


def video(path: Path, count: int, rate: float = 10.0) -> Path:
    """A video whose frame i is grey of 20 i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write videos")
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.release()
    return path


def test_a_photo_is_one_frame_named_after_its_file(tmp_path: Path) -> None:
    source = frames(photo(tmp_path / "bus.stop.png"))
    assert source.total == 1
    (frame,) = source
    assert (frame.name, frame.stem, frame.index, frame.stamp_seconds) == ("bus.stop.png", "bus.stop", 0, 0.0)
    assert frame.image.shape == (24, 32, 3)
    assert frame.image[5, 5].tolist() == [10, 20, 200]


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((8, 9), 77, np.uint8),
        np.full((8, 9, 4), 77, np.uint8),
        np.full((8, 9, 3), 77 * 257, np.uint16),
    ],
    ids=["grey", "transparent", "16 bit"],
)
def test_every_kind_of_picture_becomes_8_bit_bgr(tmp_path: Path, pixels: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    (frame,) = frames(tmp_path / "a.png")
    assert frame.image.shape == (8, 9, 3)
    assert frame.image.dtype == np.uint8
    assert np.all(frame.image == 77)


def test_a_photo_taken_with_a_turned_camera_comes_upright(tmp_path: Path) -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16] = 255  # white on the left
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    # A little-endian EXIF block of one entry: orientation (0x0112), a short, 1 value, 6: turn it right by 90 degrees.
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    block = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "turned.jpg").write_bytes(data[:2] + block + data[2:])
    (frame,) = frames(tmp_path / "turned.jpg")
    assert frame.image.shape == (32, 16, 3)
    assert frame.image[4].mean() > 200, "what was on the left is on top"
    assert frame.image[-4].mean() < 50


def test_a_folder_gives_its_photos_sorted_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.bmp", ".hidden.png"):
        photo(tmp_path / name.replace("JPG", "jpg")).rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "inner.png").mkdir()
    source = frames(tmp_path)
    assert source.total == 3
    assert [frame.name for frame in source] == ["a.JPG", "b.png", "c.bmp"]


def test_an_unreadable_photo_is_named_and_the_rest_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    photo(tmp_path / "c.png")
    with caplog.at_level(logging.WARNING):
        found = [(frame.name, frame.index, frame.stamp_seconds) for frame in frames(tmp_path)]
    assert found == [("a.png", 0, 0.0), ("c.png", 2, 2.0)]
    assert "b.png" in caplog.text


def test_several_photos_come_in_the_order_given(tmp_path: Path) -> None:
    paths = [photo(tmp_path / name) for name in ("z.png", "a.png")]
    source = frames(paths)
    assert source.total == 2
    assert [frame.name for frame in source] == ["z.png", "a.png"]


def test_a_comma_stands_between_sources_or_in_the_name_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b, c.png", "b", "d,e/f.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photo(tmp_path / name) if name.endswith(".png") else (tmp_path / name).mkdir()
    assert listed("a.png") == ["a.png"]
    assert listed("b, c.png") == ["b, c.png"]
    assert listed(f"a.png, b, c.png,{tmp_path}/d,e/f.png,b,") == ["a.png", "b, c.png", f"{tmp_path}/d,e/f.png", "b"]
    assert listed("a.png,nothing.png") == ["a.png", "nothing.png"]
    assert listed("no,where.png") == ["no,where.png"]
    assert listed("0") == ["0"]
    assert [frame.name for frame in frames(listed("b, c.png,a.png"))] == ["b, c.png", "a.png"]


def test_a_limit_ends_a_folder_and_a_video(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        photo(tmp_path / "photos" / name)
    for source in (frames(tmp_path / "photos", limit=2), frames(video(tmp_path / "v.avi", 5), limit=2)):
        assert source.total == 2
        assert len(list(source)) == 2


def test_a_video_gives_its_frames_with_stamps_and_openpose_names(tmp_path: Path) -> None:
    with frames(video(tmp_path / "walk.avi", 6)) as source:
        assert (source.total, source.rate, source.live) == (6, 10.0, False)
        found = list(source)
    assert [frame.stem for frame in found] == [f"walk_{index:012d}" for index in range(6)]
    assert [frame.stamp_seconds for frame in found] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert [round(float(frame.image.mean()) / 20) for frame in found] == [0, 1, 2, 3, 4, 5]


def test_a_closed_video_gives_no_further_frame(tmp_path: Path) -> None:
    source = frames(video(tmp_path / "walk.avi", 6))
    next(source)
    source.close()
    assert list(source) == []


def test_frames_stay_valid_after_the_next_one_was_read(tmp_path: Path) -> None:
    with frames(video(tmp_path / "walk.avi", 3)) as source:
        first = next(source)
        before = first.image.copy()
        list(source)
    assert np.array_equal(first.image, before)


@pytest.mark.parametrize("name", ["missing.png", "missing", "missing/folder"])
def test_a_missing_path_is_one_sentence_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError, match=name) as error:
        frames(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_folder_without_photos_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no photo in the folder"):
        frames(tmp_path)


def test_a_file_that_is_no_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture here")
    with pytest.raises(MediaError, match=r"notes\.txt"):
        frames(tmp_path / "notes.txt")


def test_a_photo_without_a_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    photo(tmp_path / "a.png").rename(tmp_path / "picture")
    assert [frame.name for frame in frames(tmp_path / "picture")] == ["picture"]


def test_a_missing_webcam_says_which() -> None:
    with pytest.raises(MediaError, match="webcam 97"):
        frames("97")


def test_a_folder_named_like_a_number_is_no_webcam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    photo(tmp_path / "7" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert frames("7").total == 1


WriteBag = Callable[..., Path]


def recorded(number: int, time: int, **fields: Any) -> tuple[str, str, int, Any]:
    picture = np.full((4, 6, 3), 10 * number, np.uint8)
    return "/cam/image_raw", "sensor_msgs/Image", time, {"image": picture, "frame_id": "front", **fields}


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_gives_its_images_with_the_times_of_their_recording(
    write_bag: WriteBag, tmp_path: Path, storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    times = [5_000_000_000, 5_100_000_000, 5_150_000_000, 5_500_000_000]
    messages = [recorded(number, time, **({"step": 3} if number == 1 else {})) for number, time in enumerate(times)]
    path = write_bag(tmp_path / "walk", messages, storage)
    source = frames(path)
    assert (source.total, source.recorded, source.camera) == (4, True, None)
    assert source.rate == pytest.approx(3 / 0.5)
    seen = list(source)
    assert [frame.stamp_seconds for frame in seen] == pytest.approx([0.0, 0.15, 0.5])
    assert [frame.stem for frame in seen] == [f"walk_{number:012d}" for number in (0, 2, 3)]
    assert [frame.image[0, 0, 0] for frame in seen] == [0, 20, 30]
    assert {frame.frame_id for frame in seen} == {"front"}
    assert "walk 1: step is 3 bytes" in caplog.text
    assert [frame.index for frame in frames(next(path.glob("walk.*")), limit=1)] == [0]


def test_a_bag_of_several_cameras_needs_a_topic(write_bag: WriteBag, tmp_path: Path) -> None:
    other = ("/other/image", *recorded(7, 1)[1:])
    path = write_bag(tmp_path / "two", [recorded(0, 1), other])
    with pytest.raises(MediaError, match="several image topics, /cam/image_raw, /other/image; expected one"):
        frames(path)
    assert [frame.image[0, 0, 0] for frame in frames(path, topic="/other/image")] == [70]
    with pytest.raises(MediaError, match="the topic /third is not there"):
        frames(path, topic="/third")


def test_photos_beside_a_bag_are_photos(write_bag: WriteBag, tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [recorded(0, 1)])
    photo(path / "a.png")
    assert [frame.name for frame in frames(path)] == ["a.png"]


def test_a_torn_bag_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")
    (tmp_path / "torn.mcap").write_bytes(b"torn")
    with pytest.raises(MediaError, match="torn.mcap cannot be read as a bag"):
        frames(tmp_path / "torn.mcap")
