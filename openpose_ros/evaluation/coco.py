"""Annotated photos in COCO's format, and the scores of people found in them (pycocotools)."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
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

    def __init__(self, annotations: Path, images: Path, limit: int = 0, only: Collection[int] | None = None) -> None:
        """Read the annotations.

        Args:
            annotations: the file.
            images: folder of the photos it names.
            limit: keep only so many photos, spread evenly; 0 keeps all.
            only: ids of the photos to keep before that; None keeps all.

        Raises:
            DatasetError: the file is missing or not of COCO's form, the folder is missing, or the file lacks a photo
                of ``only``.
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
        if only is not None:
            absent = sorted(set(only) - set(ids))
            if absent:
                raise DatasetError(
                    f"{annotations} lacks {len(absent)} of the {len(set(only))} photos of the split, such as the one "
                    f"with the id {absent[0]}"
                )
            names = [name for name, id in zip(names, ids, strict=True) if id in only]
            ids = [id for id in ids if id in only]
        chosen = range(len(ids)) if not 0 < limit < len(ids) else np.linspace(0, len(ids) - 1, limit).round()
        self.photos = [Photo(ids[i], images / names[i], tuple(self.coco.imgToAnns[ids[i]])) for i in map(int, chosen)]

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)

    def measure(self, people: Sequence[People]) -> dict[str, float]:
        """COCO's keypoint measures in percent, of the people found in each photo, in this order of photos."""
        if not any(map(len, people)) and len(people) == len(self):
            return dict.fromkeys(MEASURES, 0.0)
        evaluation = self.evaluated(people)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
            evaluation.summarize()
        return {name: 100.0 * float(value) for name, value in zip(MEASURES, evaluation.stats, strict=True)}

    def evaluated(self, people: Sequence[People]) -> COCOeval:
        """COCO's evaluation of these people, photo by photo (``evaluate()`` is done, ``accumulate()`` is not)."""
        with contextlib.redirect_stdout(io.StringIO()):
            results = self.results(people)
            if results:
                found = self.coco.loadRes(results)
            else:  # which loadRes cannot take
                found = COCO()
                found.dataset = {**self.coco.dataset, "annotations": []}
                found.createIndex()
            evaluation = COCOeval(self.coco, found, "keypoints")
            evaluation.params.imgIds = [photo.id for photo in self.photos]
            evaluation.evaluate()
        return evaluation

    def results(self, people: Sequence[People]) -> list[dict[str, Any]]:
        """The people of each photo as COCO's keypoint results."""
        pairs = zip(self.photos, people, strict=True)
        return [row for photo, found in pairs for row in found.to_coco(photo.id)]

    def read_results(self, path: Path) -> list[People]:
        """The people of each photo from a file of COCO's keypoint results; those of other photos are left out.

        Raises:
            DatasetError: the file is missing, not of that form, or about other photos only.
        """
        try:
            rows = json.loads(path.read_text())
            by_photo: dict[int, list[tuple[float, list[float]]]] = {photo.id: [] for photo in self.photos}
            known = [row for row in rows if row["image_id"] in by_photo]
            for row in known:
                by_photo[row["image_id"]].append((float(row["score"]), row["keypoints"]))
            people = [from_results(by_photo[photo.id], self.size(photo)) for photo in self.photos]
        except OSError as error:
            raise DatasetError(f"{path} is not readable: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path} is not a file of COCO keypoint results: {error!r}") from None
        if not known:
            raise DatasetError(f"{path} holds nobody in the photos that are evaluated")
        return people

    def size(self, photo: Photo) -> tuple[int, int]:
        """(height, width) of a photo, as annotated; 0 where it is not."""
        entry = self.coco.imgs[photo.id]
        return int(entry.get("height", 0)), int(entry.get("width", 0))


def from_results(rows: Sequence[tuple[float, list[float]]], size: tuple[int, int]) -> People:
    """People of COCO's results, (score, 51 numbers) each, best first; a joint at 0, 0 is unknown."""
    ranked = sorted(rows, key=lambda row: -row[0])
    table = np.array([keypoints for _, keypoints in ranked], np.float64).reshape(-1, len(COCO_17.joints), 3)
    xy = np.where((table[..., :2] != 0.0).any(-1, keepdims=True), table[..., :2] - 0.5, np.nan)
    return People.from_arrays(COCO_17, xy, size, table[..., 2], [score for score, _ in ranked])


def annotated_people(annotations: Iterable[dict[str, Any]], size: tuple[int, int]) -> People:
    """The people with keypoints among COCO's annotations of a photo of (height, width), in their order."""
    rows = [person["keypoints"] for person in annotations if is_judged(person)]
    return from_results([(1.0, row) for row in rows], size)


def is_judged(annotation: dict[str, Any]) -> bool:
    """Whether an annotation is a person to be found; crowds and people without keypoints count neither way."""
    return not annotation["iscrowd"] and bool(annotation["num_keypoints"])


def in_coco_order(people: People) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(P, 17, 2) places in COCO's coordinates, which count from the corner of the first pixel, and (P, 17) which of
    them are known; 0, 0 where not."""
    order = np.array(people.skeleton.order_in(COCO_17))
    known = people.known[:, order] & (order >= 0)
    return np.where(known[..., None], people.xy[:, order].astype(np.float64) + 0.5, 0.0), known


def oks(people: People, annotation: dict[str, Any]) -> npt.NDArray[np.float64]:
    """(P,) object keypoint similarity of people and one annotated person with keypoints (COCO's definition)."""
    wanted = np.asarray(annotation["keypoints"], np.float64).reshape(-1, 3)
    labelled = wanted[:, 2] > 0
    xy, _ = in_coco_order(people)
    spread = 2.0 * np.array(COCO_17.sigmas)
    exponent = np.square(xy - wanted[:, :2]).sum(-1) / (2.0 * spread**2 * (annotation["area"] + np.spacing(1)))
    return np.asarray(np.exp(-exponent)[:, labelled].mean(1))


def best_oks(people: People, annotations: Iterable[dict[str, Any]]) -> tuple[npt.NDArray[np.float64], Any]:
    """For each of P people the OKS with the annotated person it fits best, and whether to leave it out of account.

    People without a match who lie mostly inside a crowd or a person without keypoints cannot be judged.
    """
    best, excused = np.zeros(len(people)), np.zeros(len(people), np.bool_)
    for annotation in annotations:
        if not is_judged(annotation):
            left, top, width, height = annotation["bbox"]
            x, y = people.xy[..., 0], people.xy[..., 1]
            inside = (x > left) & (x < left + width) & (y > top) & (y < top + height) & people.known
            excused |= inside.sum(1) > 0.5 * people.known.sum(1)
        elif len(people):
            best = np.maximum(best, oks(people, annotation))
    return best, excused & (best < 0.3)
