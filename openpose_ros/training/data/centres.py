"""Where crops are cut: around people (CMU's and lightweight OpenPose's rules), or anywhere in photos of nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass

from openpose_ros.training.config import CropConfig
from openpose_ros.training.data.sample import Sample


@dataclass(frozen=True)
class Centre:
    """What a crop is cut around, in source pixels.

    Attributes:
        x, y: the middle of a person's box; NaN for a crop of the whole photo.
        height: of the person: of their box, but at least half its width, so that who lies down is not blown up.
    """

    x: float = math.nan
    y: float = math.nan
    height: float = math.nan

    @property
    def whole(self) -> bool:
        """Whether it is no person's."""
        return math.isnan(self.height)


WHOLE = Centre()


def centres(sample: Sample, crop: CropConfig) -> list[Centre]:
    """People that deserve a crop of their own, in the order of the annotations.

    Left out are people with few joints, small ones, and those whose middle lies near that of an earlier centre. A
    photo without labels, or of nobody at all, has the one centre :data:`WHOLE`; one in which nobody qualifies, none.
    """
    if not len(sample.people):
        return [] if sample.ignored else [WHOLE]
    chosen: list[tuple[float, float, float]] = []
    found = []
    for box, area, count in zip(sample.boxes.tolist(), sample.areas.tolist(), sample.counts.tolist(), strict=True):
        left, top, right, bottom = box
        x, y, width, height = (left + right) / 2.0, (top + bottom) / 2.0, right - left, bottom - top
        if count < crop.min_keypoints or area < crop.min_area or min(width, height) <= 0.0:
            continue
        if any(math.hypot(x - other_x, y - other_y) < near for other_x, other_y, near in chosen):
            continue
        chosen.append((x, y, crop.apart * max(width, height)))
        found.append(Centre(x, y, max(height, width / 2.0)))
    return found
