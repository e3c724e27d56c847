"""After assembly: a weak limb out of all proportion to the rest of its person is cut off.

Where the rows of a crowd line up, faint fields lead from an elbow to the wrist of somebody across the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from openpose_ros.decode.assemble import Groups
from openpose_ros.decode.peaks import Peaks
from openpose_ros.skeleton import Skeleton

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

WEAK = 0.15
"""Limbs of this score or more are believed, however long they are."""

USUAL = 0.6
"""This share of a person's limbs, the shorter ones, say what is usual: the longest of them."""

LONGEST = 4.0
"""How many times longer than usual a weak limb may be: of the 1,635 people with four limbs or more who are annotated in
the photos at hand, the longest limb of 99.9 % is shorter than that."""

FEWEST = 4
"""Limbs that a group must have to be judged by."""


def without_strays(groups: Groups, peaks: Peaks, skeleton: Skeleton) -> Groups:
    """The same groups; of those with stray limbs only the part with most joints stays.

    Args:
        groups: those with less than ``FEWEST`` limbs are left as they are.
        peaks: the candidates that they are made of, host (NumPy) arrays.
        skeleton: names the limbs.
    """
    members, limbs = groups.members, groups.limbs
    while (stray := _strays(members, limbs, peaks, skeleton)).any():
        limbs = np.where(stray, np.float32(0.0), limbs)
        members = members.copy()
        for group in np.flatnonzero(stray.any(1)):
            members[group], limbs[group] = _largest_part(members[group], limbs[group], skeleton)
    return replace(groups, members=members, limbs=limbs)


def _strays(members: Ints, limbs: Floats, peaks: Peaks, skeleton: Skeleton) -> npt.NDArray[np.bool_]:
    """(G, L) limbs that are weak and too long for their group."""
    starts, ends = np.array(skeleton.limbs).T
    start, end = members[:, starts], members[:, ends]
    here = limbs > 0
    cells = np.where(here, np.hypot(peaks.x[end] - peaks.x[start], peaks.y[end] - peaks.y[start]), np.float32(0.0))
    count = here.sum(1, keepdims=True)
    rank = limbs.shape[1] - count + np.ceil(USUAL * np.maximum(count - 1, 0)).astype(np.int64)
    usual = np.take_along_axis(np.sort(cells, axis=1), np.minimum(rank, limbs.shape[1] - 1), axis=1)
    stray: npt.NDArray[np.bool_] = (
        here & (limbs < WEAK) & (cells > LONGEST * np.maximum(usual, 1.0)) & (count >= FEWEST)
    )
    return stray


def _largest_part(members: Ints, limbs: Floats, skeleton: Skeleton) -> tuple[Ints, Floats]:
    """One group's row of each, with nothing left but the joints and limbs that hang together with most others."""
    part = np.where(members >= 0, np.arange(len(members)), -1)
    for limb in np.flatnonzero(limbs > 0):
        start, end = skeleton.limbs[limb]
        part[part == part[end]] = part[start]
    kept = part == np.bincount(part[part >= 0]).argmax()
    held = np.array([kept[start] and kept[end] for start, end in skeleton.limbs])
    return np.where(kept, members, -1), np.where(held, limbs, np.float32(0.0))
