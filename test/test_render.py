"""Rendering: what a perfect network would answer, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.grid import Grid
from openpose_ros.render import CUT, render
from openpose_ros.skeleton import COCO_18, Skeleton

PAIR = Skeleton("pair", ("nose", "neck"), ((1, 0),))
GRID = Grid.fit(96, 128, 96, 128, 8)
NOWHERE = (np.nan, np.nan)


def at(x: float, y: float, grid: Grid = GRID) -> tuple[float, float]:
    """Source pixel of a place in cells."""
    place = grid.to_image(np.array([x, y]))
    return float(place[0]), float(place[1])


@pytest.mark.parametrize("sigma", [4.0, 7.0, 12.0])
def test_heat_is_a_gaussian_around_the_joint(sigma: float) -> None:
    heat = render([[at(5.3, 6.8), NOWHERE]], GRID, PAIR, sigma=sigma).heatmaps[0, 0]
    rows, columns = np.mgrid[0:12, 0:16]
    exponent = 64 * ((columns - 5.3) ** 2 + (rows - 6.8) ** 2) / (2 * sigma**2)
    np.testing.assert_allclose(heat, np.where(exponent <= CUT, np.exp(-exponent), 0.0), atol=1e-6)
    assert heat[7, 5] == heat.max()


def test_heat_ends_at_one_percent() -> None:
    heat = render([[at(8.0, 6.0), NOWHERE]], GRID, PAIR).heatmaps[0, 0]
    assert heat[heat > 0].min() >= 0.0099
    assert (heat == 0).any()


def test_several_people_combine_by_the_maximum() -> None:
    first, second = [at(5.0, 6.0), NOWHERE], [at(6.0, 6.5), NOWHERE]
    together = render([first, second], GRID, PAIR).heatmaps[0, 0]
    alone = [render([person], GRID, PAIR).heatmaps[0, 0] for person in (first, second)]
    np.testing.assert_array_equal(together, np.maximum(*alone))


@pytest.mark.parametrize("background", [True, False])
def test_the_background_is_what_no_joint_covers(background: bool) -> None:
    fields = render([[at(5.0, 6.0), at(9.0, 2.0)]], GRID, PAIR, background=background)
    assert fields.heatmaps.shape == (1, 3 if background else 2, 12, 16)
    if background:
        np.testing.assert_allclose(fields.heatmaps[0, 2], 1.0 - fields.heatmaps[0, :2].max(0))


def test_a_limb_is_its_unit_vector_within_its_width() -> None:
    start, end = np.array([3.1, 2.3]), np.array([11.1, 8.3])
    paf = render([[at(*end), at(*start)]], GRID, PAIR, width=1.0).pafs[0, 0]  # the limb runs from neck to nose
    for row in range(12):
        for column in range(16):
            away = np.array([column, row]) - start
            along, aside = away @ (0.8, 0.6), away @ (-0.6, 0.8)
            inside = -1.0 <= along <= 11.0 and abs(aside) <= 1.0
            assert paf[:, row, column] == pytest.approx([0.8, 0.6] if inside else [0.0, 0.0])


def test_crossing_limbs_are_averaged() -> None:
    paf = render([[at(11.0, 6.0), at(3.0, 6.0)], [at(7.0, 10.0), at(7.0, 2.0)]], GRID, PAIR, width=0.5).pafs[0, 0]
    assert paf[:, 6, 7] == pytest.approx([0.5, 0.5])
    assert paf[:, 6, 4] == pytest.approx([1.0, 0.0])
    assert paf[:, 3, 7] == pytest.approx([0.0, 1.0])


def test_the_paf_offset_moves_limbs_and_leaves_heat() -> None:
    people = [[at(11.0, 6.0), at(3.0, 4.0)]]
    plain, moved = render(people, GRID, PAIR), render(people, GRID, PAIR, paf_offset=1.0)
    np.testing.assert_array_equal(moved.heatmaps, plain.heatmaps)
    np.testing.assert_allclose(moved.pafs[..., 1:, 1:], plain.pafs[..., :-1, :-1])
    assert moved.paf_offset == 1.0


@pytest.mark.parametrize("missing", [0, 1])
def test_a_limb_with_an_unknown_end_is_not_drawn(missing: int) -> None:
    person = [at(5.0, 6.0), at(9.0, 2.0)]
    person[missing] = NOWHERE
    fields = render([person], GRID, PAIR)
    assert not fields.pafs.any()
    assert not fields.heatmaps[0, missing].any()
    assert fields.heatmaps[0, 1 - missing].any()


def test_joints_on_the_very_same_spot_draw_no_limb() -> None:
    fields = render([[at(5.0, 6.0), at(5.0, 6.0)]], GRID, PAIR)
    assert not fields.pafs.any()
    assert np.isfinite(fields.heatmaps).all()


def test_nobody_is_all_background() -> None:
    fields = render(np.empty((0, 18, 2)), GRID, COCO_18)
    assert fields.heatmaps.shape == (1, 19, 12, 16)
    assert (fields.heatmaps[:, 18] == 1).all()
    assert not fields.heatmaps[:, :18].any()
    assert not fields.pafs.any()
    assert fields.heatmaps.dtype == fields.pafs.dtype == np.float32


def test_people_outside_the_picture_are_drawn_as_far_as_they_reach_in() -> None:
    fields = render([[at(-0.9, 6.0), at(1e7, 6.0)]], GRID, PAIR)
    assert fields.heatmaps[0, 0, 6, 0] > 0.3
    assert not fields.heatmaps[0, 1].any()
    assert np.isfinite(fields.pafs).all()
