"""Precision, recall and ghosts at a given person score: what a robot asks, where COCO's AP asks about ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.evaluation.coco import best_oks, is_judged, oks
from openpose_ros.people import People

MATCH = 0.5
"""OKS from which a person found is the person annotated."""


@dataclass(frozen=True, eq=False)
class Match:
    """Who is who in one photo.

    Attributes:
        wanted: W annotated people with keypoints.
        found: (W,) index of the person found for each, -1 for those who were missed.
        fit: (W,) OKS of the two, 0 for those who were missed.
        ghosts: indices of the people found who are nobody.
    """

    wanted: list[dict[str, Any]]
    found: npt.NDArray[np.int64]
    fit: npt.NDArray[np.float64]
    ghosts: list[int]


def match(people: People, annotations: Iterable[dict[str, Any]]) -> Match:
    """Greedy matching, the best-scored person first, each annotated person once, at OKS 0.5.

    People inside crowds or on people without keypoints count neither way, as in COCO's evaluation.
    """
    everybody = list(annotations)
    wanted = [person for person in everybody if is_judged(person)]
    similar = np.array([oks(people, person) for person in wanted]).reshape(len(wanted), len(people))
    _, excused = best_oks(people, everybody)
    found, fit = np.full(len(wanted), -1), np.zeros(len(wanted))
    ghosts = []
    for person in range(len(people)):
        free = np.where(found < 0, similar[:, person], 0.0)
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= MATCH:
            found[best], fit[best] = person, free[best]
        elif not excused[person]:
            ghosts.append(person)
    return Match(wanted, found, fit, ghosts)


@dataclass(frozen=True)
class Reliability:
    """Shares in 0..1 of the people found that are real, and of the annotated people that were found."""

    precision: float
    recall: float


def reliability(
    found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]], min_person_score: float
) -> Reliability:
    """Of the people with at least that score, matched by :func:`match`."""
    right = wrong = wanted = 0
    for people, everybody in zip(found, annotations, strict=True):
        matched = match(people[people.person_score >= min_person_score], everybody)
        wanted += len(matched.wanted)
        right += int((matched.found >= 0).sum())
        wrong += len(matched.ghosts)
    return Reliability(right / max(1, right + wrong), right / max(1, wanted))


@dataclass(frozen=True)
class Ghosts:
    """People found in photos without anybody.

    Attributes:
        photos: how many photos.
        people: how many people were found in all of them.
        haunted: in how many photos there was at least one.
    """

    photos: int
    people: int
    haunted: int


def ghosts(found: Sequence[People], min_person_score: float) -> Ghosts:
    """Count the people of at least that score, in photos that show nobody."""
    counts = [int((people.person_score >= min_person_score).sum()) for people in found]
    return Ghosts(len(counts), sum(counts), sum(count > 0 for count in counts))


def ghost_threshold(found: Sequence[People], ghosts_per_photo: float) -> float:
    """The lowest person score at which photos without people show no more than so many people each on average."""
    scores = np.sort(np.concatenate([people.person_score for people in found]))[::-1]
    allowed = int(ghosts_per_photo * len(found))
    if len(scores) <= allowed:
        return 0.0
    return float(np.nextafter(scores[allowed], np.float32(1.0)))
