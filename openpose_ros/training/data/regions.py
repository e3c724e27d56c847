"""Parts of a photo, such as a person's outline or a crowd: read from COCO's forms, painted into masks of crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_FRACTION = 4
"""Binary digits behind the point of the coordinates that OpenCV fills."""


@dataclass(frozen=True, eq=False)
class Polygons:
    """The union of polygons, each (n, 2) float32 x, y in source pixels, pixel centres at integers."""

    parts: tuple[Floats, ...]


@dataclass(frozen=True, eq=False)
class Runs:
    """Pixels of a photo as COCO's compressed run lengths."""

    height: int
    width: int
    counts: bytes


Region = Polygons | Runs


def box_region(box: Sequence[float] | Floats, widened: float = 0.0) -> Polygons:
    """left, top, right, bottom -> the rectangle, each side moved out by a share of the longer one."""
    left, top, right, bottom = (float(value) for value in box)
    more = widened * max(right - left, bottom - top)
    left, top, right, bottom = left - more, top - more, right + more, bottom + more
    return Polygons((np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32),))


def coco_region(segmentation: Any) -> Region | None:
    """A region from COCO's ``segmentation`` (polygons or run lengths); None where it is empty or malformed."""
    try:
        if isinstance(segmentation, dict):
            height, width = (int(side) for side in segmentation["size"])
            counts = segmentation["counts"]
            if isinstance(counts, list):
                counts = coco_mask.frPyObjects(segmentation, height, width)["counts"]
            return Runs(height, width, counts.encode() if isinstance(counts, str) else bytes(counts))
        # COCO puts the first pixel's centre at 0.5.
        parts = [np.asarray(part, np.float32).reshape(-1, 2) - np.float32(0.5) for part in segmentation or ()]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    kept = tuple(part for part in parts if len(part) >= 3 and np.isfinite(part).all())
    return Polygons(kept) if kept else None


def paint(mask: npt.NDArray[np.uint8], region: Region, matrix: Matrix, value: int) -> None:
    """Set a region's pixels of a crop's mask.

    Args:
        mask: (H, W) uint8 of the crop, changed in place.
        region: in source pixels.
        matrix: (2, 3), source -> crop pixels.
        value: what to write.
    """
    if isinstance(region, Runs):
        flat = coco_mask.decode({"size": [region.height, region.width], "counts": region.counts})
        height, width = mask.shape
        moved = cv2.warpAffine(flat, matrix, (width, height), flags=cv2.INTER_NEAREST)
        mask[moved > 0] = value
        return
    for part in region.parts:
        corners = part @ matrix[:, :2].T + matrix[:, 2]
        corners = np.clip(corners, -1e5, 1e5) * (1 << _FRACTION)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], (value,), cv2.LINE_8, _FRACTION)


def scaled_segmentation(segmentation: Any, across: float, down: float, size: tuple[int, int]) -> Any:
    """COCO's ``segmentation`` of a photo that was resized.

    Args:
        segmentation: polygons or run lengths.
        across, down: factors of the width and of the height.
        size: height and width of the resized photo.
    """
    region = coco_region(segmentation)
    if isinstance(region, Runs):
        flat = coco_mask.decode({"size": [region.height, region.width], "counts": region.counts})
        small = cv2.resize(flat * np.uint8(255), (size[1], size[0]), interpolation=cv2.INTER_AREA) > 127
        runs = coco_mask.encode(np.asfortranarray(small, np.uint8))
        return {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()}
    if region is None:
        return []
    factors = np.array([across, down])
    return [np.round((part + 0.5) * factors, 2).ravel().tolist() for part in region.parts]
