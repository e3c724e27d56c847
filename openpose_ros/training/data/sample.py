"""Sample: one photo and its people in the order of the network's joints, as crops are cut from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.regions import Region

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sample:
    """A photo, not decoded yet. All places are x, y in its stored pixels, pixel centres at integers.

    Attributes:
        picture: the encoded photo; no orientation tag is obeyed.
        name: of the photo, unique in its source.
        people: (P, J, 2) float32 in the skeleton's order, NaN where a joint is not labelled.
        boxes: (P, 4) float32 left, top, right, bottom.
        areas: (P,) float32 square pixels.
        counts: (P,) int64, joints that were annotated (those derived from others do not count).
        labelled: (J,) bool, which joints the source labels where they are seen; all False without labels.
        outlines: P outlines of the people, None where there is none.
        ignored: parts without loss: crowds, and people whose joints nobody labelled.
        confined: (4,) the box outside of which nothing carries loss; None: everything does.
        size: height and width that the source states; None: not stated.
    """

    picture: Picture
    name: str
    people: Floats
    boxes: Floats
    areas: Floats
    counts: npt.NDArray[np.int64]
    labelled: npt.NDArray[np.bool_]
    outlines: tuple[Region | None, ...] = ()
    ignored: tuple[Region, ...] = ()
    confined: Floats | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def unlabelled(cls, picture: Picture, name: str, joints: int, size: tuple[int, int] | None = None) -> Sample:
        """A photo of which nothing is known."""
        nobody = np.empty((0, joints, 2), np.float32)
        return cls(
            picture, name, nobody, np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64),
            np.zeros(joints, np.bool_), size=size,
        )  # fmt: skip
