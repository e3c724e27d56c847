"""People -> Fields: what a perfect network would answer. Training targets, the synthetic backend and tests use it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float32]

CUT = 4.6052
"""Gaussians end where they fall below 1 % (CMU's training targets)."""


def render(
    people_xy: npt.ArrayLike,
    grid: Grid,
    skeleton: Skeleton,
    *,
    sigma: float = 7.0,
    width: float = 1.0,
    paf_offset: float = 0.0,
    background: bool = True,
    cut: float = CUT,
) -> Fields:
    """Heatmaps and PAFs of known people, a batch of one, NumPy.

    Args:
        people_xy: (P, J, 2) source pixels, NaN where a joint is unknown.
        grid: where the cells lie.
        skeleton: J joints, L limbs.
        sigma: spread of a joint's Gaussian in input pixels; several people combine by the maximum.
        width: distance from the limb's axis, in cells, up to which its unit vector is drawn; where limbs of the
            same type overlap their vectors are averaged.
        paf_offset: cells by which the PAFs are drawn right and below of where the heatmaps are.
        background: add the channel 1 - max.
        cut: exponent at which Gaussians end.
    """
    height, breadth = grid.field_size
    xy = np.asarray(people_xy, np.float64).reshape(-1, len(skeleton.joints), 2)
    cells = grid.to_cells(xy)
    heatmaps = np.zeros((len(skeleton.joints), height, breadth), np.float32)
    rows, columns = np.arange(height, dtype=np.float64)[:, None], np.arange(breadth, dtype=np.float64)[None, :]
    spread = 2.0 * (sigma / grid.stride) ** 2
    for person in cells:
        for joint, (x, y) in enumerate(person):
            if np.isfinite(x) and np.isfinite(y):
                exponent = ((columns - x) ** 2 + (rows - y) ** 2) / spread
                heat = np.where(exponent <= cut, np.exp(-np.minimum(exponent, 700.0)), 0.0)
                np.maximum(heatmaps[joint], heat, out=heatmaps[joint])
    pafs = np.zeros((len(skeleton.limbs), 2, height, breadth), np.float32)
    for limb, (start, end) in enumerate(skeleton.limbs):
        drawn = np.zeros((height, breadth), np.int64)
        for person in cells + paf_offset:
            vectors = _limb(person[start], person[end], columns, rows, width)
            if vectors is not None:
                inside, unit = vectors
                pafs[limb] += inside * unit[:, None, None].astype(np.float32)
                drawn += inside
        pafs[limb] /= np.maximum(drawn, 1)
    if background:
        heatmaps = np.concatenate([heatmaps, 1.0 - heatmaps.max(0, keepdims=True)])
    return Fields(heatmaps[None], pafs[None], (grid,), skeleton, paf_offset)


def _limb(
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float64],
    width: float,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]] | None:
    """Cells within ``width`` of the segment, and its unit vector; None without both joints or without length."""
    along = end - start
    length = float(np.hypot(*along))
    if not np.isfinite(length) or length < 1e-6:
        return None
    unit = along / length
    dx, dy = columns - start[0], rows - start[1]
    forward, sideways = dx * unit[0] + dy * unit[1], np.abs(dx * unit[1] - dy * unit[0])
    return (forward >= -width) & (forward <= length + width) & (sideways <= width), unit
