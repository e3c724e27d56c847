"""The decoder of the textbooks, as a yardstick: enlarged maps, 3 x 3 maxima, nearest cells, limb after limb.

The steps are those of Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR
2017), with the usual constants of its Python ports. Nothing but the benchmark and a test uses it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.fields import Fields
from openpose_ros.people import People

ENLARGE = 4
HEAT, SAMPLE, SAMPLES, RATIO = 0.1, 0.05, 10, 0.8
MIN_JOINTS, MIN_SCORE = 3, 0.2

Maps = npt.NDArray[np.float32]


def decode(fields: Fields) -> People:
    """The people of the first image of a batch."""
    skeleton, grid = fields.skeleton, fields.grids[0]
    joints = len(skeleton.joints)
    heatmaps = _enlarged(np.asarray(fields.heatmaps[0, :joints]))
    pafs = _enlarged(np.asarray(fields.pafs[0]).reshape(-1, *fields.pafs.shape[-2:]))
    peaks = [_peaks(heat) for heat in heatmaps]
    first = np.cumsum([0, *map(len, peaks)])
    every = np.concatenate(peaks)
    groups: list[dict[str, Any]] = []
    for limb, (start, end) in enumerate(skeleton.limbs):
        pairs = _pairs(peaks[start], peaks[end], pafs[2 * limb], pafs[2 * limb + 1])
        for score, a, b in pairs:
            _join(groups, start, int(first[start]) + a, end, int(first[end]) + b, score, every)
    xy = np.full((len(groups), joints, 2), np.nan)
    heat, whole = np.zeros((len(groups), joints)), np.zeros(len(groups))
    for person, group in enumerate(groups):
        for joint, row in group["members"].items():
            # The cell's centre, first of the enlarged maps, then of the field.
            xy[person, joint] = (every[row, :2] + 0.5) / ENLARGE - 0.5
            heat[person, joint] = every[row, 2]
        whole[person] = group["score"] / (2 * joints)
    kept = [
        person
        for person, group in enumerate(groups)
        if len(group["members"]) >= MIN_JOINTS and group["score"] / len(group["members"]) >= MIN_SCORE
    ]
    size = (grid.image_height, grid.image_width)
    return People.from_arrays(skeleton, grid.to_image(xy[kept]), size, heat[kept], whole[kept])


def _enlarged(maps: Maps) -> Maps:
    return np.stack([cv2.resize(m, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC) for m in maps])


def _peaks(heat: Maps) -> Maps:
    """(N, 3) x, y, heat of the 3 x 3 maxima."""
    top = (heat == cv2.dilate(heat, np.ones((3, 3)))) & (heat > HEAT)
    rows, columns = np.nonzero(top)
    return np.stack([columns, rows, heat[rows, columns]], -1).astype(np.float32)


def _pairs(starts: Maps, ends: Maps, field_x: Maps, field_y: Maps) -> list[tuple[float, int, int]]:
    """(score, start, end) of the connections of one limb, each candidate used once, the best first."""
    found = []
    for a, start in enumerate(starts):
        for b, end in enumerate(ends):
            along = end[:2] - start[:2]
            length = float(np.hypot(*along))
            if length == 0.0:
                continue
            columns = np.rint(np.linspace(start[0], end[0], SAMPLES)).astype(int)
            rows = np.rint(np.linspace(start[1], end[1], SAMPLES)).astype(int)
            projected = (field_x[rows, columns] * along[0] + field_y[rows, columns] * along[1]) / length
            if np.mean(projected > SAMPLE) >= RATIO:
                found.append((float(projected.mean()), a, b))
    taken_a, taken_b, kept = set(), set(), []
    for score, a, b in sorted(found, reverse=True):
        if a not in taken_a and b not in taken_b:
            taken_a.add(a)
            taken_b.add(b)
            kept.append((score, a, b))
    return kept


def _join(
    groups: list[dict[str, Any]], start: int, row_a: int, end: int, row_b: int, score: float, every: Maps
) -> None:
    """Add a connection to the people that hold one of its ends, or begin a person."""
    holders = [g for g in groups if g["members"].get(start) == row_a or g["members"].get(end) == row_b]
    if not holders:
        groups.append({"members": {start: row_a, end: row_b}, "score": score + every[row_a, 2] + every[row_b, 2]})
        return
    first = holders[0]
    if len(holders) == 2 and not first["members"].keys() & holders[1]["members"].keys():
        first["members"].update(holders[1]["members"])
        first["score"] += holders[1]["score"] + score
        groups[:] = [g for g in groups if g is not holders[1]]
        return
    for joint, row in ((start, row_a), (end, row_b)):
        if joint not in first["members"]:
            first["members"][joint] = row
            first["score"] += every[row, 2]
    first["score"] += score
