"""The two inner loops of the decoder for CPUs, compiled by Numba: the same results as limbs.py and assemble.py.

Numba is optional; without it the array form does the work, several times slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


def score_limbs(
    pafs: Any, peaks: Peaks, skeleton: Skeleton, options: DecodeOptions, paf_offset: float = 0.0
) -> Connections:
    """As :func:`openpose_ros.decode.limbs.score_limbs`, for NumPy arrays."""
    joints = len(skeleton.joints)
    key = peaks.image * joints + peaks.joint
    bounds = np.searchsorted(key, np.arange(pafs.shape[0] * joints + 1))
    limb, start, end, score = _score_loop(
        np.ascontiguousarray(pafs), peaks.x, peaks.y, bounds, np.array(skeleton.limbs), joints,
        np.float32(paf_offset), np.array(PROBES, np.float32), np.float32(PROBE_MEAN * len(PROBES)),
        options.samples, needed(options.samples, options), DENSER * options.samples,
        needed(DENSER * options.samples, options), np.float32(options.sample_threshold),
    )  # fmt: skip
    return Connections(limb, start, end, score)


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
def _score_loop(
    pafs: Any, px: Any, py: Any, bounds: Any, limbs: Any, joints: int, offset: Any, probes: Any, probe_sum: Any,
    few: int, needed_of_few: int, many: int, needed_of_many: int, threshold: Any,
) -> Any:  # fmt: skip
    height, width = pafs.shape[3], pafs.shape[4]
    room = 256
    found = np.empty((room, 3), np.int64)
    scores = np.empty(room, np.float32)
    count = 0
    for image in range(pafs.shape[0]):
        for limb in range(len(limbs)):
            from_joint, to_joint = image * joints + limbs[limb, 0], image * joints + limbs[limb, 1]
            field_x, field_y = pafs[image, limb, 0], pafs[image, limb, 1]
            for start in range(bounds[from_joint], bounds[from_joint + 1]):
                for end in range(bounds[to_joint], bounds[to_joint + 1]):
                    across, down = px[end] - px[start], py[end] - py[start]
                    length = np.float32(max(math.sqrt(across * across + down * down), 1e-6))
                    total = np.float32(0.0)
                    for part in probes:
                        x = min(max(px[start] + offset + across * part, np.float32(0)), np.float32(width - 1))
                        y = min(max(py[start] + offset + down * part, np.float32(0)), np.float32(height - 1))
                        column, row = int(x + np.float32(0.5)), int(y + np.float32(0.5))
                        total += field_x[row, column] * across + field_y[row, column] * down
                    if total <= probe_sum * length:
                        continue
                    unit_x, unit_y = across / length, down / length
                    samples, wanted = (few, needed_of_few) if length <= 2.0 * few else (many, needed_of_many)
                    total, support = np.float32(0.0), 0
                    for sample in range(samples):
                        if support + samples - sample < wanted:
                            break
                        part = np.float32(sample) / np.float32(samples - 1)
                        x = min(max(px[start] + offset + across * part, np.float32(0)), np.float32(width - 1))
                        y = min(max(py[start] + offset + down * part, np.float32(0)), np.float32(height - 1))
                        left, top = int(x), int(y)
                        right, below = min(left + 1, width - 1), min(top + 1, height - 1)
                        fx, fy = x - np.float32(left), y - np.float32(top)
                        gx, gy = np.float32(1) - fx, np.float32(1) - fy
                        vx = (field_x[top, left] * gx + field_x[top, right] * fx) * gy + (
                            field_x[below, left] * gx + field_x[below, right] * fx
                        ) * fy
                        vy = (field_y[top, left] * gx + field_y[top, right] * fx) * gy + (
                            field_y[below, left] * gx + field_y[below, right] * fx
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
