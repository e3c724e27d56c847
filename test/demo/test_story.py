"""What the demo writes."""

from __future__ import annotations

from openpose_ros.demo.story import picture_files


def test_two_photos_of_one_stem_get_a_picture_each() -> None:
    files = picture_files(["a.jpg", "a.png", "b.jpg", "frame_001"])
    assert files == {"a.jpg": "a.jpg.png", "a.png": "a.png.png", "b.jpg": "b.png", "frame_001": "frame_001.png"}
