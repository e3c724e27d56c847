"""Step 1: heatmaps -> candidates, local maxima on the cells placed to a fraction of a cell.

Written on the array API alone, so that the same lines run on NumPy, torch and CuPy. Maps are never enlarged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, device

from openpose_ros.grid import Grid

Array = Any

NEIGHBOURS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))


@dataclass(frozen=True, eq=False)
class Peaks:
    """N candidates of a batch, sorted by image, then joint, then row and column.

    Attributes:
        image: (N,) int, which image of the batch.
        joint: (N,) int, which joint.
        x, y: (N,) float32, place in cells, cell centres at integers.
        score: (N,) float32, the heat at the maximum.
    """

    image: Array
    joint: Array
    x: Array
    y: Array
    score: Array


def maxima(heatmaps: Array, joints: int, threshold: float) -> Array:
    """(N,) int, places in the flattened (B, J, H, W) of the maxima that :func:`find_peaks` looks for."""
    xp = array_namespace(heatmaps)
    height, width = heatmaps.shape[-2:]
    flat = xp.reshape(heatmaps[:, :joints, :, :], (-1,))
    cell = xp.nonzero(flat > threshold)[0]
    cell = cell[xp.nonzero(xp.isfinite(xp.take(flat, cell)))[0]]
    for dy, dx in NEIGHBOURS:
        column, row = cell % width, (cell // width) % height
        inside = (column + dx >= 0) & (column + dx < width) & (row + dy >= 0) & (row + dy < height)
        here, there = xp.take(flat, cell), xp.take(flat, xp.where(inside, cell + (dy * width + dx), cell))
        wins = here > there if (dy, dx) > (0, 0) else here >= there
        cell = cell[xp.nonzero(wins | ~inside)[0]]
    return cell


def summits(heatmaps: Array, joints: int, threshold: float) -> tuple[Array, Array, Array, Array]:
    """Maxima as :func:`find_peaks` speaks of them: places in the flattened (B, J, H, W), x and y in cells, heat."""
    xp = array_namespace(heatmaps)
    height, width = heatmaps.shape[-2:]
    flat, cell = xp.reshape(heatmaps[:, :joints, :, :], (-1,)), maxima(heatmaps, joints, threshold)
    column, row = cell % width, (cell // width) % height
    x, y = _summit(flat, cell, column, width, 1), _summit(flat, cell, row, height, width)
    return cell, x, y, xp.take(flat, cell)


def find_peaks(
    heatmaps: Array,
    joints: int,
    threshold: float,
    limit: int = 0,
    grids: Sequence[Grid] = (),
    summits: Callable[[Array, int, float], tuple[Array, Array, Array, Array]] = summits,
) -> Peaks:
    """Local maxima above ``threshold`` among the eight neighbours.

    Of equal neighbours the one further down (then further right) wins, so a plateau yields one peak, not none. The
    place is the summit of the parabola through the logarithms of three cells in each axis, which is exact for a
    Gaussian; at a border the three innermost cells serve, which is exact there too.

    Args:
        heatmaps: (B, J or more, H, W) float32; channels beyond ``joints`` are not looked at.
        joints: J.
        threshold: heat below which nothing is a candidate; must be positive.
        limit: how many candidates a joint may have in one image, the strongest first; 0 is no limit.
        grids: B grids; what lies outside their pictures, in the padding, is no candidate.
        summits: what finds them; ``compiled.py`` has a faster one for NumPy.
    """
    height, width = heatmaps.shape[-2:]
    cell, x, y, score = summits(heatmaps, joints, threshold)
    plane = cell // (width * height)
    kept = _in_pictures(plane // joints, x, y, grids)
    if kept is not None:
        plane, x, y, score = plane[kept], x[kept], y[kept], score[kept]
    kept = _strongest(plane, score, limit, heatmaps.shape[0] * joints)
    if kept is not None:
        plane, x, y, score = plane[kept], x[kept], y[kept], score[kept]
    return Peaks(plane // joints, plane % joints, x, y, score)


def _in_pictures(image: Array, x: Array, y: Array, grids: Sequence[Grid]) -> Array | None:
    """Rows of the candidates that lie inside their picture; None when there is no padding to lie in."""
    padded = [g for g in grids if g.pad_left or g.pad_top or g.pad_right or g.pad_bottom]
    if not padded:
        return None
    xp = array_namespace(x)
    bounds = xp.asarray([grid.valid_cells for grid in grids], dtype=xp.float32, device=device(x))
    left, top, right, bottom = (xp.take(bounds[:, side], image) for side in range(4))
    return xp.nonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))[0]


def _strongest(plane: Array, score: Array, limit: int, planes: int) -> Array | None:
    """Rows of at most ``limit`` candidates a plane; None, at no cost, when none has more."""
    if not limit or plane.shape[0] <= limit:
        return None
    xp = array_namespace(score)
    first = xp.searchsorted(plane, xp.arange(planes + 1, dtype=plane.dtype, device=device(plane)))
    crowded = [(int(begin), int(end)) for begin, end in zip(first[:-1], first[1:], strict=True) if end - begin > limit]
    if not crowded:
        return None
    kept, reached = [], 0
    for begin, end in crowded:
        best = xp.argsort(score[begin:end], descending=True)[:limit] + begin
        kept += [xp.arange(reached, begin, dtype=best.dtype, device=device(plane)), xp.sort(best)]
        reached = end
    kept.append(xp.arange(reached, plane.shape[0], dtype=kept[0].dtype, device=device(plane)))
    return xp.concat(kept)


def _summit(flat: Array, cell: Array, position: Array, size: int, step: int) -> Array:
    """Place of the maximum along one axis, in cells: the vertex of the parabola through three logarithms."""
    xp = array_namespace(flat)
    exact = xp.astype(position, xp.float32)
    if size < 3:
        return exact
    middle = xp.clip(position, 1, size - 2)
    centre = cell + (middle - position) * step
    floor = xp.take(flat, cell) * 0.01  # far below the summit a heat is noise: keep its logarithm tame
    before, at, after = (xp.log(xp.maximum(xp.take(flat, centre + shift), floor)) for shift in (-step, 0, step))
    bend = before - 2.0 * at + after
    bend = xp.where(bend < -1e-6, bend, xp.full_like(bend, -1e-6))
    vertex = xp.astype(middle, xp.float32) + 0.5 * (before - after) / bend
    return xp.clip(xp.where(xp.isfinite(vertex), vertex, exact), exact - 0.5, exact + 0.5)
