"""How sure we are of a whole person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float32]


def person_scores(score: Floats, limbs: Floats, xy: Floats, skeleton: Skeleton) -> Floats:
    """(P,) share of all the evidence a person could have: heats of the joints and fields of the limbs, in 0..1.

    Args:
        score: (P, J) heats, 0 where a joint is missing.
        limbs: (P, L) limb scores, 0 where a limb is missing.
        xy: (P, J, 2) source pixels.
        skeleton: J joints, L limbs.
    """
    evidence = score.sum(1) + np.clip(limbs, 0.0, 1.0).sum(1)
    return (evidence / (score.shape[1] + limbs.shape[1])).astype(np.float32)
