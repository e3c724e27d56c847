"""Fields on which the kernels must agree with the array form, and what agreeing means. No test, but what tests load."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields as columns
from dataclasses import replace
from typing import Any

import numpy as np

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import limbs
from openpose_ros.decode.kernels import Kernels
from openpose_ros.decode.limbs import Connections
from openpose_ros.decode.peaks import Peaks, find_peaks
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton

Scene = tuple[str, Fields, DecodeOptions]

DEFAULTS = DecodeOptions()
STRICT = DecodeOptions(sample_threshold=0.05, sample_ratio=0.8)
HUGE = 3e38
ALL_OF_200 = "200 people"


def noise(height: int, width: int, images: int = 1, seed: int = 0, levels: int = 0, padded: bool = False) -> Fields:
    """Thousands of candidates; with levels, plateaus and ties of all kinds; padded, pictures smaller than the input."""
    random = np.random.default_rng(seed)
    heat = random.random((images, 19, height, width), np.float32)
    if levels:
        heat = np.floor(heat * levels) / np.float32(levels)
    grids = [
        Grid.fit(60 + 13 * image, 90, 8 * height, 8 * width, 8, centred=bool(image % 2))
        if padded
        else Grid.fit(8 * height, 8 * width, 8 * height, 8 * width, 8)
        for image in range(images)
    ]
    pafs = random.normal(0.0, 0.5, (images, 19, 2, height, width)).astype(np.float32)
    return Fields(heat, pafs, tuple(grids), COCO_18, 0.33)


def broken(value: float) -> Fields:
    """Cells that no network should answer, in heatmaps and PAFs."""
    fields = noise(10, 12)
    random = np.random.default_rng(1)
    for maps in (fields.heatmaps, fields.pafs):
        maps[random.random(maps.shape) < 0.1] = value
    return fields


def together(each: list[Fields]) -> Fields:
    """One batch of them."""
    return replace(
        each[0],
        heatmaps=np.concatenate([fields.heatmaps for fields in each]),
        pafs=np.concatenate([fields.pafs for fields in each]),
        grids=tuple(grid for fields in each for grid in fields.grids),
    )


def small_scenes() -> Iterator[Scene]:
    """Everything that may go wrong, on fields so small that a sanitizer's slowness does not matter."""
    for height, width in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (1, 9), (9, 2), (5, 33), (12, 16)):
        yield f"{height} x {width} cells", noise(height, width), DEFAULTS
        yield f"{height} x {width} cells of ties", noise(height, width, 2, 1, 2), DEFAULTS
    yield "a plateau", replace(noise(12, 16), heatmaps=np.full((1, 19, 12, 16), 0.5, np.float32)), DEFAULTS
    yield "no heat", replace(noise(12, 16), heatmaps=np.zeros((1, 19, 12, 16), np.float32)), DEFAULTS
    yield "no field", replace(noise(12, 16), pafs=np.zeros((1, 19, 2, 12, 16), np.float32)), DEFAULTS
    for limit in (1, 2, 7, 20):
        yield f"the strongest {limit}", noise(14, 15, 2), DecodeOptions(max_candidates=limit)
        yield f"the strongest {limit} of ties", noise(14, 15, 2, 3, 3), DecodeOptions(max_candidates=limit)
    yield "padding", noise(13, 17, 4, padded=True), DEFAULTS
    for value in (np.nan, np.inf, -np.inf, HUGE, -HUGE, -1.0):
        yield f"cells of {value}", broken(value), DEFAULTS
    without_background = replace(noise(8, 9, 2), heatmaps=noise(8, 9, 2).heatmaps[:, :18].copy())
    yield "no background", without_background, DEFAULTS


def scenes() -> Iterator[Scene]:
    """Fields as networks answer them, and noise of their size."""
    for skeleton in (COCO_18, BODY_25, MPI_15):
        yield f"people of {skeleton.name}", crowd_fields(6, 160, 224, skeleton), DEFAULTS
    shifted = replace(crowd_fields(20, 368, 656), paf_offset=0.33)
    yield "20 people", shifted, DEFAULTS
    yield "20 people, strictly", shifted, STRICT
    yield "20 people, few samples", shifted, DecodeOptions(samples=2, max_candidates=25)
    yield "200 people, 64 of each joint", crowd_fields(200, 368, 656), DecodeOptions(max_candidates=64)
    yield ALL_OF_200, crowd_fields(200, 368, 656), DEFAULTS
    yield "a batch", together([crowd_fields(count, 184, 328, seed=count) for count in (0, 1, 3, 12)]), DEFAULTS
    yield "noise", noise(46, 82), DecodeOptions(max_candidates=40)
    one_limb = Skeleton("pair", ("nose", "neck"), ((1, 0),))
    pair = noise(20, 30)
    yield (
        "one limb, every pair",
        Fields(pair.heatmaps[:, :2], pair.pafs[:, :1], pair.grids, one_limb),
        DecodeOptions(sample_ratio=0.0, sample_threshold=-1.0),
    )


def expected(fields: Fields, options: DecodeOptions) -> tuple[Peaks, Connections]:
    """The array form's answer on NumPy: the truth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        peaks = find_peaks(
            fields.heatmaps, len(fields.skeleton.joints), options.heat_threshold, options.max_candidates, fields.grids
        )
        return peaks, limbs.score_limbs(fields.pafs, peaks, fields.skeleton, options, fields.paf_offset)


def check(kernels: Kernels, fields: Fields, options: DecodeOptions, there: Callable[[Any], Any]) -> Connections:
    """Run the kernels on the fields, moved by ``there``, and compare with the array form; the connections.

    Peaks must be the same ones, connections the same but for one in ten thousand, on the brink of a threshold. Where
    sums overflow, the order of addition decides: then connections must only be sane.
    """
    peaks, wanted = expected(fields, options)
    moved = replace(fields, heatmaps=there(fields.heatmaps), pafs=there(fields.pafs))
    found_peaks, found, spent = kernels.start(moved, options).result()
    for column in columns(Peaks):
        ours, theirs = getattr(found_peaks, column.name), getattr(peaks, column.name)
        assert ours.dtype == theirs.dtype, column.name
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=column.name)
    keys = [
        np.stack([connections.limb, connections.start, connections.end], 1).astype(np.int64)
        for connections in (found, wanted)
    ]
    assert all(column.dtype == np.int64 for column in (found.limb, found.start, found.end))
    assert found.score.dtype == np.float32
    assert np.isfinite(found.score).all() and (found.score > 0).all()
    image = found_peaks.image[found.start]
    order = np.lexsort((found.end, found.start, found.limb, image))
    np.testing.assert_array_equal(order, np.arange(len(order)))
    ours, theirs = ({tuple(key): number for number, key in enumerate(rows.tolist())} for rows in keys)
    assert len(ours) == len(found.limb)
    assert set(spent) == {"peaks", "limbs", "copy", "wait"} and all(value >= 0 for value in spent.values())
    if np.nanmax(np.abs(fields.pafs), where=np.isfinite(fields.pafs), initial=0.0) >= HUGE:
        return found
    assert len(ours.keys() ^ theirs.keys()) <= len(theirs) // 10_000
    both = sorted(ours.keys() & theirs.keys())
    np.testing.assert_allclose(
        found.score[[ours[key] for key in both]], wanted.score[[theirs[key] for key in both]], rtol=1e-5, atol=1e-5
    )
    return found
