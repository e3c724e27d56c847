"""Photos of a folder, for calibration and comparison."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("onnx")

from openpose_ros.card import Card
from openpose_ros.export import ExportError
from openpose_ros.export.pictures import Inputs, Photos
from openpose_ros.options import InputOptions
from openpose_ros.skeleton import COCO_18


def test_photos_come_as_the_network_sees_them_and_again(drawn_photos: Path) -> None:
    card = Card("any", {"type": "graph"}, COCO_18)
    inputs = Inputs(Photos(drawn_photos, 10), card, InputOptions(input_size="64"))
    first, second = list(inputs), list(inputs)
    assert [given.shape for given in first] == [(1, 3, 64, 88), (1, 3, 88, 64), (1, 3, 64, 64)]
    assert all(given.dtype == np.float32 and np.abs(given).max() <= 0.5 for given in first)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_limit_spreads_evenly(tmp_path: Path) -> None:
    for number in range(9):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    assert [int(image[0, 0, 0]) for image in Photos(tmp_path, 3)] == [0, 4, 8]


def test_a_broken_photo_is_named_once_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((8, 8, 3), np.uint8))
    photos = Photos(tmp_path, 10)
    with caplog.at_level(logging.WARNING):
        assert len(list(photos)) == len(list(photos)) == len(photos) == 1
    assert [record.getMessage().split("/")[-1] for record in caplog.records] == [
        "a.jpg cannot be read as a photo; left out"
    ]


def test_folders_without_photos_are_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="there is no folder of photos .*nowhere"):
        Photos(tmp_path / "nowhere", 10)
    with pytest.raises(ExportError, match="no photo in the folder"):
        Photos(tmp_path, 10)
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(ExportError, match="no photo in the folder .* can be read"):
        list(Photos(tmp_path, 10))
