"""Where a source pixel lies in the network's input and in the fields: exact, for every size, scale and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.grid import MAX_INPUT_PIXELS, Grid, common_input

STRIDES = (1, 2, 4, 8, 16, 32)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids of every kind that the two makers make."""
    height, width = draw(st.integers(1, 6000)), draw(st.integers(1, 6000))
    stride = draw(st.sampled_from(STRIDES))
    if draw(st.booleans()):
        return Grid.short_side(height, width, draw(st.integers(16, 800)), stride, long_side=2000)
    rows, columns = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    grid = Grid.fit(height, width, rows * stride, columns * stride, stride, centred=draw(st.booleans()))
    return grid.within(grid.input_height + draw(st.integers(0, 5)) * stride, grid.input_width)


@settings(max_examples=200, deadline=None)
@given(grids(), st.tuples(st.floats(-100, 7000), st.floats(-100, 7000)))
def test_there_and_back_is_the_same_place(grid: Grid, place: tuple[float, float]) -> None:
    there = grid.to_cells(np.array([place]))
    assert grid.to_image(there) == pytest.approx(np.array([place]), abs=1e-6)
    assert grid.to_cells(grid.to_image(there)) == pytest.approx(there, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(grids())
def test_edges_of_the_picture_are_edges_of_the_valid_cells(grid: Grid) -> None:
    edges = np.array([[-0.5, -0.5], [grid.image_width - 0.5, grid.image_height - 0.5]])
    assert grid.to_cells(edges).ravel() == pytest.approx(grid.valid_cells, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(grids())
def test_the_picture_and_its_padding_fill_the_input(grid: Grid) -> None:
    assert grid.pad_top + grid.resized_height + grid.pad_bottom == grid.input_height
    assert grid.pad_left + grid.resized_width + grid.pad_right == grid.input_width
    assert (grid.field_size[0] * grid.stride, grid.field_size[1] * grid.stride) == (grid.input_height, grid.input_width)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("column", [0, 1, 7, 8, 31, 32, 95])
def test_a_column_belongs_to_the_cell_that_covers_it(stride: int, column: int) -> None:
    grid = Grid.fit(96, 96, 96, 96, stride)
    x, y = grid.to_cells(np.array([float(column), 0.0]))
    assert round(x) == column // stride
    assert round(y) == 0


@pytest.mark.parametrize(
    ("stride", "scale", "left", "cell", "pixel"),
    [
        (8, 1.0, 0, 0.0, 3.5),  # the centre of the first cell lies between the pixels 3 and 4
        (8, 1.0, 0, -0.5, -0.5),  # its left edge is the picture's edge
        (8, 0.5, 0, 0.0, 7.5),  # an image twice the input
        (8, 2.0, 0, 0.0, 1.5),  # half of it
        (4, 1.0, 0, 10.0, 41.5),
        (8, 1.0, 16, 2.0, 3.5),  # padding shifts the picture by its cells
        (8, 1.0, 12, 2.0, 7.5),
        (1, 1.0, 0, 5.0, 5.0),
    ],
)
def test_half_pixels_are_counted(stride: int, scale: float, left: int, cell: float, pixel: float) -> None:
    side = round(64 * scale)
    grid = Grid(64, 64, side, side, 256, 256, stride, pad_left=left, pad_top=left)
    assert grid.to_image(np.array([cell, cell])) == pytest.approx(np.array([pixel, pixel]))
    assert grid.to_cells(np.array([pixel, pixel])) == pytest.approx(np.array([cell, cell]))


def test_axes_scale_on_their_own() -> None:
    grid = Grid(100, 200, 50, 400, 64, 400, 8)
    assert grid.to_image(np.array([[0.0, 0.0]])) == pytest.approx(np.array([[1.5, 7.5]]))
    assert grid.pixels_per_cell == pytest.approx(8 * (0.5 + 2.0) / 2)


def test_places_are_not_changed_in_place() -> None:
    grid = Grid.fit(480, 640, 256, 456, 8)
    place = np.array([[3.0, 4.0]])
    grid.to_image(place), grid.to_cells(place)
    assert place.tolist() == [[3.0, 4.0]]


def test_unknown_places_stay_unknown() -> None:
    grid = Grid.fit(480, 640, 256, 456, 8)
    assert np.isnan(grid.to_image(np.array([np.nan, np.nan]))).all()


@pytest.mark.parametrize(
    ("image", "side", "stride", "long_side", "resized", "padded"),
    [
        ((480, 640), 368, 8, 0, (368, 491), (368, 496)),
        ((640, 480), 368, 8, 0, (491, 368), (496, 368)),
        ((368, 368), 368, 16, 0, (368, 368), (368, 368)),
        ((1, 1), 368, 8, 0, (368, 368), (368, 368)),
        ((100, 1000), 368, 8, 1312, (131, 1312), (136, 1312)),  # a panorama is bounded
        ((1, 5000), 368, 8, 1312, (1, 1312), (8, 1312)),  # and keeps at least a pixel
        ((3888, 5184), 368, 8, 1312, (368, 491), (368, 496)),
    ],
)
def test_the_short_side_decides_and_the_long_side_bounds(
    image: tuple[int, int],
    side: int,
    stride: int,
    long_side: int,
    resized: tuple[int, int],
    padded: tuple[int, int],
) -> None:
    grid = Grid.short_side(*image, side, stride, long_side)
    assert (grid.resized_height, grid.resized_width) == resized
    assert (grid.input_height, grid.input_width) == padded
    assert grid.pad_top == grid.pad_left == 0


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("image", [(480, 640), (640, 480), (1, 1), (1, 4000), (4000, 1), (255, 457), (256, 456)])
def test_fitting_keeps_the_aspect_and_touches_two_sides(image: tuple[int, int], centred: bool) -> None:
    grid = Grid.fit(*image, 256, 456, 8, centred)
    assert (grid.input_height, grid.input_width) == (256, 456)
    assert grid.resized_height == 256 or grid.resized_width == 456
    scale = min(256 / image[0], 456 / image[1])
    assert grid.resized_height == pytest.approx(image[0] * scale, abs=0.51) or grid.resized_height == 1
    assert grid.resized_width == pytest.approx(image[1] * scale, abs=0.51) or grid.resized_width == 1
    if centred:
        assert 0 <= grid.pad_bottom - grid.pad_top <= 1
        assert 0 <= grid.pad_right - grid.pad_left <= 1
    else:
        assert grid.pad_top == grid.pad_left == 0


def test_a_larger_input_moves_nothing() -> None:
    grid = Grid.fit(480, 640, 256, 456, 8)
    larger = grid.within(512, 512)
    place = np.array([[17.0, 300.0]])
    assert larger.to_cells(place) == pytest.approx(grid.to_cells(place))
    assert larger.field_size == (64, 64)


def test_the_common_input_holds_every_picture() -> None:
    wide, tall = Grid.short_side(100, 300, 96, 8), Grid.short_side(300, 100, 96, 8)
    assert common_input([wide, tall]) == (tall.input_height, wide.input_width)


@pytest.mark.parametrize("image", [(0, 10), (10, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(image: tuple[int, int]) -> None:
    for make in (lambda: Grid.short_side(*image, 368, 8), lambda: Grid.fit(*image, 256, 456, 8)):
        with pytest.raises(ValueError, match="nothing to look at"):
            make()


def test_a_gigantic_input_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="set a bound on the long side"):
        Grid.short_side(10, 10 * MAX_INPUT_PIXELS // 368**2 * 2, 368, 8)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"input_width": 100}, "not a multiple of the stride 8"),
        ({"resized_width": 200}, "does not fit"),
        ({"pad_left": 60}, "does not fit"),
        ({"pad_top": -1}, "does not fit"),
        ({"stride": 0}, "at least 1"),
        ({"image_height": 0}, "at least 1"),
    ],
)
def test_impossible_grids_are_refused(values: dict[str, Any], told: str) -> None:
    good = {
        "image_height": 64, "image_width": 64, "resized_height": 64, "resized_width": 64,
        "input_height": 96, "input_width": 96, "stride": 8,
    }  # fmt: skip
    Grid(**good)
    with pytest.raises(ValueError, match=told):
        Grid(**{**good, **values})


@pytest.mark.parametrize(
    ("image", "size", "bound", "expected"),
    [
        ((480, 640), (368, 0), 0, (368, 491)),
        ((640, 480), (368, 0), 0, (368, 276)),
        ((640, 480), (0, 368), 0, (491, 368)),
        ((100, 4000), (368, 0), 1312, (33, 1312)),
    ],
)
def test_one_side_decides_and_the_other_follows(
    image: tuple[int, int], size: tuple[int, int], bound: int, expected: tuple[int, int]
) -> None:
    grid = Grid.one_side(*image, size, 8, bound)
    assert (grid.resized_height, grid.resized_width) == expected
    assert grid.input_height % 8 == grid.input_width % 8 == 0
    assert 0 <= grid.pad_bottom < 8 and 0 <= grid.pad_right < 8


def test_a_cell_of_of_pixels_is_a_pixel() -> None:
    places = np.array([[0.0, 0.0], [639.0, 479.0], [3.25, -7.5]])
    np.testing.assert_allclose(Grid.of_pixels(480, 640).to_image(places), places, atol=1e-12)


def test_coordinates_are_counted_otherwise() -> None:
    grid = Grid.fit(480, 640, 256, 456, 8, centred=True)
    corners = np.array([[0.0, 0.0], [639.0, 479.0], [np.nan, 5.0]])
    np.testing.assert_array_equal(grid.to_scale(corners, "image"), corners)
    np.testing.assert_allclose(grid.to_scale(corners, "unit")[:2], [[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(grid.to_scale(corners, "signed")[:2], [[-1.0, -1.0], [1.0, 1.0]])
    inside = grid.to_scale(corners, "input")
    left, scale = grid.pad_left, grid.resized_width / 640
    np.testing.assert_allclose(inside[:2, 0], [0.5 * scale - 0.5 + left, 639.5 * scale - 0.5 + left])
    assert all(np.isnan(grid.to_scale(corners, scale)[2, 0]) for scale in ("image", "unit", "signed", "input"))


def test_an_image_of_one_pixel_has_no_width_to_divide_by() -> None:
    assert Grid.of_pixels(1, 1).to_scale(np.zeros((1, 2)), "unit").tolist() == [[0.0, 0.0]]
