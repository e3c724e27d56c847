"""How sure we are of a whole person: plain evidence, or the OKS that such evidence has been worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from openpose_ros.card import Card, CardError
from openpose_ros.people import People
from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float32]

PersonScore = Callable[[People], Floats]
"""People of one image -> (P,) scores in 0..1."""


def evidence(people: People) -> Floats:
    """(P,) share of all the evidence a person could have: the heats of its joints and the fields of its limbs."""
    heats, limbs = _evidence(people)
    return np.asarray(np.concatenate([heats, limbs], 1).mean(1), np.float32)


def features(people: People) -> Floats:
    """(P, 2 J + 2 L) what a learned score looks at: heats and limbs, and their square roots, 0 where missing."""
    heats, limbs = _evidence(people)
    return np.concatenate([heats, np.sqrt(heats), limbs, np.sqrt(limbs)], 1)


def mirrored(rows: Floats, skeleton: Skeleton) -> Floats:
    """The features of the same people in mirrored pictures."""
    joints, limbs = list(skeleton.mirrored), list(skeleton.mirrored_limbs)
    cuts = np.cumsum([len(joints), len(joints), len(limbs)])
    heats, root_heats, fields, root_fields = np.split(rows, cuts, axis=1)
    return np.concatenate([heats[:, joints], root_heats[:, joints], fields[:, limbs], root_fields[:, limbs]], 1)


@dataclass(frozen=True, eq=False)
class LearnedScore:
    """Expected OKS of a person: one hidden layer over :func:`features`, fitted on annotated photos.

    Attributes:
        hidden: (F + 1, N) weights of the hidden layer, the last row its bias.
        output: (N + 1,) weights of the output, the last its bias.
    """

    hidden: Floats
    output: Floats

    def __call__(self, people: People) -> Floats:
        """(P,) expected OKS in 0..1."""
        layer = np.maximum(features(people) @ self.hidden[:-1] + self.hidden[-1], 0.0)
        return np.asarray(1.0 / (1.0 + np.exp(-(layer @ self.output[:-1] + self.output[-1]))), np.float32)

    def save(self, path: Path) -> None:
        """Write the file that a card names as ``person_score``."""
        path.write_bytes(save({"hidden": self.hidden, "output": self.output}))


def load_person_score(card: Card) -> PersonScore:
    """The score that a card names, or plain evidence.

    Raises:
        CardError: the file is missing, unreadable, or made for another skeleton.
    """
    if card.person_score is None:
        return evidence
    try:
        tensors = load_file(card.person_score)
        score = LearnedScore(tensors["hidden"], tensors["output"])
    except (OSError, KeyError, SafetensorError) as error:
        raise CardError(f"the person score {card.person_score} named by {card.path} is not readable: {error}") from None
    wanted = 2 * (len(card.skeleton.joints) + len(card.skeleton.limbs)) + 1
    shape = score.hidden.shape
    if len(shape) != 2 or shape[0] != wanted or score.output.shape != (shape[1] + 1,):
        raise CardError(
            f"the person score {card.person_score} has shape {shape}; {card.skeleton.name} needs ({wanted}, N)"
        )
    return score


def _evidence(people: People) -> tuple[Floats, Floats]:
    if people.limb_score is None:
        raise ValueError("people without limb scores cannot be scored")
    return people.score, np.clip(people.limb_score, 0.0, 1.0)
