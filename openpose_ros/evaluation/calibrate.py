"""What a network's people are worth, learned from annotated photos: place, score and threshold for its card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from openpose_ros.decode.score import LearnedScore, features, mirrored
from openpose_ros.evaluation.coco import best_oks, oks
from openpose_ros.grid import Grid
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, Skeleton

Floats = npt.NDArray[np.float64]

NEURONS = 16
VOICES = 6
"""Networks that are averaged: each alone depends on where its fit began, by a quarter of an AP."""

DECAY = 5e-4
"""Weight of the squared coefficients in the loss; found by cross-validation on 400 photos."""

ROUNDS = 300


def heat_offset(
    found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]], grids: Sequence[Grid]
) -> tuple[float, float]:
    """Mean of (joint found - joint annotated) over visible joints closer than a cell, in cells (x, y)."""
    rest = []
    order = None
    for people, everybody, grid in zip(found, annotations, grids, strict=True):
        order = np.array(people.skeleton.order_in(COCO_17)) if order is None else order
        for person in everybody:
            if person["iscrowd"] or not person["num_keypoints"] or not len(people):
                continue
            fit = oks(people, person)
            if fit.max() < 0.5:
                continue
            wanted = np.asarray(person["keypoints"], np.float64).reshape(-1, 3)
            cells = grid.to_cells(people.xy[fit.argmax(), order].astype(np.float64))
            apart = cells - grid.to_cells(wanted[:, :2] - 0.5)
            rest.append(apart[(order >= 0) & (wanted[:, 2] == 2) & (np.abs(apart).max(-1) < 1.0)])
    if not rest:
        raise ValueError("nobody who is annotated was found, so nothing can be learned about where joints lie")
    across, down = np.concatenate(rest).mean(0)
    return float(across), float(down)


def joint_threshold(found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]]) -> float:
    """The joint score from which on more joints are right than wrong, among people found and annotated.

    Right is a joint of similarity 0.5 or more (COCO's measure of a single joint) to a labelled one.
    """
    spread, scores, right = 2.0 * np.array(COCO_17.sigmas), [], []
    for people, everybody in zip(found, annotations, strict=True):
        for person in everybody:
            if person["iscrowd"] or not person["num_keypoints"] or not len(people):
                continue
            fit = oks(people, person)
            best, order = int(fit.argmax()), np.array(people.skeleton.order_in(COCO_17))
            wanted = np.asarray(person["keypoints"], np.float64).reshape(-1, 3)
            judged = (order >= 0) & (wanted[:, 2] > 0) & people.known[best, order] & (fit[best] >= 0.5)
            apart = np.square(people.xy[best, order] + 0.5 - wanted[:, :2]).sum(-1)
            scores.append(people.score[best, order][judged])
            right.append((apart < 2.0 * np.log(2.0) * spread**2 * person["area"])[judged])
    score, fine = np.concatenate([[], *scores]), np.concatenate([np.empty(0, np.bool_), *right])
    rising = np.argsort(score)
    # Dropping all below a threshold is worth (wrong - right) of what is dropped.
    worth = np.concatenate([[0], np.cumsum(np.where(fine[rising], -1, 1))])
    dropped = int(worth.argmax())
    if dropped == len(score):
        return 1.0 if dropped else 0.0
    return float(score[rising][dropped]) if dropped else 0.0


def fit_person_score(
    found: Sequence[People], annotations: Sequence[Iterable[dict[str, Any]]], skeleton: Skeleton
) -> LearnedScore:
    """Least squares of the OKS with the annotated people, each person also seen in a mirror; deterministic."""
    rows, targets = [], []
    for people, everybody in zip(found, annotations, strict=True):
        best, excused = best_oks(people, everybody)
        rows.append(features(people)[~excused])
        targets.append(best[~excused])
    seen = np.concatenate(rows)
    if not len(seen):
        raise ValueError("no people were found that could be judged, so no score can be learned")
    x = np.concatenate([seen, mirrored(seen, skeleton)]).astype(np.float64)
    y = np.tile(np.concatenate(targets), 2)
    voices = [_fit(x, y, np.random.default_rng(seed)) for seed in range(VOICES)]
    hidden = np.concatenate([layer for layer, _ in voices], 1)
    weights = np.concatenate([output[:-1] for _, output in voices]) / VOICES
    bias = np.mean([output[-1] for _, output in voices])
    return LearnedScore(hidden.astype(np.float32), np.append(weights, bias).astype(np.float32))


def _fit(x: Floats, y: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """One hidden layer of rectified units and a logistic output, fitted by L-BFGS on standardised features."""
    shift, size = x.mean(0), x.std(0) + 1e-3
    rows = np.concatenate([(x - shift) / size, np.ones((len(x), 1))], 1)
    count = rows.shape[1]
    start = np.concatenate(
        [random.normal(0.0, count**-0.5, count * NEURONS), random.normal(0.0, NEURONS**-0.5, NEURONS), [0.0]]
    )

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        hidden, output = coefficients[: count * NEURONS].reshape(count, NEURONS), coefficients[count * NEURONS :]
        layer = np.maximum(rows @ hidden, 0.0)
        answer = 1.0 / (1.0 + np.exp(-(layer @ output[:-1] + output[-1])))
        apart = answer - y
        back = 2.0 * apart * answer * (1.0 - answer) / len(y)
        to_hidden = rows.T @ (np.outer(back, output[:-1]) * (layer > 0.0))
        slope = np.concatenate([to_hidden.ravel(), layer.T @ back, [back.sum()]])
        return float(np.mean(apart**2) + DECAY * coefficients @ coefficients), slope + 2.0 * DECAY * coefficients

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS}).x
    hidden, output = found[: count * NEURONS].reshape(count, NEURONS), found[count * NEURONS :]
    hidden[:-1] /= size[:, None]
    hidden[-1] -= shift @ hidden[:-1]
    return hidden, output
