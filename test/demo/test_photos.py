"""The demo's own photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpose_ros.demo import photos
from openpose_ros.media import MediaError, frames


def portraits() -> dict[str, np.ndarray]:
    found = {name: photos.portrait(name) for name in photos.PORTRAITS}
    if any(image is None for image in found.values()):
        pytest.skip("matplotlib and scikit-image, which carry the portraits, are not both installed")
    return {name: image for name, image in found.items() if image is not None}


def test_both_portraits_come_out_of_their_packages() -> None:
    found = portraits()
    assert found["astronaut"].shape == (512, 512, 3)
    assert found["grace_hopper"].shape == (600, 512, 3)


def test_the_crowd_has_every_row_full_and_no_gap() -> None:
    white = [np.full((60, 50, 3), 255, np.uint8), np.full((40, 40, 3), 255, np.uint8)]
    picture = photos.crowd(white, width=640, per_row=(5, 3))
    assert picture.shape[1] == 640
    assert picture.min() == 255
    narrow, square = 50 / 60, 1.0  # they take turns, from row to row
    heights = 640 / (3 * narrow + 2 * square), 640 / (narrow + 2 * square)
    assert picture.shape[0] == pytest.approx(sum(heights), abs=1.0)


def test_mirrored_portraits_are_among_the_crowd() -> None:
    half = np.zeros((40, 40, 3), np.uint8)
    half[:, :20] = 255
    picture = photos.crowd([half], width=160, per_row=(4,))
    assert picture.shape == (40, 160, 3)
    assert np.array_equal(picture[:, 40:80], half[:, ::-1])


def test_the_demo_s_folder_is_a_source_in_order(tmp_path: Path) -> None:
    portraits()
    paths = photos.demo_photos(tmp_path / "photos")
    names = [frame.name for frame in frames(tmp_path / "photos")]
    assert names == [path.name for path in paths]
    assert names[:3] == ["0_astronaut.png", "1_grace_hopper.png", "2_crowd.png"]


def test_group_photos_beside_the_checkout_are_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    portraits()
    monkeypatch.setattr(photos, "VALIDATION", tmp_path / "none")
    without = photos.demo_photos(tmp_path / "without")
    beside = tmp_path / "images"
    beside.mkdir()
    (without[0]).rename(beside / f"{photos.GROUPS[1]:012d}.jpg")
    monkeypatch.setattr(photos, "VALIDATION", beside)
    assert photos.demo_photos(tmp_path / "with")[-1].name == f"3_coco_{photos.GROUPS[1]}.png"


def test_without_any_portrait_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "portrait", lambda name: None)
    with pytest.raises(MediaError, match="skimage, matplotlib"):
        photos.demo_photos(tmp_path)
