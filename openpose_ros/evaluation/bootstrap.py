"""Is one network better than another, or were the photos kind to it? A paired bootstrap over the photos.

The photos are drawn anew, as many as there are and with repetition, and both networks are scored on the same draw; how
the difference of their scores spreads over many draws says how far it can be believed (Efron and Tibshirani, An
Introduction to the Bootstrap, chapter 13). COCO's matching of people is done once a photo; only its ranking and its
curve of precision over recall are done again for each draw.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from openpose_ros.evaluation.coco import MEASURES, AnnotatedPhotos
from openpose_ros.people import People

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

RESAMPLES = 2000
SEED = 0
INTERVAL = 95.0
"""Percent of the resamples that the interval of a difference holds."""

SIZES = ALL, MEDIUM, LARGE = range(3)
"""COCO's sizes of people."""


@dataclass(frozen=True)
class Judged:
    """COCO's judgement of the people found in I photos, from which any draw of the photos can be scored.

    A are its sizes of people (all, medium, large), T its thresholds of OKS (0.5 to 0.95), R its recalls (0 to 1) and
    D the people found, photo by photo and the best of each first.

    Attributes:
        rows: of each photo, the numbers of its people among the D.
        score: (D,) their scores.
        right, wrong: (A, T, D) whether a person found is one that is annotated, or nobody; neither counts neither way.
        wanted: (A, I) how many annotated people there are to be found in each photo.
        recalls: (R,) at which precision is read.
    """

    rows: tuple[Counts, ...]
    score: Doubles
    right: Bools
    wrong: Bools
    wanted: Counts
    recalls: Doubles

    @classmethod
    def of(cls, photos: AnnotatedPhotos, people: Sequence[People]) -> Judged:
        """Judge the people found in each photo."""
        evaluation = photos.evaluated(people)
        areas, thresholds = len(evaluation.params.areaRng), len(evaluation.params.iouThrs)
        count = len(photos)
        wanted = np.zeros((areas, count), np.int64)
        empty = np.empty((areas, thresholds, 0), np.bool_)
        rows, score, right, wrong = [], [np.empty(0)], [empty], [empty]
        for number in range(count):
            entries = [evaluation.evalImgs[area * count + number] for area in range(areas)]
            first = sum(map(len, score))
            if entries[ALL] is not None:  # somebody is annotated or found
                wanted[:, number] = [np.sum(np.equal(entry["gtIgnore"], 0)) for entry in entries]
                matched = np.stack([np.asarray(entry["dtMatches"]) != 0 for entry in entries])
                counts = np.stack([~np.asarray(entry["dtIgnore"], np.bool_) for entry in entries])
                score.append(np.asarray(entries[ALL]["dtScores"], np.float64))
                right.append(matched & counts)
                wrong.append(~matched & counts)
            rows.append(np.arange(first, sum(map(len, score))))
        return cls(
            tuple(rows),
            np.concatenate(score),
            np.concatenate(right, -1),
            np.concatenate(wrong, -1),
            wanted,
            np.asarray(evaluation.params.recThrs, np.float64),
        )

    def measures(self, drawn: npt.ArrayLike | None = None) -> dict[str, float]:
        """COCO's ten measures in percent, NaN where there is nobody to be found.

        Args:
            drawn: numbers of the photos, any of them any number of times; None takes each once.
        """
        listed = np.arange(len(self.rows)) if drawn is None else np.sort(np.asarray(drawn, np.int64))
        rows = np.concatenate([np.empty(0, np.int64), *(self.rows[number] for number in listed)])
        ranked = rows[np.argsort(-self.score[rows], kind="stable")]  # as COCO does it, so that ties fall alike
        wanted = self.wanted[:, listed].sum(1)
        precision, recall = zip(*(self._curve(area, ranked, int(wanted[area])) for area in SIZES), strict=True)
        values = [
            *(precision[ALL].mean(), precision[ALL][0].mean(), precision[ALL][5].mean()),
            *(precision[MEDIUM].mean(), precision[LARGE].mean()),
            *(recall[ALL].mean(), recall[ALL][0], recall[ALL][5], recall[MEDIUM].mean(), recall[LARGE].mean()),
        ]
        return {name: 100.0 * float(value) for name, value in zip(MEASURES, values, strict=True)}

    def _curve(self, area: int, ranked: Counts, wanted: int) -> tuple[Doubles, Doubles]:
        """Precision (T, R) at COCO's recalls, and the recall (T,) reached in the end, of people in their order."""
        shape = self.right.shape[1], len(self.recalls)
        if not wanted:
            return np.full(shape, np.nan), np.full(shape[0], np.nan)
        precision = np.zeros(shape)
        if not len(ranked):
            return precision, np.zeros(shape[0])
        right = np.cumsum(self.right[area][:, ranked], 1).astype(np.float64)
        wrong = np.cumsum(self.wrong[area][:, ranked], 1).astype(np.float64)
        recall = right / wanted
        best = np.maximum.accumulate((right / (wrong + right + np.spacing(1)))[:, ::-1], 1)[:, ::-1]
        for threshold in range(shape[0]):
            place = np.searchsorted(recall[threshold], self.recalls, side="left")
            reached = place < len(ranked)
            precision[threshold, reached] = best[threshold, place[reached]]
        return precision, recall[:, -1]


@dataclass(frozen=True)
class Difference:
    """How far B is from A in one measure, in percent points.

    Attributes:
        a, b: the measures over all photos.
        low, high: ends of the interval that holds 95 % of the resamples' differences.
        better: share in 0..1 of the resamples in which B is better; those in which both are equal count half.
    """

    a: float
    b: float
    low: float
    high: float
    better: float

    @property
    def is_real(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0.0 or self.high < 0.0


def compare(
    photos: AnnotatedPhotos,
    a: Sequence[People],
    b: Sequence[People],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Difference]:
    """Each of COCO's measures that these photos can give, of A and of B, and how sure their difference is.

    Args:
        photos: in which both were found.
        a, b: the people found in each photo.
        resamples: draws of the photos.
        seed: of the draws; the same seed gives the same answer.
    """
    first, second = Judged.of(photos, a), Judged.of(photos, b)
    random = np.random.default_rng(seed)
    apart = np.empty((resamples, len(MEASURES)))
    for row in tqdm(range(resamples), desc="resamples", disable=not sys.stderr.isatty()):
        drawn = random.integers(0, len(photos), len(photos))
        ours, theirs = first.measures(drawn), second.measures(drawn)
        apart[row] = [theirs[name] - ours[name] for name in MEASURES]
    ours, theirs = first.measures(), second.measures()
    differences = {}
    for column, name in enumerate(MEASURES):
        spread = apart[np.isfinite(apart[:, column]), column]
        if not len(spread) or not np.isfinite(ours[name]):
            continue
        low, high = np.percentile(spread, [50.0 - INTERVAL / 2, 50.0 + INTERVAL / 2])
        better = float(np.mean(spread > 0) + 0.5 * np.mean(spread == 0))
        differences[name] = Difference(ours[name], theirs[name], float(low), float(high), better)
    return differences
