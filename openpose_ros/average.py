"""Several looks at the same images, at other scales or mirrored, averaged on one grid.

Every pass is read at the exact places where the first pass's cells lie, to a fraction of a cell, and its PAFs
where its own targets drew them: a network's offsets are mirrored with the picture, so they are taken out first. All of
it is done where the fields lie; on a GPU nothing waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.skeleton import Skeleton

Array = Any
Floats = npt.NDArray[np.float32]


LOBES = 4
"""Half the width of the interpolating kernel, in cells."""


@dataclass(frozen=True, eq=False)
class Pass:
    """Fields of one look at a batch; ``mirrored`` when the images were flipped left to right."""

    fields: Fields
    mirrored: bool


def average(passes: Sequence[Pass]) -> Fields:
    """The mean of all passes on the grids of the first one. A single pass is returned as it is."""
    if len(passes) == 1 and not passes[0].mirrored:
        return passes[0].fields
    return aligned(passes, passes[0].fields.grids)


def forget_tables() -> None:
    """Give back the few tables that averaging keeps on the devices that it was done on."""
    _brought_maps.cache_clear()
    _brought_mirror.cache_clear()


def aligned(
    passes: Sequence[Pass],
    grids: Sequence[Grid],
    paf_offset: float = 0.0,
    heat_offset: tuple[float, float] = (0.0, 0.0),
) -> Fields:
    """The mean of all passes, read on other grids of the same images, with the offsets that are asked for.

    Args:
        passes: of B images.
        grids: B grids; any size and stride.
        paf_offset, heat_offset: where the result's PAFs and summits shall lie (:class:`Fields`), in its cells.
    """
    first = passes[0].fields
    xp = array_namespace(first.heatmaps)
    heatmaps, pafs = [], []
    for image, grid in enumerate(grids):
        looks = [_seen_from(look, image, grid, paf_offset, heat_offset) for look in passes]
        heatmaps.append(sum(heat for heat, _ in looks) / len(passes))
        pafs.append(sum(paf for _, paf in looks) / len(passes))
    return Fields(xp.stack(heatmaps), xp.stack(pafs), tuple(grids), first.skeleton, paf_offset, heat_offset)


def seen_on(maps: Array, grid: Grid, base: Grid, offset: tuple[float, float] = (0.0, 0.0)) -> Array:
    """Maps (..., h, w) on a grid, read at the cells of another grid of the same image: (..., H, W).

    Args:
        offset: cells (x, y) by which what the maps show lies right of and below its place.
    """
    xp = array_namespace(maps)
    rows, columns = _brought_maps(xp, device(maps), base, grid, False, (0.0, 0.0), offset)
    return xp.matmul(xp.matmul(rows, maps), columns)


def _seen_from(
    look: Pass, image: int, base: Grid, paf_offset: float, heat_offset: tuple[float, float]
) -> tuple[Array, Array]:
    """Heatmaps (J[+1], H, W) and PAFs (L, 2, H, W) of one image of a pass, read on the cells of ``base``."""
    fields, grid = look.fields, look.fields.grids[image]
    xp = array_namespace(fields.heatmaps)
    heat, paf = fields.heatmaps[image, ...], fields.pafs[image, ...]

    def read(maps: Array, wanted: tuple[float, float], offset: tuple[float, float]) -> Array:
        rows, columns = _brought_maps(xp, where, base, grid, look.mirrored, wanted, offset)
        return xp.matmul(xp.matmul(rows, maps), columns)

    where = device(heat)
    if look.mirrored:
        joints, limbs, signs = _brought_mirror(xp, where, fields.skeleton, heat.shape[0])
        heat = xp.take(heat, joints, axis=0)
        paf = xp.take(paf, limbs, axis=0) * signs
    return (
        read(heat, heat_offset, fields.heat_offset),
        read(paf, _further(heat_offset, paf_offset), _further(fields.heat_offset, fields.paf_offset)),
    )


def _further(offset: tuple[float, float], by: float) -> tuple[float, float]:
    return offset[0] + by, offset[1] + by


@lru_cache(maxsize=64)
def _brought_maps(xp: Any, where: Any, *looked_at: Any) -> tuple[Array, Array]:
    """Those of :func:`_maps_between`, kept on a device: to bring them there anew would make each frame wait for it."""
    rows, columns = _maps_between(*looked_at)
    return xp.asarray(rows, device=where), xp.asarray(columns, device=where)


@lru_cache(maxsize=8)
def _brought_mirror(xp: Any, where: Any, skeleton: Skeleton, channels: int) -> tuple[Array, Array, Array]:
    """What to do to the fields of a mirrored picture, kept on a device: which joint (channels,) and limb (L,) each one
    is there, and the signs (L, 2, 1, 1) of its PAFs."""
    order = [*skeleton.mirrored, *range(len(skeleton.joints), channels)]
    signs = np.array(skeleton.mirrored_signs, np.float32)[:, None] * np.array([-1.0, 1.0], np.float32)
    return (
        xp.asarray(order, device=where),
        xp.asarray(skeleton.mirrored_limbs, device=where),
        xp.asarray(signs[:, :, None, None], device=where),
    )


def _maps_between(
    base: Grid, grid: Grid, mirrored: bool, wanted: tuple[float, float], offset: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Matrices that read rows (H, h) and columns (w, W) of a pass at the cells of ``base``."""
    (height, width), size = base.field_size, grid.field_size
    corner = base.to_image(-np.array(wanted))
    step = base.to_image(1.0 - np.array(wanted)) - corner
    if mirrored:
        corner[0], step[0] = grid.image_width - 1 - corner[0], -step[0]
    start = grid.to_cells(corner)
    pace = grid.to_cells(corner + step) - start
    rows = interpolation(height, size[0], float(pace[1]), float(start[1]) + offset[1])
    columns = interpolation(width, size[1], float(pace[0]), float(start[0]) + offset[0])
    return rows, np.ascontiguousarray(columns.T)


def interpolation(count: int, cells: int, pace: float, start: float) -> Floats:
    """(count, cells) weights that read a line of cells at start, start + pace, ...: Lanczos of four cells.

    Narrower kernels move the summit of a joint's Gaussian, hardly wider than a cell, by up to half a pixel. The kernel
    widens when the steps are longer than a cell, so that finer fields are averaged, not picked; beyond
    the ends the last cell counts.
    """
    widen = max(1.0, abs(pace))
    reach = int(np.ceil(LOBES * widen)) + 1
    weights = np.zeros((count, cells))
    for row, place in enumerate(start + pace * np.arange(count)):
        near = np.arange(int(np.floor(place)) - reach, int(np.floor(place)) + reach + 1)
        distance = (near - place) / widen
        kernel = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0.0)
        np.add.at(weights[row], np.clip(near, 0, cells - 1), kernel / kernel.sum())
    return weights.astype(np.float32)
