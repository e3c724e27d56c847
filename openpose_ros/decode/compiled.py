"""The inner loops of the decoder for CPUs, compiled by Numba: the same results as peaks.py, limbs.py and assemble.py.

Numba is optional; without it the array form does the work, several times slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numba import njit

from openpose_ros.decode.assemble import Groups, image_of, rank
from openpose_ros.decode.limbs import DENSER, PROBE_MEAN, PROBES, Connections, needed
from openpose_ros.decode.peaks import Peaks
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import Skeleton


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any]
    try:
        compiled = njit(cache=True, nogil=True, fastmath=False)(function)
    except RuntimeError:  # no writable place for the cache: compile anew in every process
        compiled = njit(nogil=True, fastmath=False)(function)
    return compiled


def _interruptible(function: Callable[..., Any]) -> Callable[..., Any]:
    """Ctrl-C during a compiled loop, which Numba makes a SystemError of, as the KeyboardInterrupt that it is."""

    @wraps(function)
    def called(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except SystemError as error:
            cause: BaseException | None = error
            while isinstance(cause, SystemError):
                cause = cause.__cause__
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise

    return called


@_interruptible
def summits(heatmaps: Any, joints: int, threshold: float) -> Any:
    """As :func:`openpose_ros.decode.peaks.summits`, for NumPy arrays."""
    cell = _maxima_loop(heatmaps, joints, np.float32(threshold))
    return cell, *_summit_loop(heatmaps, joints, cell)


@_interruptible
def score_limbs(
    pafs: Any, peaks: Peaks, skeleton: Skeleton, options: DecodeOptions, paf_offset: float = 0.0
) -> Connections:
    """As :func:`openpose_ros.decode.limbs.score_limbs`, for NumPy arrays."""
    joints = len(skeleton.joints)
    key = peaks.image * joints + peaks.joint
    bounds = np.searchsorted(key, np.arange(pafs.shape[0] * joints + 1))
    limb, start, end, score = _score_loop(
        np.ascontiguousarray(pafs), peaks.x, peaks.y, bounds, np.array(skeleton.limbs), joints,
        np.float32(paf_offset), tuple(map(np.float32, PROBES)), np.float32(PROBE_MEAN * len(PROBES)),
        options.samples, needed(options.samples, options), DENSER * options.samples,
        needed(DENSER * options.samples, options), np.float32(options.sample_threshold),
    )  # fmt: skip
    return Connections(limb, start, end, score)


@_interruptible
def assemble(peaks: Peaks, connections: Connections, skeleton: Skeleton) -> Groups:
    """As :func:`openpose_ros.decode.assemble.assemble`."""
    order = np.argsort(-rank(peaks, connections), kind="stable")
    filling = np.zeros(len(skeleton.limbs), np.bool_)
    filling[list(skeleton.filling)] = True
    members, limbs = _assemble_loop(
        order, connections.limb, connections.start, connections.end, connections.score, len(peaks.score),
        len(skeleton.joints), np.array(skeleton.limbs), filling,
    )  # fmt: skip
    return Groups(image_of(peaks, members), members, limbs)


@_jit
def _maxima_loop(heatmaps: Any, joints: int, threshold: Any) -> Any:
    height, width = heatmaps.shape[2], heatmaps.shape[3]
    found = np.empty(1024, np.int64)
    count = 0
    for image in range(heatmaps.shape[0]):
        for joint in range(joints):
            heat = heatmaps[image, joint]
            for row in range(height):
                for column in range(width):
                    here = heat[row, column]
                    if not threshold < here < np.inf:
                        continue
                    left, right = column > 0, column + 1 < width
                    wins = (not left or here >= heat[row, column - 1]) and (not right or here > heat[row, column + 1])
                    if wins and row > 0:
                        wins = (
                            here >= heat[row - 1, column]
                            and (not left or here >= heat[row - 1, column - 1])
                            and (not right or here >= heat[row - 1, column + 1])
                        )
                    if wins and row + 1 < height:
                        wins = (
                            here > heat[row + 1, column]
                            and (not left or here > heat[row + 1, column - 1])
                            and (not right or here > heat[row + 1, column + 1])
                        )
                    if wins:
                        if count == len(found):
                            more = np.empty(2 * count, np.int64)
                            more[:count] = found
                            found = more
                        found[count] = ((image * joints + joint) * height + row) * width + column
                        count += 1
    return found[:count].copy()


@_jit
def _summit_loop(heatmaps: Any, joints: int, cells: Any) -> Any:
    height, width = heatmaps.shape[2], heatmaps.shape[3]
    x, y = np.empty(len(cells), np.float32), np.empty(len(cells), np.float32)
    score = np.empty(len(cells), np.float32)
    for index, cell in enumerate(cells):
        plane, row, column = cell // (width * height), (cell // width) % height, cell % width
        heat = heatmaps[plane // joints, plane % joints]
        score[index] = heat[row, column]
        x[index], y[index] = np.float32(column), np.float32(row)
        if width > 2:
            middle = min(max(column, 1), width - 2)
            around = heat[row, middle - 1], heat[row, middle], heat[row, middle + 1]
            x[index] = _vertex(around, score[index], middle, column)
        if height > 2:
            middle = min(max(row, 1), height - 2)
            around = heat[middle - 1, column], heat[middle, column], heat[middle + 1, column]
            y[index] = _vertex(around, score[index], middle, row)
    return x, y, score


@_jit
def _vertex(around: Any, here: Any, middle: int, exact: int) -> Any:
    floor = here * np.float32(0.01)
    before = np.log(max(around[0], floor))
    at = np.log(max(around[1], floor))
    after = np.log(max(around[2], floor))
    bend = before - np.float32(2) * at + after
    if not bend < np.float32(-1e-6):
        bend = np.float32(-1e-6)
    vertex = np.float32(middle) + np.float32(0.5) * (before - after) / bend
    place = np.float32(exact)
    if not np.isfinite(vertex) or np.isnan(around[0] + around[1] + around[2]):
        return place
    return min(max(vertex, place - np.float32(0.5)), place + np.float32(0.5))


@_jit
def _probe(
    field_x: Any, field_y: Any, height: int, width: int, px: Any, py: Any, start: int, first: int, last: int,
    offset: Any, probes: Any, probe_sum: Any, likely: Any,
) -> int:  # fmt: skip
    """Ends of a start that a short look does not rule out, into ``likely``; how many."""
    right, below = np.float32(width - 1), np.float32(height - 1)
    from_x, from_y = px[start] + offset, py[start] + offset
    count = 0
    for end in range(first, last):
        across, down = px[end] - px[start], py[end] - py[start]
        total = np.float32(0.0)
        for part in probes:
            x = min(max(from_x + across * part, np.float32(0)), right)
            y = min(max(from_y + down * part, np.float32(0)), below)
            column, row = np.int32(x + np.float32(0.5)), np.int32(y + np.float32(0.5))
            place = np.uint32(row) * np.uint32(width) + np.uint32(column)
            total += field_x[place] * across + field_y[place] * down
        length = np.float32(max(math.sqrt(across * across + down * down), 1e-6))
        likely[count] = end
        count += not total <= probe_sum * length
    return count


@_jit
def _score_loop(
    pafs: Any, px: Any, py: Any, bounds: Any, limbs: Any, joints: int, offset: Any, probes: Any, probe_sum: Any,
    few: int, needed_of_few: int, many: int, needed_of_many: int, threshold: Any,
) -> Any:  # fmt: skip
    height, width = pafs.shape[3], pafs.shape[4]
    right_border, lower_border = np.float32(width - 1), np.float32(height - 1)
    room = 256
    found = np.empty((room, 3), np.int64)
    scores = np.empty(room, np.float32)
    count = 0
    for image in range(pafs.shape[0]):
        for limb in range(len(limbs)):
            from_joint, to_joint = image * joints + limbs[limb, 0], image * joints + limbs[limb, 1]
            field_x, field_y = pafs[image, limb, 0].ravel(), pafs[image, limb, 1].ravel()
            first, last = bounds[to_joint], bounds[to_joint + 1]
            likely = np.empty(last - first + 1, np.int64)
            for start in range(bounds[from_joint], bounds[from_joint + 1]):
                kept = _probe(
                    field_x, field_y, height, width, px, py, start, first, last, offset, probes, probe_sum, likely
                )
                for end in likely[:kept]:
                    across, down = px[end] - px[start], py[end] - py[start]
                    length = np.float32(max(math.sqrt(across * across + down * down), 1e-6))
                    unit_x, unit_y = across / length, down / length
                    from_x, from_y = px[start] + offset, py[start] + offset
                    samples, wanted = (few, needed_of_few) if length <= 2.0 * few else (many, needed_of_many)
                    total, support = np.float32(0.0), 0
                    for sample in range(samples):
                        if support + samples - sample < wanted:
                            break
                        part = np.float32(sample) / np.float32(samples - 1)
                        x = min(max(from_x + across * part, np.float32(0)), right_border)
                        y = min(max(from_y + down * part, np.float32(0)), lower_border)
                        left, top = np.int32(x), np.int32(y)
                        fx, fy = x - np.float32(left), y - np.float32(top)
                        gx, gy = np.float32(1) - fx, np.float32(1) - fy
                        # Numba lets negative numbers count from the end; unsigned ones spare it the question.
                        above = np.uint32(top) * np.uint32(width) + np.uint32(left)
                        to_right = np.uint32(left < width - 1)
                        beneath = above + np.uint32(width) * np.uint32(top < height - 1)
                        vx = (field_x[above] * gx + field_x[above + to_right] * fx) * gy + (
                            field_x[beneath] * gx + field_x[beneath + to_right] * fx
                        ) * fy
                        vy = (field_y[above] * gx + field_y[above + to_right] * fx) * gy + (
                            field_y[beneath] * gx + field_y[beneath + to_right] * fx
                        ) * fy
                        along = vx * unit_x + vy * unit_y
                        total += along
                        if along > threshold:
                            support += 1
                    if support >= wanted and 0 < total < np.inf:
                        if count == room:
                            room *= 2
                            more, more_scores = np.empty((room, 3), np.int64), np.empty(room, np.float32)
                            more[:count], more_scores[:count] = found, scores
                            found, scores = more, more_scores
                        found[count, 0], found[count, 1], found[count, 2] = limb, start, end
                        scores[count] = total / np.float32(samples)
                        count += 1
    return found[:count, 0].copy(), found[:count, 1].copy(), found[:count, 2].copy(), scores[:count].copy()


@_jit
def _assemble_loop(
    order: Any, limb_of: Any, starts: Any, ends: Any, score_of: Any, candidates: int, joints: int, limbs: Any,
    filling: Any,
) -> Any:  # fmt: skip
    # A group needs two candidates and merged groups free none, so candidates // 2 + 1 rows always suffice.
    members = np.full((candidates // 2 + 1, joints), -1, np.int64)
    scores = np.zeros((candidates // 2 + 1, len(limbs)), np.float32)
    alive = np.zeros(candidates // 2 + 1, np.bool_)
    owner = np.full(candidates, -1, np.int64)
    left_by = np.zeros((candidates, len(limbs)), np.bool_)
    reached_by = np.zeros((candidates, len(limbs)), np.bool_)
    count = 0
    for row in order:
        limb, start, end = limb_of[row], starts[row], ends[row]
        if left_by[start, limb] or reached_by[end, limb]:
            continue
        first, second = owner[start], owner[end]
        from_joint, to_joint = limbs[limb, 0], limbs[limb, 1]
        if first < 0 and second < 0:
            if filling[limb]:
                continue
            first = count
            count += 1
            alive[first] = True
            members[first, from_joint], members[first, to_joint] = start, end
            owner[start], owner[end] = first, first
        elif second < 0:
            if members[first, to_joint] >= 0:
                continue
            members[first, to_joint] = end
            owner[end] = first
        elif first < 0:
            first = second
            if members[first, from_joint] >= 0:
                continue
            members[first, from_joint] = start
            owner[start] = first
        elif first != second:
            if filling[limb] or np.any((members[first] >= 0) & (members[second] >= 0)):
                continue
            for joint in range(joints):
                if members[second, joint] >= 0:
                    members[first, joint] = members[second, joint]
                    owner[members[second, joint]] = first
            scores[first] = np.maximum(scores[first], scores[second])
            alive[second] = False
        scores[first, limb] = score_of[row]
        left_by[start, limb], reached_by[end, limb] = True, True
    kept = np.flatnonzero(alive)
    return members[kept], scores[kept]
