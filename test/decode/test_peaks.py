"""Candidates: one a summit, placed to a fraction of a cell, on every array library."""

from __future__ import annotations

from dataclasses import fields as columns
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from openpose_ros.decode.peaks import NEIGHBOURS, Peaks, find_peaks, summits
from openpose_ros.grid import Grid
from openpose_ros.render import render
from openpose_ros.skeleton import Skeleton

Maps = npt.NDArray[np.float32]

PAIR = Skeleton("pair", ("nose", "neck"), ((1, 0),))


def same(found: Peaks, expected: Peaks, back: Any = np.asarray) -> None:
    for column in columns(Peaks):
        np.testing.assert_allclose(
            back(getattr(found, column.name)), getattr(expected, column.name), rtol=1e-5, atol=1e-5
        )


def maps(*rows: list[float]) -> Maps:
    return np.array(rows, np.float32)[None, None]


def noise(seed: int, *shape: int) -> Maps:
    return np.random.default_rng(seed).random(shape, np.float32)


def lone_joint(place: npt.NDArray[np.float64], grid: Grid) -> npt.NDArray[np.float64]:
    """Where a single noiseless Gaussian, drawn at a source pixel, is found."""
    # As wide in cells as networks of stride 8 are trained on.
    drawn = render([[place, (np.nan, np.nan)]], grid, PAIR, sigma=0.875 * grid.stride)
    found = find_peaks(drawn.heatmaps, 2, 0.01, 0, drawn.grids)
    assert found.joint.tolist() == [0]
    return np.asarray(grid.to_image(np.array([found.x[0], found.y[0]], np.float64)))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    height, width = draw(st.integers(8, 1500)), draw(st.integers(8, 1500))
    stride = draw(st.sampled_from([4, 8, 16]))
    if draw(st.booleans()):
        return Grid.short_side(height, width, draw(st.sampled_from([96, 100, 184])), stride, 400)
    rows, across = draw(st.integers(5, 40)), draw(st.integers(5, 40))
    return Grid.fit(height, width, rows * stride, across * stride, stride, centred=draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(grids(), st.floats(0.002, 0.998), st.floats(0.002, 0.998))
def test_a_joint_drawn_anywhere_in_a_picture_comes_back_exactly(grid: Grid, across: float, down: float) -> None:
    assume(min(grid.field_size) >= 3)  # a parabola needs three cells
    place = np.array([across * grid.image_width - 0.5, down * grid.image_height - 0.5])
    apart = np.abs(lone_joint(place, grid) - place)
    assert apart.max() < max(0.25, 0.002 * grid.pixels_per_cell)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("size", [(480, 640), (640, 480), (300, 1200), (97, 61)])
@pytest.mark.parametrize("padding", ["none", "right and below", "centred"])
def test_a_joint_is_within_a_quarter_pixel_wherever_it_was_drawn(
    stride: int, size: tuple[int, int], padding: str
) -> None:
    height, width = size
    if padding == "none":
        grid = Grid(height, width, 192, 256, 192, 256, stride)
    else:
        grid = Grid.fit(height, width, 192, 320, stride, centred=padding == "centred")
    for x in (-0.4, 0.0, 0.31 * width, 0.5 * width, 0.77 * width, width - 1.0, width - 0.6):
        for y in (-0.4, 0.0, 0.5 * height, 0.63 * height, height - 1.0, height - 0.6):
            place = np.array([x, y])
            np.testing.assert_allclose(lone_joint(place, grid), place, rtol=0.0, atol=0.25)


def test_joints_in_the_padding_are_no_candidates() -> None:
    grid = Grid.fit(100, 50, 96, 96, 8, centred=True)
    drawn = np.zeros((1, 1, 12, 12), np.float32)
    drawn[0, 0, :, ::3] = 1.0
    drawn[0, 0, 1::2] = 0.0
    found = find_peaks(drawn, 1, 0.01, 0, (grid,))
    assert len(found.x)
    places = grid.to_image(np.stack([found.x, found.y], -1))
    assert (places[:, 0] >= -0.5 - 1e-4).all()
    assert (places[:, 0] <= 49.5 + 1e-4).all()
    everywhere = find_peaks(drawn, 1, 0.01, 0, ())
    assert len(everywhere.x) > len(found.x)


@pytest.mark.parametrize(
    ("heat", "places"),
    [
        (maps([0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]), [(1, 1)]),
        (maps([0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]), [(2, 1)]),  # of two equals the one on the right
        (maps([0, 0, 0], [0, 1, 0], [0, 1, 0]), [(1, 2)]),  # and the one below
        (maps([0, 0, 0], [0, 1, 0], [1, 0, 0]), [(0, 2)]),
        (maps([0, 0, 0], [1, 0, 0], [0, 1, 0]), [(1, 2)]),
        (maps([1, 1, 1], [1, 1, 1], [1, 1, 1]), [(2, 2)]),  # a plateau is one peak, not none
        (maps([1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 1, 1]), [(1, 1), (5, 1)]),
        (maps([1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]), [(0, 0), (3, 2)]),  # corners count
        (maps([1, 0, 1], [0, 0, 0], [1, 0, 1]), [(0, 0), (2, 0), (0, 2), (2, 2)]),
        (maps([1]), [(0, 0)]),
        (maps([0.5, 1]), [(1, 0)]),
        (maps([0.5], [1]), [(0, 1)]),
        (maps([0.1, 0.1], [0.1, 0.1]), []),  # a threshold is passed, not met
        (maps([0, 0], [0, 0]), []),
        (maps([-1, -1], [-1, -0.5]), []),
    ],
)
def test_peaks_of_small_maps(heat: Maps, places: list[tuple[int, int]]) -> None:
    found = find_peaks(heat, 1, 0.1)
    assert len(found.x) == len(places)
    for (x, y), (column, row) in zip(np.stack([found.x, found.y], -1).tolist(), places, strict=True):
        assert abs(x - column) <= 0.5
        assert abs(y - row) <= 0.5


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(2, 6))
def test_peaks_are_exactly_the_cells_that_no_neighbour_beats(seed: int, height: int, width: int, levels: int) -> None:
    heat = np.random.default_rng(seed).integers(0, levels, (2, 3, height, width)).astype(np.float32) / levels
    expected = []
    for image, joint, row, column in np.ndindex(heat.shape):
        around = [
            ((dy, dx), heat[image, joint, row + dy, column + dx])
            for dy, dx in NEIGHBOURS
            if 0 <= row + dy < height and 0 <= column + dx < width
        ]
        here = heat[image, joint, row, column]
        if here > 0.1 and all(here > there if after > (0, 0) else here >= there for after, there in around):
            expected.append((image, joint, row, column))
    found = find_peaks(heat, 3, 0.1)
    cells = np.stack([found.image, found.joint], -1)
    assert cells.tolist() == [list(peak[:2]) for peak in expected]
    for index, (image, joint, row, column) in enumerate(expected):
        assert found.score[index] == heat[image, joint, row, column]
        assert abs(found.x[index] - column) <= 0.5
        assert abs(found.y[index] - row) <= 0.5


def test_channels_beyond_the_joints_are_not_looked_at() -> None:
    heat = noise(0, 1, 4, 8, 8)
    heat[:, 3] = 5.0
    same(find_peaks(heat, 3, 0.1), find_peaks(heat[:, :3], 3, 0.1))


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_a_limit_keeps_the_strongest_of_each_joint_and_image(limit: int) -> None:
    heat = noise(1, 2, 3, 24, 24)
    heat[1, 2] = 0.0  # one map without any
    everything, some = find_peaks(heat, 3, 0.3), find_peaks(heat, 3, 0.3, limit)
    for image in range(2):
        for joint in range(3):
            all_of = np.sort(everything.score[(everything.image == image) & (everything.joint == joint)])
            kept = np.sort(some.score[(some.image == image) & (some.joint == joint)])
            assert kept.tolist() == all_of[max(0, len(all_of) - limit) :].tolist()
    order = np.stack([some.image, some.joint], -1).tolist()
    assert order == sorted(order)


def test_peaks_of_a_batch_are_those_of_each_image_alone() -> None:
    heat = noise(2, 3, 2, 10, 12)
    sizes = ((80, 96), (80, 40), (33, 96))
    where = tuple(Grid.fit(*size, 80, 96, 8) for size in sizes)
    together = find_peaks(heat, 2, 0.2, 9, where)
    for image in range(3):
        alone, mine = find_peaks(heat[image : image + 1], 2, 0.2, 9, where[image : image + 1]), together.image == image
        same(Peaks(*(getattr(together, c.name)[mine] for c in columns(Peaks))), Peaks(
            alone.image + image, alone.joint, alone.x, alone.y, alone.score
        ))  # fmt: skip
    assert set(together.image.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("limit", [0, 5])
@pytest.mark.parametrize("shape", [(2, 3, 16, 20), (1, 3, 1, 1), (1, 3, 2, 5), (2, 3, 5, 1)])
def test_every_array_library_finds_the_same(to_library: Any, to_numpy: Any, shape: tuple[int, ...], limit: int) -> None:
    heat = noise(3, *shape)
    where = tuple(Grid.fit(8 * shape[2], 5 * shape[3], 8 * shape[2], 8 * shape[3], 8) for _ in range(shape[0]))
    expected = find_peaks(heat, 3, 0.3, limit, where)
    same(find_peaks(to_library(heat), 3, 0.3, limit, where), expected, to_numpy)


def test_no_peaks_are_empty_columns_on_every_array_library(to_library: Any, to_numpy: Any) -> None:
    found = find_peaks(to_library(np.zeros((1, 3, 4, 4), np.float32)), 3, 0.1, 5)
    assert all(to_numpy(getattr(found, column.name)).shape == (0,) for column in columns(Peaks))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38, -3e38])
@pytest.mark.parametrize("place", [(0, 0), (3, 4), (7, 9)])
def test_a_broken_cell_spoils_no_place(wrong: float, place: tuple[int, int]) -> None:
    heat = noise(4, 1, 1, 8, 10)
    heat[0, 0][place] = wrong
    with np.errstate(all="ignore"):
        found = find_peaks(heat, 1, 0.1)
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.y).all()
    assert (np.abs(found.x - np.clip(found.x, -0.5, 9.5)) == 0).all()
    assert (np.abs(found.y - np.clip(found.y, -0.5, 7.5)) == 0).all()


@pytest.mark.parametrize("shape", [(1, 3, 9, 13), (2, 4, 1, 7), (1, 2, 6, 1), (3, 5, 46, 82)])
@pytest.mark.parametrize("levels", [3, 50, 0])
def test_the_compiled_loop_finds_the_very_same_cells_and_their_summits(shape: tuple[int, ...], levels: int) -> None:
    compiled = pytest.importorskip("openpose_ros.decode.compiled")
    random = np.random.default_rng(0)
    heat = random.random(shape, np.float32)
    if levels:  # plateaus
        heat = np.round(heat * levels).astype(np.float32) / levels
    for wrong in (np.nan, np.inf, -np.inf):
        heat[random.random(shape) < 0.02] = wrong
    with np.errstate(all="ignore"):
        for given, joints in ((heat, shape[1] - 1), (heat[:, :, ::-1], shape[1])):
            cell, *rest = summits(given, joints, 0.3)
            assert cell.size
            found, *columns = compiled.summits(given, joints, 0.3)
            np.testing.assert_array_equal(found, cell)
            for column, expected in zip(columns, rest, strict=True):
                assert column.dtype == np.float32
                np.testing.assert_allclose(column, expected, rtol=1e-6, atol=1e-5)
