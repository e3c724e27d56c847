"""Heatmaps and PAFs -> picture: a single map, or all of a kind over one another."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.average import seen_on
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float32]


class Shown(NamedTuple):
    """What a picture shows: ``people``, or maps of the kind ``heat``, ``background`` or ``pafs`` by their numbers."""

    kind: str
    channels: tuple[int, ...] = ()


def shown(text: str, skeleton: Skeleton) -> Shown:
    """What the option ``render`` names: people, heatmaps, pafs, background, a joint by name or number, or a limb.

    Raises:
        ValueError: it names nothing of this skeleton.
    """
    joints = skeleton.joints
    if text == "people":
        return Shown("people")
    if text == "heatmaps":
        return Shown("heat", tuple(range(len(joints))))
    if text == "pafs":
        return Shown("pafs", tuple(range(len(skeleton.limbs))))
    if text == "background":
        return Shown("background", (len(joints),))
    if text in joints:
        return Shown("heat", (joints.index(text),))
    if text.isdecimal() and int(text) < len(joints):
        return Shown("heat", (int(text),))
    limbs = {frozenset((joints[a], joints[b])): number for number, (a, b) in enumerate(skeleton.limbs)}
    ends = frozenset(text.split("-"))
    if ends in limbs:
        return Shown("pafs", (limbs[ends],))
    example = "-".join(joints[joint] for joint in skeleton.limbs[0])
    raise ValueError(
        f"render is {text!r}; expected people, heatmaps, pafs, background, a limb such as {example}, or one of the "
        f"joints {', '.join(joints)} or its number"
    )


def draw_maps(picture: Image, fields: Fields, what: Shown, opacity: float, image: int = 0) -> Image:
    """A picture with maps over it.

    Heat is coloured from blue to red. A PAF's colour is its direction, as in an optical flow: red to the right, then
    with the clock yellow, green, cyan, blue. Where there is nothing, nothing is drawn.

    Args:
        picture: (H, W, 3) uint8 BGR of that image's size, or black.
        fields: of a batch, in NumPy.
        what: which maps.
        opacity: how much a map covers the picture where it is 1.
        image: which image of the batch.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ValueError: the background is asked for, and the network has none.
    """
    grid, (across, down) = fields.grids[image], fields.heat_offset
    base = Grid.of_pixels(*picture.shape[:2])
    if what.kind == "pafs":
        further = across + fields.paf_offset, down + fields.paf_offset
        strongest = _strongest(fields.pafs[image][list(what.channels)])
        colour, amount = _directions(seen_on(strongest, grid, base, further))
    else:
        if max(what.channels) >= fields.heatmaps.shape[1]:
            raise ValueError(f"a network for {fields.skeleton.name} without a background map was asked to show one")
        # The maximum on the cells, then enlarged: 18 maps of a large photo would take a gigabyte.
        warmest = fields.heatmaps[image][list(what.channels)].max(0)
        amount = np.clip(seen_on(warmest, grid, base, (across, down)), 0.0, 1.0)
        colour = cv2.applyColorMap(np.rint(255.0 * amount).astype(np.uint8), cv2.COLORMAP_TURBO)
        amount = np.minimum(1.0, 2.0 * amount)  # the flanks of a summit are seen, too
    weight = (opacity * amount)[..., None]
    return np.asarray(np.rint(picture * (1.0 - weight) + colour * weight), np.uint8)


def _strongest(pafs: Floats) -> Floats:
    """(L, 2, h, w) -> (2, h, w): in each cell the longest vector."""
    longest = np.hypot(pafs[:, 0], pafs[:, 1]).argmax(0)
    return np.asarray(np.take_along_axis(pafs, longest[None, None], 0)[0], np.float32)


def _directions(vectors: Floats) -> tuple[Image, Floats]:
    """(2, H, W) vectors -> colours (H, W, 3), BGR, and lengths (H, W) in 0..1."""
    degrees = np.degrees(np.arctan2(vectors[1], vectors[0])) % 360.0
    full = np.full(degrees.shape, 255, np.uint8)
    hue = np.rint(degrees / 2.0).astype(np.uint8) % 180
    colour = np.asarray(cv2.cvtColor(np.dstack([hue, full, full]), cv2.COLOR_HSV2BGR), np.uint8)
    return colour, np.clip(np.hypot(vectors[0], vectors[1]), 0.0, 1.0).astype(np.float32)
