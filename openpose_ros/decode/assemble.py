"""Step 3: connections -> groups of candidates that make one person each.

One greedy list over all limbs of the skeleton, the surest connection first: no limb type goes before another, so
a certain knee is never lost to a doubtful neck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.decode.limbs import Connections
from openpose_ros.decode.peaks import Peaks
from openpose_ros.skeleton import Skeleton

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Groups:
    """G people as candidates, before anything is filtered.

    Attributes:
        image: (G,) which image of the batch.
        members: (G, J) rows of Peaks, -1 where the joint was not found.
        limbs: (G, L) scores of the connections that hold the group together, 0 where there is none.
    """

    image: Ints
    members: Ints
    limbs: Floats


def rank(peaks: Peaks, connections: Connections) -> Any:
    """(C,) how sure each connection is: the limb's score times the geometric mean of its joints' heats."""
    heat = np.clip(peaks.score, 0.0, 1.0)
    return connections.score * np.sqrt(heat[connections.start] * heat[connections.end])


def assemble(peaks: Peaks, connections: Connections, skeleton: Skeleton) -> Groups:
    """Take the connections in the order of their rank; each candidate ends in one group at most.

    A connection founds a group (unless it only fills in), adds a joint that the group lacks, joins two groups that
    have no joint in common, or confirms what a group already has. Otherwise it contradicts a surer one and is left.

    Args:
        peaks, connections: host (NumPy) arrays.
    """
    order = np.argsort(-rank(peaks, connections), kind="stable")
    joints, limbs = len(skeleton.joints), len(skeleton.limbs)
    members: list[list[int] | None] = []
    scores: list[list[float]] = []
    owner = [-1] * len(peaks.score)
    taken: set[tuple[int, int]] = set()

    columns = (connections.limb, connections.start, connections.end, connections.score)
    for limb, start, end, score in zip(*(column[order].tolist() for column in columns), strict=True):
        if (limb, start) in taken or (-1 - limb, end) in taken:
            continue
        first, second = owner[start], owner[end]
        from_joint, to_joint = skeleton.limbs[limb]
        if first < 0 and second < 0:
            if limb in skeleton.filling:
                continue
            group = [-1] * joints
            group[from_joint], group[to_joint] = start, end
            owner[start] = owner[end] = first = len(members)
            members.append(group)
            scores.append([0.0] * limbs)
        elif first < 0 or second < 0:
            newcomer, joint = (end, to_joint) if second < 0 else (start, from_joint)
            first = max(first, second)
            group = _alive(members, first)
            if group[joint] >= 0:
                continue
            group[joint] = newcomer
            owner[newcomer] = first
        elif first != second:
            group, other = _alive(members, first), _alive(members, second)
            if limb in skeleton.filling or any(a >= 0 and b >= 0 for a, b in zip(group, other, strict=True)):
                continue
            for joint, candidate in enumerate(other):
                if candidate >= 0:
                    group[joint] = candidate
                    owner[candidate] = first
            scores[first] = [max(a, b) for a, b in zip(scores[first], scores[second], strict=True)]
            members[second] = None
        scores[first][limb] = score
        taken.add((limb, start))
        taken.add((-1 - limb, end))

    alive = [index for index, group in enumerate(members) if group is not None]
    table = np.array([members[index] for index in alive], np.int64).reshape(-1, joints)
    held = np.array([scores[index] for index in alive], np.float32).reshape(-1, limbs)
    return Groups(image=image_of(peaks, table), members=table, limbs=held)


def image_of(peaks: Peaks, members: Ints) -> Ints:
    """(G,) the image each group lies in; every group has at least one member."""
    if not len(members):
        return np.empty(0, np.int64)
    return np.asarray(np.take(peaks.image, members.max(1)), np.int64)


def _alive(members: list[list[int] | None], index: int) -> list[int]:
    group = members[index]
    if group is None:
        raise AssertionError("a candidate belongs to a group that was merged away")
    return group
