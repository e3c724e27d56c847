"""Annotated photos in COCO's format, and the scores of people found in them (pycocotools)."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import COCO_17

_log = logging.getLogger(__name__)

MEASURES = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")
"""The ten numbers of COCO's keypoint evaluation, in its order; here in percent."""


class DatasetError(ValueError):
    """Annotations or photos cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Photo:
    """An annotated photo.

    Attributes:
        id: COCO's number.
        path: the file.
        people: COCO's annotations of it, crowds and people without keypoints included.
    """

    id: int
    path: Path
    people: tuple[dict[str, Any], ...]

    def read(self) -> Image:
        """(H, W, 3) uint8 BGR.

        Raises:
            DatasetError: missing or unreadable.
        """
        # COCO annotates the pixels as they are stored, so an orientation tag must not turn them.
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise DatasetError(f"the photo {self.path} is {'unreadable' if self.path.exists() else 'missing'}")
        return image.astype(np.uint8, copy=False)


class AnnotatedPhotos:
    """A COCO ``person_keypoints`` file and its folder of photos."""

    def __init__(self, annotations: Path, images: Path, limit: int = 0) -> None:
        """Read the annotations; ``limit`` keeps only so many photos, spread evenly (0: all).

        Raises:
            DatasetError: the file is missing or not of COCO's form, or the folder is missing.
        """
        if not annotations.is_file():
            raise DatasetError(f"there is no annotation file {annotations}")
        if not images.is_dir():
            raise DatasetError(f"there is no folder of photos {images}")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self.coco = COCO(str(annotations))
            ids = sorted(self.coco.getImgIds())
            entries = self.coco.loadImgs(ids)
            names = [str(entry["file_name"]) for entry in entries]
            unfit = [a["id"] for a in self.coco.anns.values() if "keypoints" not in a or "num_keypoints" not in a]
        except (ValueError, KeyError, TypeError, AssertionError, AttributeError) as error:
            raise DatasetError(f"{annotations} is not a COCO annotation file: {error!r}") from None
        if unfit:
            raise DatasetError(f"{annotations}: annotation {unfit[0]} has no keypoints; expected person_keypoints")
        if not ids:
            raise DatasetError(f"{annotations} lists no photos")
        chosen = range(len(ids)) if not 0 < limit < len(ids) else np.linspace(0, len(ids) - 1, limit).round()
        self.photos = [Photo(ids[i], images / names[i], tuple(self.coco.imgToAnns[ids[i]])) for i in map(int, chosen)]

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)

    def measure(self, people: Sequence[People]) -> dict[str, float]:
        """COCO's keypoint measures in percent, of the people found in each photo, in this order of photos."""
        ids = [photo.id for photo in self.photos]
        results = [row for id, found in zip(ids, people, strict=True) for row in found.to_coco(id)]
        if not results:
            return dict.fromkeys(MEASURES, 0.0)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self.coco, self.coco.loadRes(results), "keypoints")
            evaluation.params.imgIds = ids
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return {name: 100.0 * float(value) for name, value in zip(MEASURES, evaluation.stats, strict=True)}


def oks(people: People, annotation: dict[str, Any]) -> npt.NDArray[np.float64]:
    """(P,) object keypoint similarity of people and one annotated person with keypoints (COCO's definition)."""
    wanted = np.asarray(annotation["keypoints"], np.float64).reshape(-1, 3)
    labelled = wanted[:, 2] > 0
    order = np.array(people.skeleton.order_in(COCO_17))
    xy = np.where(people.known[:, order, None], people.xy[:, order] + 0.5, 0.0)
    spread = 2.0 * np.array(COCO_17.sigmas)
    exponent = np.square(xy - wanted[:, :2]).sum(-1) / (2.0 * spread**2 * (annotation["area"] + np.spacing(1)))
    return np.asarray(np.exp(-exponent)[:, labelled].mean(1))


def best_oks(people: People, annotations: Iterable[dict[str, Any]]) -> tuple[npt.NDArray[np.float64], Any]:
    """For each of P people the OKS with the annotated person it fits best, and whether to leave it out of account.

    People without a match who lie mostly inside a crowd or a person without keypoints cannot be judged.
    """
    best, excused = np.zeros(len(people)), np.zeros(len(people), np.bool_)
    for annotation in annotations:
        if annotation["iscrowd"] or not annotation["num_keypoints"]:
            left, top, width, height = annotation["bbox"]
            x, y = people.xy[..., 0], people.xy[..., 1]
            inside = (x > left) & (x < left + width) & (y > top) & (y < top + height) & people.known
            excused |= inside.sum(1) > 0.5 * people.known.sum(1)
        elif len(people):
            best = np.maximum(best, oks(people, annotation))
    return best, excused & (best < 0.3)
