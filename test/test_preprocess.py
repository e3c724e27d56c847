"""Images onto the network's input: where the grid says, in any size and shape, with nothing but grey around them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.grid import Grid
from openpose_ros.options import InputOptions
from openpose_ros.preprocess import Batch, plan, prepare

Image = npt.NDArray[np.uint8]


def picture(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def shown(batch: Batch, image: int = 0) -> Image:
    """The part of the input that the picture fills."""
    grid = batch.grids[image]
    rows = slice(grid.pad_top, grid.pad_top + grid.resized_height)
    return batch.images[image, rows, grid.pad_left : grid.pad_left + grid.resized_width]


@pytest.mark.parametrize(
    ("size", "options", "stride", "scale", "input_size"),
    [
        ((480, 640), {"input_size": "368"}, 8, 1.0, (368, 496)),
        ((480, 640), {"input_size": "368"}, 8, 1.5, (552, 736)),
        ((480, 640), {"input_size": "368"}, 32, 0.5, (192, 256)),
        ((480, 640), {"input_size": "256x456"}, 8, 1.0, (256, 456)),
        ((480, 640), {"input_size": "256x456"}, 8, 0.25, (64, 112)),
        ((480, 640), {"input_size": "250x450"}, 8, 1.0, (248, 448)),  # the nearest multiples of the stride
        ((480, 640), {"input_size": "16x16"}, 64, 1.0, (64, 64)),
        ((100, 10_000), {"input_size": "368"}, 8, 1.0, (16, 1312)),
        ((100, 10_000), {"input_size": "368", "max_long_side": 656}, 8, 2.0, (16, 1312)),
        ((10_000, 100), {"input_size": "368"}, 8, 1.0, (1312, 16)),
        ((1, 1), {"input_size": "368"}, 8, 1.0, (368, 368)),
        ((480, 640), {"input_size": "16"}, 8, 0.1, (8, 16)),
        ((480, 640), {"input_size": "368xauto"}, 8, 1.0, (368, 496)),
        ((640, 480), {"input_size": "368xauto"}, 8, 1.0, (368, 280)),
        ((640, 480), {"input_size": "autox368"}, 8, 1.5, (736, 552)),
        ((100, 10_000), {"input_size": "368xauto"}, 8, 1.0, (16, 1312)),
    ],
)
def test_the_plan_follows_the_options(
    size: tuple[int, int], options: dict[str, object], stride: int, scale: float, input_size: tuple[int, int]
) -> None:
    grid = plan(size, InputOptions.from_mapping(options), stride, scale)
    assert (grid.input_height, grid.input_width) == input_size
    assert (grid.image_height, grid.image_width) == size
    assert grid.stride == stride


@pytest.mark.parametrize("pads", [(0, 0), (24, 40)], ids=["right and below", "centred"])
@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("column", [5, 20, 63, 90])
def test_a_lit_column_lights_the_cells_that_the_grid_says(stride: int, column: int, pads: tuple[int, int]) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, column] = 255
    grid = Grid(64, 96, 128, 192, 192, 288, stride, *pads)
    line = prepare([image], [grid], 0).images[0, grid.pad_top + 20, :, 0].astype(float)
    place = grid.to_cells(np.array([float(column), 0.0]))[0]
    centre = (line * np.arange(len(line))).sum() / line.sum()
    assert (centre + 0.5) / stride - 0.5 == pytest.approx(place, abs=0.05 / stride)
    cells = line.reshape(-1, stride).sum(1)
    assert cells.argmax() in {int(np.floor(place + 0.5)), int(np.ceil(place - 0.5))}
    assert (np.flatnonzero(cells) >= place - 1.5).all()
    assert (np.flatnonzero(cells) <= place + 1.5).all()


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_averages_exactly_the_pixels_that_a_new_one_covers(factor: int) -> None:
    image = picture(24 * factor, 40 * factor)
    grid = Grid(24 * factor, 40 * factor, 24, 40, 24, 40, 8)
    means = image.reshape(24, factor, 40, factor, 3).mean((1, 3))
    np.testing.assert_allclose(prepare([image], [grid], 0).images[0], means, atol=0.51)


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = picture(64, 96)
    batch = prepare([image], [Grid.fit(64, 96, 64, 96, 8)], 128)
    np.testing.assert_array_equal(batch.images[0], image)


def test_an_image_stretched_on_one_axis_and_shrunk_on_the_other_keeps_its_place() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[30:34, 30:34] = 255
    grid = Grid(64, 64, 32, 128, 32, 128, 8)
    seen = prepare([image], [grid], 0).images[0, ..., 0].astype(float)
    rows, columns = seen.sum(1), seen.sum(0)
    assert (rows * np.arange(32)).sum() / rows.sum() == pytest.approx(15.5, abs=0.05)
    assert (columns * np.arange(128)).sum() / columns.sum() == pytest.approx(63.5, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=4),
    st.sampled_from(["64", "64x96", "96x64"]),
    st.sampled_from([4, 8, 16]),
    st.booleans(),
)
def test_everything_around_the_pictures_is_padding(
    sizes: list[tuple[int, int]], input_size: str, stride: int, white: bool
) -> None:
    images = [np.full((*size, 3), 255 if white else 0, np.uint8) for size in sizes]
    options = InputOptions(input_size=input_size, max_long_side=256)
    batch = prepare(images, [plan(size, options, stride) for size in sizes], 77)
    assert batch.images.shape[1] % stride == batch.images.shape[2] % stride == 0
    assert batch.images.flags.c_contiguous
    for image, grid in enumerate(batch.grids):
        assert (grid.input_height, grid.input_width) == batch.images.shape[1:3]
        assert (shown(batch, image) == (255 if white else 0)).all()
        shown(batch, image)[:] = 77
        assert (batch.images[image] == 77).all()


def test_pictures_of_a_batch_are_those_of_each_alone() -> None:
    sizes = [(480, 640), (640, 480), (100, 300)]
    images = [picture(*size, seed) for seed, size in enumerate(sizes)]
    grids = [plan(size, InputOptions(input_size="128"), 8) for size in sizes]
    together = prepare(images, grids, 128)
    for image, grid in enumerate(grids):
        alone = prepare([images[image]], [grid], 128)
        np.testing.assert_array_equal(shown(together, image), shown(alone))


@pytest.mark.parametrize("view", ["mirrored", "cropped", "read-only", "fortran"])
def test_views_are_as_good_as_copies(view: str) -> None:
    image = picture(120, 160)
    seen = {
        "mirrored": image[:, ::-1],
        "cropped": image[10:100:2, 20:140:3],
        "read-only": image.copy(),
        "fortran": np.asfortranarray(image),
    }[view]
    seen.flags.writeable = False
    grid = plan(seen.shape[:2], InputOptions(input_size="64"), 8)
    expected = prepare([np.ascontiguousarray(seen)], [grid], 128)
    np.testing.assert_array_equal(prepare([seen], [grid], 128).images, expected.images)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 3), (20, 4000), (3888, 5184)])
def test_any_size_and_aspect_passes(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    grid = plan(size, InputOptions(), 8)
    batch = prepare([image], [grid], 128)
    assert batch.images.shape == (1, grid.input_height, grid.input_width, 3)
    assert (shown(batch) == 200).all()


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 of shape \(4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"\(4, 4, 1\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((3, 4, 4), np.uint8), r"\(3, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.int8), "int8"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        ([[[1, 2, 3]]], "list"),
        (None, "NoneType"),
    ],
    ids=str,
)
def test_what_is_no_image_is_refused_with_what_it_is(image: object, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        prepare([image], [Grid.fit(4, 4, 8, 8, 8)], 128)  # type: ignore[list-item]


def test_an_image_on_the_grid_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 6\)"):
        prepare([np.zeros((4, 6, 3), np.uint8)], [Grid.fit(6, 4, 8, 8, 8)], 128)
