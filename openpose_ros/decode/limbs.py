"""Step 2: candidates and PAFs -> connections, every pair that the field between its two joints supports.

Written on the array API alone; ``compiled.py`` holds the same sums as one loop for CPUs that have Numba.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, device

from openpose_ros.decode.peaks import Peaks
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import Skeleton

Array = Any

DENSER = 4
"""How many times more samples long lines get."""

PROBES = (0.25, 0.5, 0.75)
PROBE_MEAN = 0.005
"""Pairs whose field, at the cells nearest to these parts of the way, has a smaller mean projection are no limbs: most
pairs in a crowd fall to this short look, and accuracy with them by a tenth of an AP (docs/accuracy.md)."""

PAIRS_AT_ONCE = 1 << 14
"""Bounds the memory of one step: about 30 arrays of this many pairs times ``samples`` float32."""


@dataclass(frozen=True, eq=False)
class Connections:
    """C supported pairs, in the order of image, limb, start, end.

    Attributes:
        limb: (C,) int, which limb of the skeleton.
        start, end: (C,) int, rows of Peaks: the candidates at its first and second joint.
        score: (C,) float32, mean over the samples of the PAF projected on the line from start to end, above 0;
            about 1 for a limb that the network is sure of.
    """

    limb: Array
    start: Array
    end: Array
    score: Array


def score_limbs(
    pafs: Array, peaks: Peaks, skeleton: Skeleton, options: DecodeOptions, paf_offset: float = 0.0
) -> Connections:
    """Every pair of candidates at the two joints of a limb whose field supports it.

    The field is read bilinearly at ``options.samples`` points from joint to joint, both included, and at ``DENSER``
    times as many where two of them would be more than two cells apart: a long line must not step from one person to
    the next in a row. Beyond the border the nearest cells count. A pair is supported when the mean projection is
    positive, at least ``options.sample_ratio`` of the points exceed ``options.sample_threshold``, and a first short
    look (``PROBES``) has not ruled it out.

    Args:
        pafs: (B, L, 2, H, W) float32.
        peaks: the candidates of the same batch.
        skeleton: names the L limbs.
        options: how many samples, and what they must show.
        paf_offset: cells by which the PAFs lie right of and below the heatmaps.
    """
    xp = array_namespace(pafs)
    parts = []
    for plane, start, end in _pairs(peaks, pafs.shape[0], skeleton, device(pafs)):
        likely = _probed(pafs, peaks, plane, start, end, paf_offset)
        plane, start, end = plane[likely], start[likely], end[likely]
        far = _lines(peaks, start, end)[4] > 2.0 * options.samples
        for rows, samples in ((~far, options.samples), (far, DENSER * options.samples)):
            row = xp.nonzero(rows)[0]
            parts.append(_score(pafs, peaks, plane[row], start[row], end[row], samples, options, paf_offset))
    if not parts:
        none = xp.zeros((0,), dtype=xp.int64, device=device(pafs))
        return Connections(none, none, none, xp.zeros((0,), dtype=xp.float32, device=device(pafs)))
    plane, start, end, score = (xp.concat([part[i] for part in parts]) for i in range(4))
    order = xp.argsort(start * peaks.x.shape[0] + end, stable=True)
    order = xp.take(order, xp.argsort(xp.take(plane, order), stable=True))
    plane, start, end, score = (xp.take(column, order) for column in (plane, start, end, score))
    return Connections(plane % len(skeleton.limbs), start, end, score)


def needed(samples: int, options: DecodeOptions) -> int:
    """How many of so many samples must support a pair."""
    return math.ceil(options.sample_ratio * samples - 1e-9)


def _pairs(peaks: Peaks, images: int, skeleton: Skeleton, where: Any) -> Iterator[tuple[Array, Array, Array]]:
    """All (plane, start, end): plane = image * L + limb, start and end every pair of its candidates."""
    xp = array_namespace(peaks.joint)
    joints, limbs = len(skeleton.joints), len(skeleton.limbs)
    planes = xp.arange(images * joints, dtype=peaks.joint.dtype, device=where)
    key = peaks.image * joints + peaks.joint
    first, past = xp.searchsorted(key, planes, side="left"), xp.searchsorted(key, planes, side="right")

    def of_limbs(per_joint: Array, side: int) -> Array:
        index = xp.asarray([i * joints + limb[side] for i in range(images) for limb in skeleton.limbs], device=where)
        return xp.take(per_joint, index)

    first_start, first_end = of_limbs(first, 0), of_limbs(first, 1)
    count_end = of_limbs(past, 1) - first_end
    counts = (of_limbs(past, 0) - first_start) * count_end
    ends_at = xp.cumulative_sum(counts)
    total = int(ends_at[-1]) if images * limbs else 0
    for begin in range(0, total, PAIRS_AT_ONCE):
        pair = xp.arange(begin, min(total, begin + PAIRS_AT_ONCE), dtype=ends_at.dtype, device=where)
        plane = xp.searchsorted(ends_at, pair, side="right")
        within = pair - xp.take(ends_at - counts, plane)
        across = xp.take(count_end, plane)
        start, end = xp.take(first_start, plane) + within // across, xp.take(first_end, plane) + within % across
        yield plane, start, end


def _probed(pafs: Array, peaks: Peaks, plane: Array, start: Array, end: Array, paf_offset: float) -> Array:
    """Rows of the pairs that a first short look does not rule out."""
    xp = array_namespace(pafs)
    height, width = pafs.shape[-2:]
    flat = xp.reshape(pafs, (-1,))
    x, y, across, down, length = _lines(peaks, start, end)
    total = xp.zeros_like(x)
    for part in PROBES:
        column = xp.astype(xp.floor(xp.clip(x + paf_offset + across * part, 0.0, float(width - 1)) + 0.5), xp.int64)
        row = xp.astype(xp.floor(xp.clip(y + paf_offset + down * part, 0.0, float(height - 1)) + 0.5), xp.int64)
        place = (2 * xp.astype(plane, xp.int64) * height + row) * width + column
        total = total + xp.take(flat, place) * across + xp.take(flat, place + height * width) * down
    return xp.nonzero(total > PROBE_MEAN * len(PROBES) * length)[0]


def _lines(peaks: Peaks, start: Array, end: Array) -> tuple[Array, Array, Array, Array, Array]:
    """x and y of the start, extent in x and y, length (never 0) of the lines between candidates, in cells."""
    xp = array_namespace(peaks.x)
    x, y = xp.take(peaks.x, start), xp.take(peaks.y, start)
    across, down = xp.take(peaks.x, end) - x, xp.take(peaks.y, end) - y
    length = xp.sqrt(across * across + down * down)
    return x, y, across, down, xp.where(length > 1e-6, length, xp.full_like(length, 1e-6))


def _score(
    pafs: Array,
    peaks: Peaks,
    plane: Array,
    start: Array,
    end: Array,
    samples: int,
    options: DecodeOptions,
    paf_offset: float,
) -> tuple[Array, Array, Array, Array]:
    """The supported ones among these pairs, with their scores."""
    xp = array_namespace(pafs)
    height, width = pafs.shape[-2:]
    flat = xp.reshape(pafs, (-1,))
    x, y, across, down, length = _lines(peaks, start, end)
    step = xp.astype(xp.arange(samples, device=device(pafs)), xp.float32) / (samples - 1)
    column = xp.clip(x[:, None] + paf_offset + across[:, None] * step[None, :], 0.0, float(width - 1))
    row = xp.clip(y[:, None] + paf_offset + down[:, None] * step[None, :], 0.0, float(height - 1))
    left, top = xp.astype(xp.floor(column), xp.int64), xp.astype(xp.floor(row), xp.int64)
    right, below = xp.clip(left + 1, 0, width - 1), xp.clip(top + 1, 0, height - 1)
    part_x, part_y = column - xp.astype(left, xp.float32), row - xp.astype(top, xp.float32)

    def read(component: int) -> Array:
        base = xp.astype(2 * plane + component, xp.int64)[:, None] * (height * width)

        def at(line: Array, place: Array) -> Array:
            return xp.reshape(xp.take(flat, xp.reshape(base + line * width + place, (-1,))), line.shape)

        above = at(top, left) * (1.0 - part_x) + at(top, right) * part_x
        beneath = at(below, left) * (1.0 - part_x) + at(below, right) * part_x
        return above * (1.0 - part_y) + beneath * part_y

    along = read(0) * (across / length)[:, None] + read(1) * (down / length)[:, None]
    score = xp.mean(along, axis=1)
    support = xp.sum(xp.astype(along > options.sample_threshold, xp.int64), axis=1)
    kept = xp.nonzero((score > 0.0) & xp.isfinite(score) & (support >= needed(samples, options)))[0]
    return plane[kept], start[kept], end[kept], score[kept]
