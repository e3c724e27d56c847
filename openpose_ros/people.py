"""People: what comes out. Arrays in the order of the skeleton's joints, coordinates in source-image pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.skeleton import COCO_17, Skeleton

Floats = npt.NDArray[np.float32]

OPENPOSE_JSON_VERSION = 1.3


class JointState(IntEnum):
    """How a joint's place is known; the same numbers as in ``openpose_msgs/Keypoint``."""

    UNKNOWN = 0
    SEEN = 1
    COMPLETED = 2


@dataclass(frozen=True, eq=False)
class People:
    """The people of one image. Nobody is ``len(people) == 0``, never None.

    Attributes:
        skeleton: names and limbs of the J joints.
        xy: (P, J, 2) x, y in source pixels, pixel centres at integers; NaN where unknown.
        score: (P, J) confidence in 0..1; 0 where unknown.
        state: (P, J) uint8, :class:`JointState`.
        person_score: (P,) confidence of the whole person in 0..1, best person first.
        image_size: (height, width) of the source image in pixels.
        id: (P,) int32, -1 while untracked.
        xyz: (P, J, 3) metres in the camera's optical frame, NaN where unknown; None without depth.
        limb_score: (P, L) mean projected PAF of the limbs that hold the person together, 0 where there is none;
            None for people that no decoder found.
    """

    skeleton: Skeleton
    xy: Floats
    score: Floats
    state: npt.NDArray[np.uint8]
    person_score: Floats
    image_size: tuple[int, int]
    id: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    xyz: Floats | None = None
    limb_score: Floats | None = None

    def __post_init__(self) -> None:
        count, joints = len(self.xy), len(self.skeleton.joints)
        if self.id.shape == (0,) and count:
            object.__setattr__(self, "id", np.full(count, -1, np.int32))
        expected = {
            "xy": (count, joints, 2), "score": (count, joints), "state": (count, joints),
            "person_score": (count,), "id": (count,),
        }  # fmt: skip
        if self.xyz is not None:
            expected["xyz"] = (count, joints, 3)
        if self.limb_score is not None:
            expected["limb_score"] = (count, len(self.skeleton.limbs))
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"People.{name} has shape {getattr(self, name).shape}; {count} people of {self.skeleton.name} "
                    f"need {shape}"
                )

    @classmethod
    def empty(cls, skeleton: Skeleton, image_size: tuple[int, int]) -> People:
        """Nobody."""
        return cls.from_arrays(skeleton, np.empty((0, len(skeleton.joints), 2), np.float32), image_size)

    @classmethod
    def from_arrays(
        cls,
        skeleton: Skeleton,
        xy: npt.ArrayLike,
        image_size: tuple[int, int],
        score: npt.ArrayLike | None = None,
        person_score: npt.ArrayLike | None = None,
    ) -> People:
        """People from coordinates alone: NaN means unknown, everything else was seen; scores default to 1."""
        places = np.array(xy, np.float32).reshape(-1, len(skeleton.joints), 2)
        known = np.isfinite(places).all(-1)
        places[~known] = np.nan
        scores = np.where(known, 1.0 if score is None else np.asarray(score), 0.0).astype(np.float32)
        whole = np.ones(len(places)) if person_score is None else np.asarray(person_score)
        state = np.where(known, JointState.SEEN, JointState.UNKNOWN).astype(np.uint8)
        return cls(skeleton, places, scores, state, whole.astype(np.float32), image_size)

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, which: Any) -> People:
        """People by index array, mask or slice, in that order; an int gives one person, still as People."""
        rows = np.arange(len(self))[which].reshape(-1)
        return replace(
            self,
            xy=self.xy[rows],
            score=self.score[rows],
            state=self.state[rows],
            person_score=self.person_score[rows],
            id=self.id[rows],
            xyz=None if self.xyz is None else self.xyz[rows],
            limb_score=None if self.limb_score is None else self.limb_score[rows],
        )

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(P, J) where a joint has a place, seen or completed."""
        return np.not_equal(self.state, JointState.UNKNOWN)

    @property
    def boxes(self) -> Floats:
        """(P, 4) x, y of the upper left and lower right known joints, source pixels; NaN for a person without any."""
        low = np.where(self.known[..., None], self.xy, np.inf).min(1, initial=np.inf)
        high = np.where(self.known[..., None], self.xy, -np.inf).max(1, initial=-np.inf)
        boxes = np.concatenate([low, high], -1).astype(np.float32)
        return np.where(np.isfinite(boxes), boxes, np.float32(np.nan))

    def to_openpose_json(self, candidates: Sequence[Floats] | None = None, digits: int = 4) -> dict[str, Any]:
        """The structure of OpenPose's ``--write_json``, version 1.3: x, y, score triples, 0, 0, 0 where unknown.

        Args:
            candidates: J arrays (N, 3) of x, y, score, for its ``part_candidates``; None leaves them out.
            digits: of the numbers, behind the point.
        """
        joints = len(self.skeleton.joints)
        flat = np.concatenate([np.nan_to_num(self.xy), self.score[..., None]], -1).reshape(len(self), 3 * joints)
        solid: list[list[float]] = [[] for _ in range(len(self))]
        if self.xyz is not None:
            known = np.isfinite(self.xyz).all(-1)
            score = np.where(known, self.score, 0.0)[..., None]
            solid = np.concatenate([np.nan_to_num(self.xyz), score], -1).reshape(len(self), 4 * joints).tolist()
        absent = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
        absent_3d = ("face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d")
        table: dict[str, Any] = {
            "version": OPENPOSE_JSON_VERSION,
            "people": [
                {
                    "person_id": [int(self.id[person])],
                    "pose_keypoints_2d": [round(value, digits) for value in flat[person].tolist()],
                    **{name: [] for name in absent},
                    "pose_keypoints_3d": solid[person],
                    **{name: [] for name in absent_3d},
                }
                for person in range(len(self))
            ],
        }
        if candidates is not None:
            rounded = ([round(value, digits) for value in part.ravel().tolist()] for part in candidates)
            table["part_candidates"] = [{str(joint): numbers for joint, numbers in enumerate(rounded)}]
        return table

    def to_coco(self, image_id: int) -> list[dict[str, Any]]:
        """COCO keypoint results. COCO's annotations count from the pixel's corner, so half a pixel is added."""
        order = self.skeleton.order_in(COCO_17)
        rows = []
        for person in range(len(self)):
            keypoints: list[float] = []
            for joint in order:
                if joint < 0 or not self.known[person, joint]:
                    keypoints += [0.0, 0.0, 0.0]
                else:
                    x, y = self.xy[person, joint]
                    keypoints += [float(x) + 0.5, float(y) + 0.5, float(self.score[person, joint])]
            rows.append(
                {
                    "image_id": image_id,
                    "category_id": 1,
                    "keypoints": keypoints,
                    "score": float(self.person_score[person]),
                }
            )
        return rows
