"""After assembly: a limb out of all proportion to the rest of its person is cut off.

Where the rows of a crowd line up, the field of one wrist may lead to the elbow of somebody across the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from openpose_ros.decode.assemble import Groups
from openpose_ros.decode.peaks import Peaks
from openpose_ros.skeleton import Skeleton

LONGEST = 4.0
"""How many times longer than the second longest limb of a person the longest may be: of the 1,669 annotated people of
COCO's photos at hand with three limbs or more it is so in all but one, and in 99.9 % it is less than 3.6 times."""


def without_strays(groups: Groups, peaks: Peaks, skeleton: Skeleton) -> Groups:
    """The same groups; of those with a stray limb only the part with more joints stays.

    Args:
        groups: those of fewer than three limbs are left as they are.
        peaks: the candidates that they are made of, host (NumPy) arrays.
        skeleton: names the limbs.
    """
    members, limbs = groups.members, groups.limbs
    if len(skeleton.limbs) < 3:
        return groups
    while True:
        lengths = _lengths(members, limbs, peaks, skeleton)
        second, longest = np.partition(lengths, (-2, -1), axis=1)[:, -2:].T
        stray = (longest > LONGEST * np.maximum(second, 1.0)) & ((limbs > 0).sum(1) >= 3)
        if not stray.any():
            return replace(groups, members=members, limbs=limbs)
        members, limbs = members.copy(), limbs.copy()
        for group in np.flatnonzero(stray):
            limbs[group, lengths[group].argmax()] = 0.0
            members[group], limbs[group] = _largest_part(members[group], limbs[group], skeleton)


def _lengths(
    members: npt.NDArray[np.int64], limbs: npt.NDArray[np.float32], peaks: Peaks, skeleton: Skeleton
) -> npt.NDArray[np.float32]:
    """(G, L) cells from end to end, 0 where a group lacks the limb."""
    start, end = members[:, [limb[0] for limb in skeleton.limbs]], members[:, [limb[1] for limb in skeleton.limbs]]
    length = np.hypot(peaks.x[end] - peaks.x[start], peaks.y[end] - peaks.y[start])
    return np.where(limbs > 0, length, np.float32(0.0))


def _largest_part(
    members: npt.NDArray[np.int64], limbs: npt.NDArray[np.float32], skeleton: Skeleton
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """One group's row of each, with nothing left but the joints and limbs that hang together with most others."""
    part = np.where(members >= 0, np.arange(len(members)), -1)
    for limb in np.flatnonzero(limbs > 0):
        start, end = skeleton.limbs[limb]
        part[part == part[end]] = part[start]
    kept = part == np.bincount(part[part >= 0]).argmax()
    held = np.array([kept[start] and kept[end] for start, end in skeleton.limbs])
    return np.where(kept, members, -1), np.where(held, limbs, np.float32(0.0))
