"""The One-Euro filter: calm where a joint rests, close behind where it moves.

Casiez, Roussel, Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems" (CHI
2012). The cutoff rises with the speed. Speed is counted in heights of the body a second, so that somebody far away is
smoothed as somebody near who moves alike, and as the length of the vector, so that the direction does not matter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SPEED_CUTOFF = 1.0
"""Cutoff in Hz of the low-pass filter that the speed itself passes through (the paper's dcutoff)."""


def one_euro(
    xy: Array, before: Array, speed: Array, seconds: float, height: Array, min_cutoff: float, beta: float
) -> tuple[Array, Array]:
    """The filter's answer for the joints of P people, and what the next image needs.

    A joint that is unknown here or was unknown in the image before has no past: it starts anew at its own place. So
    do all joints when no time has passed.

    Args:
        xy: (P, J, 2) places in pixels, NaN where unknown.
        before: (P, J, 2) what this function answered for the image before; NaN for those who have no past.
        speed: (P, J, 2) pixels a second, answered with it.
        seconds: since that image; 0 or more.
        height: (P,) of each body, in pixels, above 0.
        min_cutoff: of a joint at rest, in Hz: less is calmer, and slower.
        beta: what each height a second adds to it, in Hz: more follows motion more closely.

    Returns:
        (P, J, 2) smoothed places and (P, J, 2) speeds, NaN where ``xy`` is.
    """
    step = xy - before
    past = np.isfinite(step) if seconds > 0.0 else np.zeros(xy.shape, np.bool_)
    step = np.where(past, step, 0.0)
    moving = np.where(past, speed, 0.0)
    if seconds > 0.0:
        moving = moving + _weight(SPEED_CUTOFF, seconds) * (step / seconds - moving)
    heights_a_second = np.sqrt(np.square(moving).sum(-1, keepdims=True)) / height[:, None, None]
    follow = _weight(min_cutoff + beta * heights_a_second, seconds)
    return np.where(past, before + follow * step, xy), moving


def _weight(cutoff: float | Array, seconds: float) -> Array:
    """Share of the newest value in a first-order low-pass filter with a cutoff in Hz."""
    turned = 2.0 * np.pi * np.asarray(cutoff) * seconds
    return turned / (1.0 + turned)
