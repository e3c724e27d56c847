"""Precision, recall and ghosts at a given person score: what a robot asks, where COCO's AP asks about ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openpose_ros.evaluation.coco import best_oks, oks
from openpose_ros.people import People

MATCH = 0.5
"""OKS from which a person found is the person annotated."""


@dataclass(frozen=True)
class Reliability:
    """Shares in 0..1 of the people found that are real, and of the annotated people that were found."""

    precision: float
    recall: float


def reliability(
    found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]], min_person_score: float
) -> Reliability:
    """Greedy matching, the best-scored person first, each annotated person once, at OKS 0.5.

    People inside crowds or on people without keypoints count neither way, as in COCO's evaluation.
    """
    right = wrong = wanted = 0
    for people, everybody in zip(found, annotations, strict=True):
        here = people[people.person_score >= min_person_score]
        everybody = list(everybody)
        labelled = [person for person in everybody if not person["iscrowd"] and person["num_keypoints"]]
        wanted += len(labelled)
        similar = np.array([oks(here, person) for person in labelled]).reshape(len(labelled), len(here))
        free = np.ones(len(labelled), np.bool_)
        _, excused = best_oks(here, everybody)
        for person in range(len(here)):
            fit = np.where(free, similar[:, person], 0.0)
            best = int(fit.argmax()) if len(fit) else -1
            if best >= 0 and fit[best] >= MATCH:
                free[best] = False
                right += 1
            elif not excused[person]:
                wrong += 1
    return Reliability(right / max(1, right + wrong), right / max(1, wanted))


def ghost_threshold(found: Sequence[People], ghosts_per_photo: float) -> float:
    """The lowest person score at which photos without people show no more than so many people each on average."""
    scores = np.sort(np.concatenate([people.person_score for people in found]))[::-1]
    allowed = int(ghosts_per_photo * len(found))
    if len(scores) <= allowed:
        return 0.0
    return float(np.nextafter(scores[allowed], np.float32(1.0)))
