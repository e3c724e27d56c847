"""The shape of a body, learned from annotated people: what ``complete`` goes by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from openpose_ros.decode.complete import Shape
from openpose_ros.skeleton import COCO_17, MIDDLES, Skeleton

Floats = npt.NDArray[np.float64]

ROUNDS = 6
"""Procrustes settles after three or four."""


def annotated_people(path: Path, skeleton: Skeleton) -> Floats:
    """(P, J, 2) people of a COCO ``person_keypoints`` file, in the skeleton's order, who have every joint.

    A neck that COCO does not annotate is the middle of the shoulders, a mid-hip the middle of the hips.
    """
    try:
        table = json.loads(path.read_text())
        rows = np.array([person["keypoints"] for person in table["annotations"]], np.float64).reshape(-1, 17, 3)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a COCO person_keypoints file: {error!r}") from None
    places = np.where(rows[..., 2:] > 0, rows[..., :2], np.nan)
    unknown = [joint for joint in skeleton.joints if joint not in COCO_17.joints and joint not in MIDDLES]
    if unknown:
        raise ValueError(f"COCO annotates no {', no '.join(unknown)}, which {skeleton.name} has")
    joints = [
        places[:, [COCO_17.joint(name) for name in MIDDLES.get(joint, (joint,))]].mean(1) for joint in skeleton.joints
    ]
    people = np.stack(joints, 1)
    return np.compress(np.isfinite(people).all((1, 2)), people, axis=0)


def fit_shape(people: Floats, skeleton: Skeleton) -> Shape:
    """Mean and covariance of people (P, J, 2) and of their mirror images, moved, scaled and turned onto each other.

    Raises:
        ValueError: too few people to learn a covariance from.
    """
    if len(people) < 10 * len(skeleton.joints):
        raise ValueError(
            f"{len(people)} people with every joint are too few to learn a shape; expected at least "
            f"{10 * len(skeleton.joints)}"
        )
    mirrored = people[:, list(skeleton.mirrored)] * (-1.0, 1.0)
    both = np.concatenate([people, mirrored])
    bodies = both[..., 0] + 1j * both[..., 1]
    bodies = bodies - bodies.mean(1, keepdims=True)
    bodies = bodies / np.sqrt(np.square(np.abs(bodies)).sum(1, keepdims=True))
    mean = bodies.mean(0)
    for _ in range(ROUNDS):
        mean = mean / np.sqrt(np.square(np.abs(mean)).sum())
        turn = (bodies * mean.conj()).sum(1)
        alike = np.abs(turn) > 0.5  # the rest are unlike any body: annotation errors, mostly
        aligned = bodies[alike] / turn[alike, None]
        mean = aligned.mean(0)
    mean = mean / np.sqrt(np.square(np.abs(mean)).sum())
    rest = aligned - mean
    deviations = np.stack([rest.real, rest.imag], -1).reshape(len(rest), -1)
    return Shape(np.stack([mean.real, mean.imag], -1), np.cov(deviations.T))


def save_shape(shape: Shape, path: Path) -> None:
    """Write a shape as :func:`openpose_ros.decode.complete.shape_of` reads it."""
    path.write_bytes(save({"mean": shape.mean.astype(np.float32), "covariance": shape.covariance.astype(np.float32)}))
