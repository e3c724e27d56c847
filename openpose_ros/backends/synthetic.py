"""Synthetic: fields of people who are not there, as a perfect network would answer. For tests and demos."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openpose_ros.card import Card
from openpose_ros.fields import Fields
from openpose_ros.preprocess import Batch
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, Skeleton

STANDING: dict[str, tuple[float, float]] = {
    "head": (0.0, 0.0), "nose": (0.0, 0.08), "neck": (0.0, 0.19), "chest": (0.0, 0.35), "mid_hip": (0.0, 0.53),
    "right_eye": (-0.02, 0.06), "left_eye": (0.02, 0.06), "right_ear": (-0.045, 0.07), "left_ear": (0.045, 0.07),
    "right_shoulder": (-0.11, 0.2), "left_shoulder": (0.11, 0.2), "right_elbow": (-0.15, 0.36),
    "left_elbow": (0.15, 0.36), "right_wrist": (-0.17, 0.5), "left_wrist": (0.17, 0.5), "right_hip": (-0.07, 0.53),
    "left_hip": (0.07, 0.53), "right_knee": (-0.075, 0.75), "left_knee": (0.075, 0.75), "right_ankle": (-0.08, 0.96),
    "left_ankle": (0.08, 0.96), "right_heel": (-0.07, 0.99), "left_heel": (0.07, 0.99),
    "right_big_toe": (-0.09, 1.0), "left_big_toe": (0.09, 1.0), "right_small_toe": (-0.12, 1.0),
    "left_small_toe": (0.12, 1.0),
}  # fmt: skip
"""x and y of joints of someone who faces the camera, in heights of the body, from the middle of the top."""

WAVING = {**STANDING, "right_elbow": (-0.21, 0.16), "right_wrist": (-0.23, 0.01)}


class SyntheticBackend:
    """Renders the fields of given people; see :class:`~openpose_ros.backends.Backend`."""

    name = "synthetic"
    device = "cpu"
    precision = "float32"

    def __init__(self, card: Card, people: npt.ArrayLike | None = None) -> None:
        """Say whom every image shows.

        Args:
            card: gives skeleton, stride and PAF offset; its weights are not looked at.
            people: (P, J, 2) source pixels, NaN where a joint is unknown; None shows a group that fits into the
                image.
        """
        self.card = card
        self.people = None if people is None else np.asarray(people, np.float64)

    def __call__(self, batch: Batch) -> Fields:
        rendered = [
            render(
                group(grid.image_height, grid.image_width, self.card.skeleton) if self.people is None else self.people,
                grid,
                self.card.skeleton,
                paf_offset=self.card.paf_offset,
            )
            for grid in batch.grids
        ]
        return Fields(
            np.concatenate([fields.heatmaps for fields in rendered]),
            np.concatenate([fields.pafs for fields in rendered]),
            batch.grids,
            self.card.skeleton,
            self.card.paf_offset,
        )

    def close(self) -> None:
        """Nothing to give back."""


def synthetic_card() -> Card:
    """The card of the synthetic backend: COCO-18, no weights."""
    return Card(
        name="synthetic",
        network={"type": "synthetic"},
        skeleton=COCO_18,
        licence="Apache-2.0",
        notes="People who are not there: for tests and demos.",
    )


def group(height: int, width: int, skeleton: Skeleton) -> npt.NDArray[np.float64]:
    """(3, J, 2) source pixels of two people standing and one waving between them, inside an image of that size.

    Joints that the figures lack are NaN.
    """
    room = min(float(height), 0.9 * width)
    figures = ((STANDING, 0.24, 0.75), (WAVING, 0.53, 0.85), (STANDING, 0.8, 0.65))
    people = np.full((len(figures), len(skeleton.joints), 2), np.nan)
    for person, (figure, place, size) in zip(people, figures, strict=True):
        top = 0.5 * (height - room) + room * (0.95 - size)  # they stand on one line
        for joint, name in enumerate(skeleton.joints):
            if name in figure:
                x, y = figure[name]
                person[joint] = place * width + x * size * room - 0.5, top + y * size * room - 0.5
    return people
