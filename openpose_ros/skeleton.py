"""Joints, limbs and their names: the one table that training, decoding, drawing and messages share.

Orders and limbs: CMU's published tables for COCO, BODY_25 and MPI, the COCO dataset for COCO-17, the tables of
Yet-Another-Openpose-Implementation for YAOP-18, where the neck is called sternum, and trt_pose's. Sigmas are those of
COCO's keypoint evaluation (per-joint standard deviation of human annotators, in units of sqrt(area)). "Right" is
always the person's own right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
"""Joints that nobody annotates: the middle of two others, as CMU and lightweight OpenPose have it."""


@dataclass(frozen=True)
class Skeleton:
    """Names, limbs and left/right of one body model.

    Attributes:
        name: how cards, parameters and messages call it, such as ``COCO-18``.
        joints: J snake_case names, in the order of the heatmap channels.
        limbs: L pairs (from, to) of joint indices, in the order of the PAF channels.
        filling: indices of limbs that only add a joint to a person found through the others; they
            never found a person (ear to shoulder in the OpenPose models).
        sigmas: J annotation spreads for OKS (COCO evaluation), in units of sqrt(area).
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    filling: frozenset[int] = frozenset()
    sigmas: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise ValueError(f"skeleton {self.name}: a joint name stands twice in {self.joints}")
        for limb in self.limbs:
            if len(limb) != 2 or limb[0] == limb[1] or not all(0 <= j < count for j in limb):
                raise ValueError(f"skeleton {self.name}: limb {limb} must join two different joints of 0..{count - 1}")
        if not self.filling <= set(range(len(self.limbs))):
            raise ValueError(f"skeleton {self.name}: filling limbs {sorted(self.filling)} are not all limbs")
        if not self.sigmas:
            object.__setattr__(self, "sigmas", tuple(_sigma(name) for name in self.joints))
        if len(self.sigmas) != count:
            raise ValueError(f"skeleton {self.name}: {len(self.sigmas)} sigmas for {count} joints")

    def joint(self, name: str) -> int:
        """Index of a joint by name; a KeyError names the joints there are."""
        try:
            return self.joints.index(name)
        except ValueError:
            raise KeyError(f"{self.name} has no joint {name!r}; it has {', '.join(self.joints)}") from None

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the index of the joint it becomes in a mirrored picture."""
        return tuple(self.joint(_mirror_name(name)) for name in self.joints)

    @cached_property
    def mirrored_limbs(self) -> tuple[int, ...]:
        """For each limb the index of the limb it becomes in a mirrored picture."""
        return tuple(limb for limb, _ in self._mirror_images)

    @cached_property
    def mirrored_signs(self) -> tuple[int, ...]:
        """For each limb -1 where its mirror image points the other way (left hip to right hip), else 1."""
        return tuple(sign for _, sign in self._mirror_images)

    @cached_property
    def _mirror_images(self) -> tuple[tuple[int, int], ...]:
        images = []
        for a, b in self.limbs:
            there = self.mirrored[a], self.mirrored[b]
            if there in self.limbs:
                images.append((self.limbs.index(there), 1))
            elif there[::-1] in self.limbs:
                images.append((self.limbs.index(there[::-1]), -1))
            else:
                raise ValueError(f"skeleton {self.name}: limbs have no mirror image, so it cannot be flipped")
        return tuple(images)

    @cached_property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """L colours of the limbs, (blue, green, red) in 0..255: warm on the right side, cool on the left."""
        return tuple(_limb_colour(self, index) for index in range(len(self.limbs)))

    def order_in(self, other: Skeleton) -> tuple[int, ...]:
        """For each joint of ``other`` the index of the same joint here, or -1 where this skeleton has none."""
        return tuple(self.joints.index(name) if name in self.joints else -1 for name in other.joints)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Skeleton:
        """Read ``name``, ``joints`` (names), ``limbs`` (pairs of names) and, optionally, ``filling`` (pairs of
        names) and ``sigmas`` (by name)."""
        unknown = set(table) - {"name", "joints", "limbs", "filling", "sigmas"}
        missing = {"name", "joints", "limbs"} - set(table)
        if unknown or missing:
            raise ValueError(f"skeleton: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
        joints = tuple(str(name) for name in table["joints"])

        def pair(names: Sequence[str]) -> tuple[int, int]:
            absent = [name for name in names if name not in joints]
            if absent or len(names) != 2:
                raise ValueError(f"skeleton {table['name']}: limb {list(names)} must name two of its joints")
            return joints.index(names[0]), joints.index(names[1])

        limbs = tuple(pair(names) for names in table["limbs"])
        filling = [pair(names) for names in table.get("filling", ())]
        if not set(filling) <= set(limbs):
            raise ValueError(f"skeleton {table['name']}: filling {table['filling']} must be limbs of the skeleton")
        sigmas = table.get("sigmas", {})
        return cls(
            name=str(table["name"]),
            joints=joints,
            limbs=limbs,
            filling=frozenset(map(limbs.index, filling)),
            sigmas=tuple(float(sigmas.get(name, _sigma(name))) for name in joints),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The table that :meth:`from_mapping` reads."""
        limbs = [[self.joints[a], self.joints[b]] for a, b in self.limbs]
        return {
            "name": self.name,
            "joints": list(self.joints),
            "limbs": limbs,
            "filling": [limbs[limb] for limb in sorted(self.filling)],
            "sigmas": dict(zip(self.joints, self.sigmas, strict=True)),
        }


def load_skeleton(name: str | Path) -> Skeleton:
    """A built-in skeleton by name (one of ``SKELETONS``) or one from a YAML file."""
    if str(name) in SKELETONS:
        return SKELETONS[str(name)]
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return Skeleton.from_mapping(yaml.safe_load(path.read_text()))
    raise ValueError(f"no skeleton {str(name)!r}: expected one of {', '.join(SKELETONS)} or a YAML file")


_COCO_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip


def _sigma(joint: str) -> float:
    """COCO's sigma by the part's name without its side; joints that COCO does not annotate take the shoulder's."""
    part = joint.removeprefix("left_").removeprefix("right_")
    return _COCO_SIGMAS.get(part, _COCO_SIGMAS["shoulder"])


def _mirror_name(joint: str) -> str:
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    if joint.startswith("right_"):
        return "left_" + joint.removeprefix("right_")
    return joint


def _limb_colour(skeleton: Skeleton, index: int) -> tuple[int, int, int]:
    sides = [_side(skeleton, limb) for limb in skeleton.limbs]
    same_side = [other for other, side in enumerate(sides) if side == sides[index]]
    ramp = same_side.index(index) / max(1, len(same_side) - 1)
    if sides[index] > 0:
        return round(40 - 40 * ramp), round(60 + 170 * ramp), 255
    if sides[index] < 0:
        return 255, round(90 + 160 * ramp), round(60 * ramp)
    return 200, round(60 + 40 * ramp), round(230 - 40 * ramp)


def _side(skeleton: Skeleton, limb: tuple[int, int]) -> int:
    """1 for a limb on the right, -1 on the left, 0 in the middle or across it."""
    names = [skeleton.joints[joint] for joint in limb]
    right, left = (any(name.startswith(side) for name in names) for side in ("right_", "left_"))
    return int(right) - int(left)


COCO_18 = Skeleton(
    name="COCO-18",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
        "right_ear", "left_ear",
    ),
    limbs=(
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16),
        (1, 5), (5, 6), (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    filling=frozenset({9, 13}),
)  # fmt: skip

COCO_17 = Skeleton(
    name="COCO-17",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_ankle", "right_ankle",
    ),
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
)  # fmt: skip

BODY_25 = Skeleton(
    name="BODY_25",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
        "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
        "right_small_toe", "right_heel",
    ),
    limbs=(
        (1, 8), (9, 10), (10, 11), (8, 9), (8, 12), (12, 13), (13, 14), (1, 2), (2, 3), (3, 4), (2, 17), (1, 5),
        (5, 6), (6, 7), (5, 18), (1, 0), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20), (14, 21),
        (11, 22), (22, 23), (11, 24),
    ),
    filling=frozenset({10, 14}),
)  # fmt: skip

MPI_15 = Skeleton(
    name="MPI-15",
    joints=(
        "head", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "chest",
    ),
    limbs=(
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 14), (14, 8), (8, 9), (9, 10), (14, 11),
        (11, 12), (12, 13),
    ),
)  # fmt: skip

YAOP_18 = Skeleton(
    name="YAOP-18",
    joints=(
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle",
        "right_eye", "right_ear", "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle",
        "left_eye", "left_ear",
    ),
    limbs=(
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 9),
        (1, 10), (10, 11), (11, 12), (1, 13), (13, 14), (14, 15), (0, 16), (16, 17),
    ),
)  # fmt: skip

TRT_POSE_18 = Skeleton(
    name="TRT-POSE-18",
    joints=(*COCO_17.joints, "neck"),
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2),
        (1, 3), (2, 4), (3, 5), (4, 6), (17, 0), (17, 5), (17, 6), (17, 11), (17, 12),
    ),
)  # fmt: skip

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (COCO_18, COCO_17, BODY_25, MPI_15, YAOP_18, TRT_POSE_18)}
