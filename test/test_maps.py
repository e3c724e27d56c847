"""Heatmaps and PAFs as files: which map stands where, on which pixels, in which numbers."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.maps import counted, maps_file
from openpose_ros.options.files import MAPS
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18

GRID = Grid.short_side(300, 400, 150, 8)
WRIST = COCO_18.joint("left_wrist")


@pytest.fixture
def fields() -> Fields:
    """Somebody whose left arm alone is known, 150x200 of 152x200 input pixels."""
    person = np.full((1, 18, 2), np.nan)
    person[0, COCO_18.joint("left_elbow")] = (100.0, 200.0)
    person[0, WRIST] = (260.0, 200.0)
    return render(person, GRID, COCO_18)


def of_float_file(data: bytes) -> Any:
    """As OpenPose's documentation reads its float format."""
    numbers = np.frombuffer(data, np.float32)
    dimensions = int(numbers[0])
    shape = numbers[1 : 1 + dimensions].astype(int)
    return numbers[1 + dimensions :].reshape(shape)


def test_the_float_format_holds_every_map_on_the_network_s_input(fields: Fields) -> None:
    maps = of_float_file(maps_file(fields, 0, MAPS, "float", "auto"))
    assert maps.shape == (19 + 38, 152, 200)
    row, column = np.unravel_index(maps[WRIST].argmax(), maps[WRIST].shape)
    x, y = GRID.of_input_pixels().to_cells(np.array([260.0, 200.0]))
    assert (column, row) == (pytest.approx(x, abs=1.0), pytest.approx(y, abs=1.0))
    limb = COCO_18.limbs.index((COCO_18.joint("left_elbow"), WRIST))
    assert maps[19 + 2 * limb, row, column - 20] == pytest.approx(1.0, abs=0.15)
    assert maps[19 + 2 * limb + 1, row, column - 20] == pytest.approx(0.0, abs=0.05)
    assert maps[18, row, column] == pytest.approx(1.0 - maps[WRIST, row, column], abs=0.02)


def test_a_png_holds_the_maps_side_by_side(fields: Fields) -> None:
    picture = cv2.imdecode(np.frombuffer(maps_file(fields, 0, ("parts", "pafs"), "png", "auto"), np.uint8), -1)
    assert picture.shape == (152, (18 + 38) * 200)
    maps = of_float_file(maps_file(fields, 0, ("parts", "pafs"), "float", "bytes"))
    np.testing.assert_array_equal(picture.reshape(152, 56, 200).transpose(1, 0, 2), maps.astype(np.uint8))
    assert picture[0, 18 * 200] == 128


def test_numpy_s_archive_says_where_its_cells_lie(fields: Fields) -> None:
    with np.load(io.BytesIO(maps_file(fields, 0, ("parts",), "npz", "auto"))) as archive:
        assert set(archive) == {"parts", "joints", "limbs", "to_image", "paf_offset", "heat_offset"}
        np.testing.assert_array_equal(archive["parts"], fields.heatmaps[0, :18])
        assert archive["joints"][WRIST] == "left_wrist"
        scale_x, scale_y, shift_x, shift_y = archive["to_image"]
        row, column = np.unravel_index(archive["parts"][WRIST].argmax(), archive["parts"].shape[1:])
    assert (column * scale_x + shift_x, row * scale_y + shift_y) == (
        pytest.approx(260.0, abs=scale_x), pytest.approx(200.0, abs=scale_y),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("parts", "raw", [-0.2, 0.0, 0.5, 1.0, 1.1]),
        ("parts", "unit", [0.0, 0.0, 0.5, 1.0, 1.0]),
        ("parts", "signed", [-1.0, -1.0, 0.0, 1.0, 1.0]),
        ("parts", "bytes", [0, 0, 128, 255, 255]),
        ("pafs", "unit", [0.4, 0.5, 0.75, 1.0, 1.0]),
        ("pafs", "signed", [-0.2, 0.0, 0.5, 1.0, 1.0]),
        ("pafs", "bytes", [103, 128, 192, 255, 255]),
    ],
)
def test_numbers_are_counted_as_asked(kind: str, numbers: str, expected: list[float]) -> None:
    maps = np.array([-0.2, 0.0, 0.5, 1.0, 1.1], np.float32)
    np.testing.assert_allclose(counted(maps, kind, numbers), expected, atol=1e-6)


def test_a_background_that_is_not_there_is_no_map(fields: Fields) -> None:
    bare = replace(fields, heatmaps=fields.heatmaps[:, :18])
    with pytest.raises(ValueError, match="without a background map"):
        maps_file(bare, 0, MAPS, "png", "auto")
    assert maps_file(bare, 0, ("parts",), "png", "auto")
