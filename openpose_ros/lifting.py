"""People and a depth image of the same view -> people in space.

The depth at a joint's own pixel is often wrong: a wrist found two pixels beside the arm reads the wall, an edge reads
something between arm and wall, a hole reads nothing. So a small square around each joint is read, and the surface
counts that fills most of it, its middle most of all. It must be within reach: from the torso outwards each joint
may be as far from the last one as the bones of a very tall person allow, which leaves out most walls, tables and other
people without a threshold of their own.

What is told is the surface that the sensor sees. The joint itself lies inside the body, a few centimetres behind it at
the wrist, about ten at the hip; nothing is added for that, since it depends on clothes and on the side that is shown.
A joint hidden by something else is told only where that is within reach, such as one's own arm before one's hip; a
completed joint was seen by nobody and has no depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from openpose_ros.camera_model import CameraModel
from openpose_ros.options import DepthOptions
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import Skeleton

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
Level = tuple[Indices, Indices, Doubles]
"""Joints, the parent of each (-1 for the middle of the torso), and the share of the body's height between them."""

TORSO = ("neck", "chest", "mid_hip", "right_shoulder", "left_shoulder", "right_hip", "left_hip")

BONES = {
    "elbow": ("shoulder", 0.186), "wrist": ("elbow", 0.146), "knee": ("hip", 0.245), "ankle": ("knee", 0.246),
    "heel": ("ankle", 0.152), "big_toe": ("ankle", 0.152), "small_toe": ("ankle", 0.152),
    "head": ("neck", 0.182), "nose": ("neck", 0.148), "eye": ("neck", 0.148), "ear": ("neck", 0.148),
}  # fmt: skip
"""Part -> the next part towards the torso, and the length between them as a share of the body's height: Drillis and
Contini, Body segment parameters, 1966, as printed in Winter, Biomechanics and motor control of human movement,
figure 4.1. The foot's length stands for all of its parts. The eyes are 0.118 above the shoulders; all of the face is
taken to be within 0.148, which lets it be 0.09 before them."""

TRUNK = 0.288
"""Shoulders to hips as a share of the body's height, from the same figure."""

ANYWHERE = 0.491
"""Thigh and shank together, for joints whose names are not known here."""

TALLEST = 2.1
"""Metres: the height of a body whose bones are the longest that are believed."""

USUAL = 1.7
"""Metres: the height from which it is guessed how many pixels a metre is."""

LOOSE = 0.8
"""Metres of depth from the middle of the torso within which a joint is believed that no placed joint leads to."""

SLACK = 0.12
"""Metres that a bone may seem longer: its ends are seen at the surface, one of them perhaps on a thick part."""

SIDE = 5
"""The square is read at SIDE x SIDE places however large it is, so that somebody near costs no more."""

NARROWEST = 2.0
"""Pixels of the depth image: the least distance between the outermost places."""

WIDEST = 0.1
"""The largest such distance, as a share of the depth image's longer side."""

ENOUGH = 0.12
"""Least share of the square that must show the surface, counted with the weights below."""

SAME, NOISE = 0.03, 0.0025
"""Depths within SAME + NOISE * depth² metres are of one surface: noise grows with the square of the depth, both where
light is projected and where two views are compared (Khoshelham and Elberink, 2012)."""

INVALID = np.float32(-1000.0)
"""Metres, far from any depth: it takes part in the arithmetic and is never within reach."""


def _bell(width: float) -> Floats:
    """(SIDE²,) weights of the square's places, which fall off with the distance from its middle; their sum is 1."""
    line = np.exp(-0.5 * (np.linspace(-0.5, 0.5, SIDE) / width) ** 2)
    weights = np.outer(line, line).ravel()
    return np.asarray(weights / weights.sum(), np.float32)


WEIGHTS = _bell(0.35)


def lift(people: People, depth: Floats, camera: CameraModel, options: DepthOptions) -> People:
    """The same people with ``xyz``.

    Args:
        people: found in the image that ``camera`` describes.
        depth: (h, w) metres along the optical axis, NaN where unknown, registered to that image: the same view,
            perhaps in another resolution.
        camera: of the image.
        options: which depths are believed, and how large the squares are.

    Returns:
        People with xyz (P, J, 3) metres in the camera's optical frame, z along the axis; NaN for a joint that was not
        seen, or whose depth is unknown or out of the body's reach.

    Raises:
        ValueError: calibration, depth and image do not belong together; the text gives the sizes.
    """
    across, down = _scales(people.image_size, depth, camera)
    seen = people.state == JointState.SEEN
    if not seen.any():
        return replace(people, xyz=np.full((*seen.shape, 3), np.nan, np.float32))
    xy = np.where(seen[..., None], people.xy, np.nan).astype(np.float64)
    pixels = (xy + 0.5) * (across, down) - 0.5
    levels = _levels(people.skeleton)
    squares = _Squares(depth, pixels, _metre(pixels, levels) * options.depth_window, options)
    return replace(people, xyz=_place(squares, camera.rays(xy), levels).astype(np.float32))


def _scales(image_size: tuple[int, int], depth: Floats, camera: CameraModel) -> tuple[float, float]:
    """Pixels of the depth image per pixel of the image, across and down."""
    height, width = image_size
    if (camera.width, camera.height) != (width, height):
        raise ValueError(
            f"the calibration is for {camera.width}x{camera.height} pixels, but the image has {width}x{height}; "
            "expected the camera_info of this image"
        )
    if depth.ndim != 2 or not depth.size:
        raise ValueError(f"the depth has shape {depth.shape}; expected (height, width)")
    across, down = depth.shape[1] / width, depth.shape[0] / height
    if abs(across * height - depth.shape[0]) > 1 and abs(down * width - depth.shape[1]) > 1:
        raise ValueError(
            f"the depth image has {depth.shape[1]}x{depth.shape[0]} pixels and the image {width}x{height}, another "
            "shape; expected depth registered to the image"
        )
    return across, down


def _metre(pixels: Doubles, levels: Sequence[Level]) -> Doubles:
    """(P,) about how many pixels a metre is at each person, by the length of the bones; 0 where none is seen.

    Foreshortened bones look too short, so that the longest tell most; the very longest may be a mistake.
    """
    sizes = [np.zeros((len(pixels), 2))]
    for joints, parents, share in levels[1:]:
        bone = pixels[:, joints] - pixels[:, parents]
        sizes.append(np.where(parents >= 0, np.hypot(bone[..., 0], bone[..., 1]) / (USUAL * share), 0.0))
    largest = np.sort(np.nan_to_num(np.concatenate(sizes, 1)), axis=1)[:, -2:]
    return np.where(largest[:, 0] > 0, largest[:, 0], largest[:, 1])


class _Squares:
    """What the depth image shows around every joint.

    Args:
        depth: (h, w) metres.
        pixels: (P, J, 2) joints in pixels of the depth image, NaN where unknown.
        side: (P,) of the squares, in the same pixels; 0 where unknown.
        options: which depths are believed.
    """

    def __init__(self, depth: Floats, pixels: Doubles, side: Doubles, options: DepthOptions) -> None:
        height, width = depth.shape
        side = side.clip(NARROWEST, max(NARROWEST, WIDEST * max(depth.shape)))
        steps = side[:, None, None] * np.linspace(-0.5, 0.5, SIDE)
        places = np.rint(np.where(np.isnan(pixels), -1e6, pixels)[..., None] + steps[:, :, None]).astype(np.intp)
        x, y = places[:, :, 0, None, :], places[:, :, 1, :, None]
        inside = ((x >= 0) & (x < width)) & ((y >= 0) & (y < height))
        read = depth[y.clip(0, height - 1), x.clip(0, width - 1)]
        valid = inside & (read >= options.depth_min) & (read <= options.depth_max)
        self._values = np.where(valid, read, INVALID).reshape(*pixels.shape[:2], SIDE * SIDE)
        apart = np.abs(self._values[..., None, :] - self._values[..., :, None])
        # How much of the square shows the surface that each place shows.
        self._support = (apart <= _spread(self._values)[..., None]).astype(np.float32) @ WEIGHTS

    def depth(self, joints: Indices | slice, low: Doubles, high: Doubles) -> Doubles:
        """(P, n) metres at these joints, by the surface that fills most of the square among those whose depth is from
        ``low`` to ``high`` (P, n); NaN where there is none, or too little of it."""
        values, support = self._values[:, joints], self._support[:, joints]
        within = (values >= np.maximum(low, 0.0)[..., None]) & (values <= high[..., None])
        support = np.where(within, support, np.float32(0.0))
        chosen = np.take_along_axis(values, support.argmax(-1)[..., None], -1)
        same = (np.abs(values - chosen) <= _spread(chosen)) * WEIGHTS
        mean = (values * same).sum(-1) / same.sum(-1)
        return np.where(support.max(-1) >= ENOUGH, mean, np.nan).astype(np.float64)


def _spread(depth: Floats) -> Floats:
    return SAME + NOISE * depth * depth


def _place(squares: _Squares, rays: Doubles, levels: Sequence[Level]) -> Doubles:
    """(P, J, 3) where joints are: the torso around its middle, then bone by bone outwards."""
    count, joints = rays.shape[:2]
    middle = _middle(squares.depth(slice(None), np.zeros((count, 1)), np.full((count, 1), np.inf)), levels)[:, None]
    # The nearest placed joint towards the torso, and how far from it a joint may be. The last column, which is that
    # of index -1 too, is the middle of the torso.
    anchor = np.full((count, joints + 1, 3), np.nan)
    reach = np.full((count, joints + 1), 0.5 * TRUNK * TALLEST)
    xyz = np.full((count, joints, 3), np.nan)
    for which, parents, share in levels:
        near, far = anchor[:, parents], reach[:, parents] + share * TALLEST
        found = squares.depth(which, *_interval(rays[:, which], near, far + SLACK, middle))
        xyz[:, which] = found[..., None] * rays[:, which]
        placed = np.isfinite(xyz[:, which, 2])
        anchor[:, which] = np.where(placed[..., None], xyz[:, which], near)
        reach[:, which] = np.where(placed, 0.0, far)
    return xyz


def _interval(rays: Doubles, anchor: Doubles, reach: Doubles, middle: Doubles) -> tuple[Doubles, Doubles]:
    """Least and largest depth (P, n) at which a ray is within reach of its anchor, or of the middle without an anchor.

    Where it never is, the least is infinite.
    """
    along = np.einsum("pjk,pjk->pj", rays, anchor)
    square = np.einsum("pjk,pjk->pj", rays, rays)
    left = along * along - square * (np.einsum("pjk,pjk->pj", anchor, anchor) - reach * reach)
    half = np.sqrt(np.maximum(left, 0.0))
    loose, most = np.isnan(along), np.minimum(reach, LOOSE)
    low = np.where(loose, middle - most, np.where(left < 0, np.inf, (along - half) / square))
    return low, np.where(loose, middle + most, (along + half) / square)


def _middle(rough: Doubles, levels: Sequence[Level]) -> Doubles:
    """(P,) the depth of each torso: of the depths (P, J) that most others agree with, as parts of one body.

    So a person half hidden is where the visible half is. A joint of the torso has two votes, for its own depth.
    """
    torso, reach = levels[0][0], np.zeros(rough.shape[1] + 1)
    for which, parents, share in levels:
        reach[which] = reach[parents] + share
    reach = (reach[:-1] + 0.5 * TRUNK) * TALLEST + SLACK
    fits = np.abs(rough[:, :, None] - rough[:, None, :]) <= reach[:, None]
    votes = np.count_nonzero(fits, axis=1)
    votes[:, torso] *= 2
    agreed = np.where(fits[np.arange(len(rough)), :, votes.argmax(1)], rough, np.nan)
    middle = _median(agreed[:, torso])
    return np.where(np.isnan(middle), _median(agreed), middle)


def _median(values: Doubles) -> Doubles:
    """(P, n) -> (P,) the lower median of the numbers in each row, NaN without any."""
    ordered = np.sort(np.concatenate([values, np.full((len(values), 1), np.nan)], 1), axis=1)
    at = np.maximum(np.isfinite(values).sum(1) - 1, 0) // 2
    return np.asarray(ordered[np.arange(len(values)), at])


@lru_cache(maxsize=16)
def _levels(skeleton: Skeleton) -> tuple[Level, ...]:
    """The torso, then joint after joint outwards; what has no place in the body hangs at the middle of the torso."""
    names = skeleton.joints
    levels = [[(joint, -1, 0.0) for joint, name in enumerate(names) if name in TORSO]]
    left = [joint for joint, name in enumerate(names) if name not in TORSO]
    while left:
        above = {names[joint]: joint for joint, _, _ in levels[-1]}
        bones = [(joint, *_bone(names[joint], above)) for joint in left]
        found = [bone for bone in bones if bone[1] >= 0]
        if not found:
            levels.append([(joint, -1, _share_from_torso(names[joint])) for joint in left])
            break
        levels.append(found)
        left = [joint for joint, parent, _ in bones if parent < 0]
    return tuple(
        (np.array([j for j, _, _ in level], np.intp), np.array([p for _, p, _ in level], np.intp),
         np.array([s for _, _, s in level]))
        for level in levels
    )  # fmt: skip


def _bone(name: str, above: Mapping[str, int]) -> tuple[int, float]:
    """Which of the joints above is a joint's parent (-1 for none of them), and the share of the height between them."""
    side, part = _split(name)
    parent, share = BONES.get(part, ("", ANYWHERE))
    return above.get(side + parent, above.get(parent, -1)), share


def _share_from_torso(name: str) -> float:
    """The bones of all joints that the skeleton does not have, together."""
    part, total = _split(name)[1], 0.0
    while part in BONES:
        part, share = BONES[part]
        total += share
    return total or ANYWHERE


def _split(name: str) -> tuple[str, str]:
    """The side of a joint with its underscore, empty in the middle, and the part of the body."""
    side = name[: name.find("_") + 1] if name.startswith(("right_", "left_")) else ""
    return side, name.removeprefix(side)
