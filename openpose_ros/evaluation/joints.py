"""How well each joint is placed: what COCO's numbers, which are about whole people, do not tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.evaluation.coco import in_coco_order
from openpose_ros.evaluation.reliability import match
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17

PCK = (0.1, 0.2)
"""Shares of the box's longer side within which a joint counts as right."""

SIMILAR = 0.5
"""COCO's similarity of a single joint from which on it counts as right."""

LABELLED, FOUND, CLOSE, CLOSER, ALIKE = range(5)
"""What is asked about a joint: labelled; its person was found; within each share of PCK; similar."""


@dataclass(frozen=True)
class JointAccuracy:
    """One joint's row of the table; shares in 0..1, NaN where there is no joint to be judged.

    Attributes:
        joint: its name.
        labelled: joints of this name that are labelled in the photos, on all people.
        found: those of them on people who were found (OKS 0.5); the next three are shares of these.
        pck_10, pck_20: right within 0.1 and 0.2 of the longer side of the person's box (Yang and Ramanan,
            "Articulated Human Detection with Flexible Mixtures of Parts", TPAMI 2013; the box is COCO's).
        oks_50: right by COCO's similarity, exp(-d^2 / (2 s^2 k^2)) >= 0.5, where s^2 is the person's area and k twice
            the joint's sigma: a shoulder may be further off than an eye.
        oks_50_of_all: the same as a share of all labelled joints, so that people who were missed count as misses.
    """

    joint: str
    labelled: int
    found: int
    pck_10: float
    pck_20: float
    oks_50: float
    oks_50_of_all: float


def joint_table(found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]]) -> list[JointAccuracy]:
    """A row for each of COCO's joints; a joint that was not found is a miss."""
    asked = [np.zeros((5, len(COCO_17.joints)), np.bool_)]
    for people, everybody in zip(found, annotations, strict=True):
        matched = match(people, everybody)
        places, known = in_coco_order(people)
        for person, index in zip(matched.wanted, matched.found, strict=True):
            here = known[index] if index >= 0 else np.zeros(len(COCO_17.joints), np.bool_)
            there = places[index] if index >= 0 else np.zeros((len(COCO_17.joints), 2))
            asked.append(_answers(person, there, here, met=bool(index >= 0)))
    counts = np.sum(asked, 0)
    return [
        JointAccuracy(
            name,
            labelled=int(count[LABELLED]),
            found=int(count[FOUND]),
            pck_10=_share(count[CLOSE], count[FOUND]),
            pck_20=_share(count[CLOSER], count[FOUND]),
            oks_50=_share(count[ALIKE], count[FOUND]),
            oks_50_of_all=_share(count[ALIKE], count[LABELLED]),
        )
        for name, count in zip(COCO_17.joints, counts.T, strict=True)
    ]


def _answers(
    person: dict[str, Any], places: npt.NDArray[np.float64], known: npt.NDArray[np.bool_], met: bool
) -> npt.NDArray[np.bool_]:
    """(5, 17) what is asked about each joint of an annotated person, given the joints of the one who was found."""
    wanted = np.asarray(person["keypoints"], np.float64).reshape(-1, 3)
    labelled = wanted[:, 2] > 0
    apart = np.where(known, np.square(places - wanted[:, :2]).sum(-1), np.inf)
    near = [apart <= (share * max(person["bbox"][2:])) ** 2 for share in PCK]
    spread = 2.0 * np.array(COCO_17.sigmas)
    alike = np.exp(-apart / (2.0 * spread**2 * (person["area"] + np.spacing(1)))) >= SIMILAR
    return np.asarray(labelled & np.stack([labelled, np.full_like(labelled, met), *near, alike]))


def _share(right: int, among: int) -> float:
    return float(right / among) if among else float("nan")
