"""Missing joints, placed where the body's shape and what little heat there is suggest.

A body is its mean shape, turned, scaled and moved, plus deviations whose covariance was learned from annotated
people. Given the joints that were seen, the others follow as in universal kriging (best linear unbiased
prediction), each with its own uncertainty. Around the predicted place the strongest heat wins, weighed by a
Gaussian of that uncertainty; where there is none, the place itself stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load as load_tensors

from openpose_ros.fields import Fields
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import Skeleton

Array = npt.NDArray[np.float64]

TRUSTED_HEAT = 0.1
"""Joints seen with less heat than this, or held by no limb of at least ``TRUSTED_LIMB``, are placed anew."""

TRUSTED_LIMB = 0.1

HEAT_FLOOR = 0.003
"""Heat below this says nothing about where a joint is."""

MEASUREMENT = 1e-3
"""Variance of a seen joint's place, in units of the squared size of the body (root of the sum of squares)."""

UNSEEN = 1e4
"""Variance of a joint that was not seen: so large that its place does not matter."""

TURN = 0.3
"""Standard deviation of a body's lean in radians (for small angles): most people stand."""

SPREAD = 1.3
"""How far the search for heat reaches, in predicted standard deviations."""

NARROWEST, WIDEST = 0.6, 4.0
"""Bounds of that search's Gaussian, in cells."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What bodies look like.

    Attributes:
        mean: (J, 2) mean place of each joint; centred, the sum of squares is 1.
        covariance: (2 J, 2 J) of the deviations, x and y of each joint in turn.
    """

    mean: Array
    covariance: Array


@cache
def shape_of(skeleton: Skeleton) -> Shape:
    """The learned shape of a skeleton.

    Raises:
        ValueError: none was learned for it.
    """
    place = files("openpose_ros.decode") / "shapes" / f"{skeleton.name}.safetensors"
    if not place.is_file():
        raise ValueError(f"complete: no body shape was learned for the skeleton {skeleton.name}")
    tensors = load_tensors(place.read_bytes())
    return Shape(tensors["mean"].astype(np.float64), tensors["covariance"].astype(np.float64))


def complete(people: People, fields: Fields, image: int) -> People:
    """The same people with every joint placed that the picture can hold; see the module's text.

    Joints that are moved or added are marked COMPLETED, their score is the heat found there.

    Args:
        people: of one image of the batch.
        fields: the batch; the heatmaps are read on the host.
        image: which image.

    Raises:
        ValueError: no shape was learned for this skeleton.
    """
    if not len(people):
        return people
    grid = fields.grids[image]
    heatmaps = np.asarray(fields.heatmaps[image])[: len(people.skeleton.joints)]
    trusted = _trusted(people)
    few = trusted.sum(1) < 2
    trusted[few] = people.known[few]
    offset = np.asarray(fields.heat_offset)
    seen = np.where(trusted[..., None], grid.to_cells(np.nan_to_num(people.xy.astype(np.float64))) + offset, 0.0)
    place, deviation = predict(seen, trusted, shape_of(people.skeleton))
    person, joint = np.nonzero(~trusted & np.isfinite(place).all(-1))
    left, top, right, bottom = grid.valid_cells
    expected = np.clip(place[person, joint], (left, top), (right, bottom))
    reach = np.clip(SPREAD * deviation[person, joint], NARROWEST, WIDEST)
    cells, heat = _strongest(heatmaps, joint, expected, reach)

    xy, score, state = people.xy.copy(), people.score.copy(), people.state.copy()
    xy[person, joint] = grid.to_image(np.clip(cells - offset, (left, top), (right, bottom)))
    score[person, joint] = np.clip(heat, 0.0, 1.0)
    state[person, joint] = JointState.COMPLETED
    return replace(people, xy=xy, score=score, state=state)


def _trusted(people: People) -> npt.NDArray[np.bool_]:
    """(P, J) joints that are sure enough to tell where the others are: by their heat and by their surest limb."""
    held = np.zeros_like(people.score)
    if people.limb_score is not None:
        for limb, ends in enumerate(people.skeleton.limbs):
            for joint in ends:
                held[:, joint] = np.maximum(held[:, joint], people.limb_score[:, limb])
    return people.known & (people.score > TRUSTED_HEAT) & (held > TRUSTED_LIMB)


def predict(seen: Array, known: npt.NDArray[np.bool_], shape: Shape) -> tuple[Array, Array]:
    """Where each joint should be, and how uncertain that is.

    Args:
        seen: (P, J, 2) places of the known joints, in any unit; the others are not looked at.
        known: (P, J); at least two a person.
        shape: what bodies look like.

    Returns:
        (P, J, 2) expected places and (P, J) standard deviations, in the same unit.
    """
    count, joints = known.shape
    u, v = shape.mean[:, 0], shape.mean[:, 1]
    one, nil = np.ones(joints), np.zeros(joints)
    # x = a u - b v + tx, y = a v + b u + ty: (a, b) scales and turns the mean shape
    pose = np.stack([np.stack([u, -v, one, nil], -1), np.stack([v, u, nil, one], -1)], 1).reshape(-1, 4)
    noise = np.repeat(np.where(known, MEASUREMENT, UNSEEN), 2, axis=1)
    weight = np.linalg.inv(shape.covariance + noise[:, :, None] * np.eye(2 * joints))
    toward = pose.T @ weight
    prior = np.diag([1e-9, 1.0 / TURN**2, 1e-9, 1e-9])
    information = np.linalg.inv(toward @ pose + prior)
    measured = np.where(np.repeat(known, 2, axis=1), seen.reshape(count, -1), 0.0)
    centre = (measured.reshape(count, joints, 2).sum(1) / known.sum(1)[:, None])[:, None, :]
    measured = np.where(known[..., None], seen - centre, 0.0).reshape(count, -1)
    parameters = information @ (toward @ measured[..., None])
    gain = shape.covariance @ weight
    expected = pose @ parameters + gain @ (measured[..., None] - pose @ parameters)
    left_over = pose - gain @ pose
    variance = np.diag(shape.covariance) - np.einsum("pij,ij->pi", gain, shape.covariance)
    variance = variance + np.einsum("pik,pkl,pil->pi", left_over, information, left_over)
    size = np.hypot(parameters[:, 0, 0], parameters[:, 1, 0])
    deviation = size[:, None] * np.sqrt(np.maximum(variance.reshape(count, joints, 2).mean(-1), 0.0))
    return expected.reshape(count, joints, 2) + centre, deviation


def _strongest(
    heatmaps: npt.NDArray[np.float32], joint: npt.NDArray[np.intp], expected: Array, reach: Array
) -> tuple[Array, Array]:
    """(M, 2) cells and (M,) heat of the strongest heat near M expected places, weighed by distance."""
    height, width = heatmaps.shape[1:]
    radius = int(np.ceil(2.5 * WIDEST))
    span = np.arange(-radius, radius + 1)
    middle = np.rint(expected).astype(np.int64)
    columns, rows = middle[:, 0, None] + span, middle[:, 1, None] + span
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    heat = heatmaps[
        joint[:, None, None],
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None, :],
    ]
    heat = np.nan_to_num(heat, nan=0.0, posinf=0.0, neginf=0.0)
    narrow = -0.5 / np.square(reach)
    near = (
        np.exp(np.square(rows - expected[:, 1:]) * narrow[:, None])[:, :, None]
        * np.exp(np.square(columns - expected[:, :1]) * narrow[:, None])[:, None, :]
    )
    likely = np.where(inside, (np.maximum(heat, 0.0) + HEAT_FLOOR) * near, 0.0)
    index = np.arange(len(joint))
    best = likely.reshape(len(joint), len(span) ** 2).argmax(1)
    row, column = best // len(span), best % len(span)
    strength = np.maximum(heat[index, row, column], 0.0)

    # The centre of gravity of the 3 x 3 cells around it is the place to a fraction of a cell.
    around = np.arange(-1, 2)
    at_row = np.clip(row[:, None] + around, 0, len(span) - 1)
    at_column = np.clip(column[:, None] + around, 0, len(span) - 1)
    mass = likely[index[:, None, None], at_row[:, :, None], at_column[:, None, :]]
    total = np.maximum(mass.sum((1, 2)), 1e-12)
    x = (mass.sum(1) * columns[index[:, None], at_column]).sum(1) / total
    y = (mass.sum(2) * rows[index[:, None], at_row]).sum(1) / total
    found = strength > 2.0 * HEAT_FLOOR
    return np.where(found[:, None], np.stack([x, y], -1), expected), np.where(found, strength, 0.0)
