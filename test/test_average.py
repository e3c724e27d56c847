"""Several looks averaged: mirrored and scaled passes say the same as the first one, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.average import Pass, _brought_maps, _brought_mirror, average, forget_tables, interpolation, seen_on
from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode import decode
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import plan
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, SKELETONS, Skeleton

Places = npt.NDArray[np.float64]
Check = Callable[[People, Places, float], None]


def standing(count: int, height: int, width: int, seed: int = 0) -> Places:
    """People who keep away from the borders, beyond which there is nothing to average."""
    middle = np.array([width, height]) / 2
    return middle + 0.85 * (crowd(count, height, width, seed=seed) - middle)


def in_a_mirror(people: Places, width: int, skeleton: Skeleton) -> Places:
    """The same people in the mirrored picture: left is right there."""
    turned = people[:, list(skeleton.mirrored)].copy()
    turned[..., 0] = width - 1 - turned[..., 0]
    return turned


def look(
    people: Places,
    grid: Grid,
    skeleton: Skeleton = COCO_18,
    paf_offset: float = 0.0,
    heat_offset: tuple[float, float] = (0.0, 0.0),
    mirrored: bool = False,
) -> Pass:
    """What a network with these offsets answers to a picture of people, or to the mirrored picture."""
    shown = in_a_mirror(people, grid.image_width, skeleton) if mirrored else people
    shifted = grid.to_image(grid.to_cells(shown) + heat_offset)
    fields = render(shifted, grid, skeleton, paf_offset=paf_offset)
    return Pass(replace(fields, heat_offset=heat_offset), mirrored)


def grid_of(height: int, width: int, scale: float = 1.0, stride: int = 8, side: int = 368) -> Grid:
    return plan((height, width), InputOptions(input_size=str(side)), stride, scale)


def people_in(fields: Fields) -> People:
    return decode(fields, DecodeOptions(heat_threshold=0.05))[0]


def test_a_single_pass_is_returned_as_it_is() -> None:
    fields = look(crowd(2, 480, 640), grid_of(480, 640), COCO_18, 0.3, (0.1, 0.1)).fields
    assert average([Pass(fields, False)]) is fields


def test_equal_passes_are_their_own_mean() -> None:
    one = look(crowd(2, 480, 640), grid_of(480, 640))
    mean = average([one, one, one])
    np.testing.assert_allclose(mean.heatmaps, one.fields.heatmaps, atol=1e-5)
    np.testing.assert_allclose(mean.pafs, one.fields.pafs, atol=1e-5)
    assert mean.grids == one.fields.grids


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_a_mirrored_pass_on_whole_cells_is_the_original(skeleton: Skeleton) -> None:
    people, grid = crowd(2, 368, 496, skeleton), Grid.fit(368, 496, 368, 496, 8)
    plain, turned = look(people, grid, skeleton), look(people, grid, skeleton, mirrored=True)
    back = average([turned])
    np.testing.assert_allclose(back.heatmaps, plain.fields.heatmaps, atol=1e-4)
    np.testing.assert_allclose(back.pafs, plain.fields.pafs, atol=1e-4)


@pytest.mark.parametrize("offsets", [(0.0, (0.0, 0.0)), (0.44, (0.0, 0.0)), (0.0, (0.3, -0.2)), (0.33, (-0.1, 0.15))])
@pytest.mark.parametrize("size", [(480, 640), (481, 643), (333, 777), (640, 427)])
def test_people_of_a_mirrored_pass_stand_where_those_of_the_first_do(
    same_people: Check, size: tuple[int, int], offsets: tuple[float, tuple[float, float]]
) -> None:
    people, grid = standing(2, *size), grid_of(*size)
    first, turned = look(people, grid, COCO_18, *offsets), look(people, grid, COCO_18, *offsets, mirrored=True)
    for passes in ([turned], [first, turned]):
        mean = average(passes)
        assert (mean.paf_offset, mean.heat_offset) == (0.0, (0.0, 0.0))
        same_people(people_in(mean), people, 0.3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_pafs_are_read_where_they_were_drawn(mirrored: bool) -> None:
    # Whole cells, so that nothing is interpolated and every cell must be the same.
    people, grid = standing(2, 368, 496), Grid.fit(368, 496, 368, 496, 8)
    plain = look(people, grid).fields
    shifted = look(people, grid, COCO_18, 1.0, (2.0, -1.0), mirrored)
    mean = average([shifted, shifted])
    inside = (..., slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(mean.pafs[inside], plain.pafs[inside], atol=1e-4)
    np.testing.assert_allclose(mean.heatmaps[inside], plain.heatmaps[inside], atol=1e-4)
    assert plain.pafs[inside].max() > 0.9


def test_offsets_that_are_not_taken_out_would_show() -> None:
    """What the test above rests on: it could fail."""
    people, grid = crowd(1, 480, 640), grid_of(480, 640)
    turned = look(people, grid, COCO_18, 0.0, (0.4, 0.0), mirrored=True)
    forgotten = Pass(replace(turned.fields, heat_offset=(0.0, 0.0)), True)
    assert np.abs(people_in(average([forgotten])).xy - people).max() > 2


@pytest.mark.parametrize("scales", [(1.0, 1.5), (1.0, 0.75), (1.0, 0.5, 1.5, 2.0), (0.75, 1.0)])
@pytest.mark.parametrize("size", [(480, 640), (333, 777)])
def test_passes_at_other_scales_agree_on_where_people_are(
    same_people: Check, size: tuple[int, int], scales: tuple[float, ...]
) -> None:
    people = standing(1, *size)
    passes = [look(people, grid_of(*size, scale), COCO_18, 0.3, (0.1, -0.1)) for scale in scales]
    mean = average(passes)
    assert mean.grids == passes[0].fields.grids
    same_people(people_in(mean), people, 0.3 * max(1.0, mean.grids[0].pixels_per_cell / 10.5))


def test_scales_and_mirrors_together_agree(same_people: Check) -> None:
    people = standing(2, 480, 643)
    passes = [
        look(people, grid_of(480, 643, scale), COCO_18, 0.33, (0.1, 0.1), mirrored)
        for scale in (1.0, 1.5)
        for mirrored in (False, True)
    ]
    same_people(people_in(average(passes)), people, 0.3)


def test_images_of_a_batch_are_averaged_each_with_itself() -> None:
    sizes = [(480, 640), (400, 300)]
    people = [standing(2, *size, seed=seed) for seed, size in enumerate(sizes)]

    def batch(mirrored: bool) -> Pass:
        grids = [grid_of(*size) for size in sizes]
        height, width = (max(grid.field_size[axis] for grid in grids) * 8 for axis in (0, 1))
        looks = [
            look(truth, grid.within(height, width), COCO_18, 0.3, (0.1, 0.0), mirrored).fields
            for truth, grid in zip(people, grids, strict=True)
        ]
        return Pass(
            replace(
                looks[0],
                heatmaps=np.concatenate([fields.heatmaps for fields in looks]),
                pafs=np.concatenate([fields.pafs for fields in looks]),
                grids=tuple(grid.within(height, width) for grid in grids),
            ),
            mirrored,
        )

    together = average([batch(False), batch(True)])
    for found, truth in zip(decode(together, DecodeOptions(heat_threshold=0.05)), people, strict=True):
        assert len(found) == 2
        np.testing.assert_allclose(np.sort(found.xy[:, 1, 0]), np.sort(truth[:, 1, 0]), atol=0.3)


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_every_array_library_averages_the_same(library: str) -> None:
    xp: Any = pytest.importorskip(library)
    people = crowd(2, 480, 643)
    passes = [
        look(people, grid_of(480, 643, scale, side=128), COCO_18, 0.3, (0.1, -0.1), mirrored)
        for scale, mirrored in ((1.0, False), (1.0, True), (1.5, True))
    ]
    expected = average(passes)
    there = [
        Pass(
            replace(one.fields, heatmaps=xp.asarray(one.fields.heatmaps), pafs=xp.asarray(one.fields.pafs)),
            one.mirrored,
        )
        for one in passes
    ]
    found = average(there)
    assert type(found.heatmaps) is type(there[0].fields.heatmaps)
    np.testing.assert_allclose(np.asarray(found.heatmaps), expected.heatmaps, atol=1e-5)
    np.testing.assert_allclose(np.asarray(found.pafs), expected.pafs, atol=1e-5)


def test_tables_are_brought_once_to_the_device_of_the_fields() -> None:
    """On a GPU each of them would make the frame wait. The strict library refuses to mix devices."""
    strict: Any = pytest.importorskip("array_api_strict")
    forget_tables()
    people = crowd(2, 480, 640)
    passes = [look(people, grid_of(480, 640, scale, side=128), mirrored=mirrored) for scale, mirrored in
              ((1.0, False), (1.0, True), (1.5, False))]  # fmt: skip
    for name in ("CPU_DEVICE", "device1"):
        there = strict.Device(name)
        moved = [
            Pass(
                replace(
                    one.fields,
                    heatmaps=strict.asarray(one.fields.heatmaps, device=there),
                    pafs=strict.asarray(one.fields.pafs, device=there),
                ),
                one.mirrored,
            )
            for one in passes
        ]
        assert average(moved).heatmaps.device == there
        known = _brought_maps.cache_info().misses, _brought_mirror.cache_info().misses
        average(moved)
        assert (_brought_maps.cache_info().misses, _brought_mirror.cache_info().misses) == known
    assert _brought_mirror.cache_info().currsize == 2  # one for each device
    forget_tables()
    assert _brought_maps.cache_info().currsize == 0


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(-4, 4), st.floats(-30, 60))
def test_a_constant_line_stays_constant(count: int, cells: int, pace: float, start: float) -> None:
    weights = interpolation(count, cells, pace, start)
    assert weights.shape == (count, cells)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1, 1).filter(lambda pace: abs(pace) > 0.05), st.floats(0, 1))
def test_a_straight_line_is_read_where_it_is(pace: float, part: float) -> None:
    start = 12.0 + 8 * part
    places = start + pace * np.arange(6)
    np.testing.assert_allclose(interpolation(6, 32, pace, start) @ np.arange(32.0), places, atol=0.03)


def test_reading_the_cells_themselves_changes_nothing() -> None:
    np.testing.assert_allclose(interpolation(9, 9, 1.0, 0.0), np.eye(9), atol=1e-6)
    np.testing.assert_allclose(interpolation(9, 9, -1.0, 8.0), np.eye(9)[::-1], atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25, 0.375, 0.5, 0.6, 0.9])
def test_a_summit_read_between_the_cells_stays_where_it_is(shift: float) -> None:
    cells = np.arange(40)
    for place in np.linspace(15, 16, 21):
        seen = interpolation(40, 40, 1.0, shift) @ np.exp(-((cells - place) ** 2) / (2 * 0.875**2))
        top = int(seen.argmax())
        before, at, after = np.log(seen[top - 1 : top + 2])
        assert abs(top + 0.5 * (before - after) / (before - 2 * at + after) + shift - place) < 0.03


def test_long_steps_average_what_lies_between() -> None:
    alternating = np.tile([0.0, 1.0], 32)
    inside = (interpolation(16, 64, 4.0, 1.5) @ alternating)[2:-2]
    np.testing.assert_allclose(inside, 0.5, atol=0.02)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.4, -0.3)])
def test_maps_read_on_the_pixels_of_the_image_have_their_summits_there(offset: tuple[float, float]) -> None:
    truth = np.full((1, 18, 2), np.nan)
    truth[0, 4] = (217.0, 301.0)
    grid = grid_of(480, 640)
    fields = look(truth, grid, heat_offset=offset).fields
    pixels = seen_on(fields.heatmaps[0], grid, Grid.of_pixels(480, 640), offset)
    assert pixels.shape == (19, 480, 640)
    row, column = np.unravel_index(pixels[4].argmax(), (480, 640))
    assert (column, row) == (pytest.approx(217, abs=1), pytest.approx(301, abs=1))
