"""Records -> samples: annotations checked, brought into the skeleton's order, and what is wrong counted and named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.skeleton import MIDDLES, Skeleton
from openpose_ros.training.config import ConfigError
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.regions import Region, box_region, coco_region
from openpose_ros.training.data.report import Report
from openpose_ros.training.data.sample import Sample

Doubles = npt.NDArray[np.float64]

AREA_OF_BOX = 0.53
"""How much of its box a person fills, on average of COCO's; for annotations without areas."""

WIDENED = 0.15
"""A lone labelled person's box reaches this share of its longer side beyond the joints: hands, feet and hair."""

SLACK = 1.0
"""Pixels that a joint may lie outside of its photo, for rounding."""


class Labels:
    """Makes samples of records, for one skeleton and one source."""

    def __init__(self, skeleton: Skeleton, report: Report, only: Sequence[str] = (), one_person: bool = False) -> None:
        """``only`` and ``one_person`` are ``joints`` and ``one_person`` of the source's configuration.

        Raises:
            ConfigError: ``only`` names a joint that the skeleton does not have.
        """
        unknown = [name for name in only if name not in skeleton.joints]
        if unknown:
            raise ConfigError(
                f"source {report.name}: {skeleton.name} has no joint {unknown[0]!r}; expected some of "
                f"{', '.join(skeleton.joints)}"
            )
        self.skeleton = skeleton
        self.report = report
        self.only = frozenset(only) or frozenset(skeleton.joints)
        self.one_person = one_person

    def __call__(self, record: Record) -> Sample | None:
        """The sample, or None where the record is of no use; the report says why."""
        skeleton, report = self.skeleton, self.report
        if record.people is None:
            report.photos += 1
            return Sample.unlabelled(record.picture, record.name, len(skeleton.joints), record.size)
        order, labelled = joint_order(skeleton, record.joints)
        labelled = labelled & np.array([name in self.only for name in skeleton.joints])
        people: list[Doubles] = []
        boxes, areas, counts = [], [], []
        outlines: list[Region | None] = []
        ignored: list[Region] = []
        for person in cleaned(record, report).people or ():
            outline = coco_region(person.get("segmentation"))
            if "keypoints" not in person:
                ignored.append(outline or box_region(_corners(person["bbox"])))
                continue
            points = np.array(person["keypoints"]).reshape(-1, 3)
            xy = np.where(points[:, 2:] > 0, points[:, :2] - 0.5, np.nan)
            joints = np.where(labelled[:, None], xy[order].mean(1), np.nan)
            self._look_for_mistakes(joints, record.name)
            people.append(joints)
            boxes.append(_corners(person["bbox"]))
            areas.append(person["area"])
            counts.append(int((points[:, 2] > 0).sum()))
            outlines.append(outline)
        xy = np.array(people).reshape(-1, len(skeleton.joints), 2)
        confined = None
        if self.one_person:
            if not np.isfinite(xy).any():
                report.drop("no labelled person", record.name)
                return None
            ends = [np.nanmin(xy, (0, 1)), np.nanmax(xy, (0, 1))]
            confined = _around(box_region(np.concatenate(ends).tolist(), WIDENED).parts[0])
        report.photos += 1
        report.people += len(people)
        return Sample(
            record.picture, record.name, xy.astype(np.float32), np.array(boxes, np.float32).reshape(-1, 4),
            np.array(areas, np.float32), np.array(counts, np.int64), labelled, tuple(outlines), tuple(ignored),
            confined, record.size,
        )  # fmt: skip

    def _look_for_mistakes(self, joints: Doubles, name: str) -> None:
        ends = np.array(self.skeleton.limbs)
        length = np.hypot(*(joints[ends[:, 1]] - joints[ends[:, 0]]).T)
        if (length < 1e-3).any():
            self.report.drop("limb of no length (not drawn)", name)


def cleaned(record: Record, report: Report) -> Record:
    """The record with well-formed people only, every one with a ``bbox``.

    Crowds and people without usable joints lose their ``keypoints``: they are places where nothing is learned. All
    others have 3 finite numbers for each joint, an ``area``, and no joint outside of the photo.
    """
    if record.people is None:
        return record
    kept = (_cleaned(person, record, report) for person in record.people)
    return replace(record, people=tuple(person for person in kept if person is not None))


def _cleaned(person: dict[str, Any], record: Record, report: Report) -> dict[str, Any] | None:
    found = {key: value for key, value in person.items() if key not in ("keypoints", "num_keypoints", "bbox", "area")}
    points = None if person.get("iscrowd") else _points(person.get("keypoints"), record, report)
    box = _numbers(person.get("bbox"), 4)
    if box is None or min(box[2:]) <= 0.0:
        box = None
        if points is not None:
            xy = points[points[:, 2] > 0, :2]
            box = np.concatenate([xy.min(0), np.ptp(xy, axis=0).clip(1.0)]).tolist()
    if box is None and (region := coco_region(person.get("segmentation"))) is not None:
        # Run lengths have no corners at hand; the region itself is what counts.
        parts = getattr(region, "parts", None)
        xy = np.concatenate(parts) + 0.5 if parts else np.array([[0.0, 0.0], [1.0, 1.0]])
        box = np.concatenate([xy.min(0), np.ptp(xy, axis=0)]).tolist()
    if box is None:
        report.drop("person without joints, box and outline", record.name)
        return None
    found["bbox"] = box
    if points is not None:
        area = _numbers([person.get("area")], 1)
        found["area"] = area[0] if area and area[0] > 0.0 else AREA_OF_BOX * box[2] * box[3]
        found["keypoints"] = points.ravel().tolist()
        found["num_keypoints"] = int((points[:, 2] > 0).sum())
    return found


def _points(given: Any, record: Record, report: Report) -> Doubles | None:
    """(K, 3) x, y, v; None where there is no joint to learn from."""
    if not given:
        return None
    wanted = 3 * len(record.joints)
    if not isinstance(given, (list, tuple)) or len(given) != wanted:
        length = len(given) if isinstance(given, (list, tuple)) else "no"
        report.drop(f"person with {length} numbers instead of {wanted}", record.name)
        return None
    numbers = _numbers(given, wanted)
    if numbers is None:
        report.drop("person with joints that are no numbers", record.name)
        return None
    points = np.array(numbers).reshape(-1, 3)
    if record.size is not None:
        height, width = record.size
        x, y, seen = points[:, 0], points[:, 1], points[:, 2] > 0
        outside = seen & ((x < -SLACK) | (y < -SLACK) | (x > width + SLACK) | (y > height + SLACK))
        if outside.any():
            report.drop("joint outside of its photo (left out)", record.name)
            points[outside] = 0.0
    return points if (points[:, 2] > 0).any() else None


def _numbers(given: Any, count: int) -> list[float] | None:
    """That many finite numbers, or None."""
    if not isinstance(given, (list, tuple)) or len(given) != count:
        return None
    try:
        numbers = [float(value) for value in given]
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


@lru_cache(maxsize=64)
def joint_order(skeleton: Skeleton, names: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For each joint the two annotated ones (J, 2) that it is the middle of, mostly the same one twice.

    The second answer, (J,) bool, says which joints these annotations can give at all.
    """
    order = np.zeros((len(skeleton.joints), 2), np.int64)
    known = np.zeros(len(skeleton.joints), np.bool_)
    for joint, name in enumerate(skeleton.joints):
        pair = (name, name) if name in names else MIDDLES.get(name, ("", ""))
        if pair[0] in names and pair[1] in names:
            order[joint] = names.index(pair[0]), names.index(pair[1])
            known[joint] = True
    return order, known


def _corners(box: Sequence[float]) -> list[float]:
    """COCO's left, top, width, height -> left, top, right, bottom with pixel centres at integers."""
    left, top, width, height = box
    return [left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5]


def _around(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.concatenate([corners.min(0), corners.max(0)])
