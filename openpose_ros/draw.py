"""People -> picture: limbs in the skeleton's colours, joints, and labels and boxes on request.

A joint that was completed, not seen, is a hollow ring, and the limbs that end at it are dashed and pale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.options import DrawOptions
from openpose_ros.people import JointState, People
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton

Colour = tuple[int, int, int]
Doubles = npt.NDArray[np.float64]

SHIFT = 3
"""OpenCV draws at fractions of a pixel when coordinates are given in units of 1 / 2**SHIFT."""

OUTLINE: Colour = (24, 24, 24)
PAPER: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Pen:
    """How thick a person is drawn, in pixels."""

    limb: int
    outline: int
    joint: float
    text: float


def draw(image: Image, people: People, options: DrawOptions | None = None, *, in_place: bool = False) -> Image:
    """Draw people into a picture; line widths follow the size of each person.

    Args:
        image: (H, W, 3) uint8, BGR; left as it is unless ``in_place``.
        people: in the picture's pixels. Joints without a finite place are not drawn; any coordinates are safe.
        options: labels, boxes, opacity; None takes the defaults.
        in_place: draw into ``image`` itself, which must then be writable.

    Returns:
        (H, W, 3) uint8, BGR: the drawn picture, ``image`` itself when ``in_place``.
    """
    options = options or DrawOptions()
    drawn = image if in_place else image.copy()
    known = people.known & np.isfinite(people.xy).all(-1)
    shown = [person for person in reversed(range(len(people))) if known[person].any()]  # the best one last, on top
    if not shown:
        return drawn
    canvas = drawn if options.opacity >= 1.0 else drawn.copy()
    pens = {p: _pen(image.shape, _extent(people.xy[p, known[p]].astype(np.float64))) for p in shown}
    for person, pen in pens.items():
        _person(canvas, people, person, known[person], pen)
    if canvas is not drawn:
        _blend(drawn, canvas, _touched(people, known, image.shape), options.opacity)
    for person, pen in pens.items():
        _caption(drawn, people, person, known[person], pen, options)
    return drawn


@lru_cache(maxsize=8)
def joint_colours(skeleton: Skeleton) -> tuple[Colour, ...]:
    """J colours, (blue, green, red): each joint takes that of the last limb that ends at it, else of one it begins."""
    colours: dict[int, Colour] = {}
    for (start, _), colour in zip(skeleton.limbs, skeleton.colours, strict=True):
        colours.setdefault(start, colour)
    for (_, end), colour in zip(skeleton.limbs, skeleton.colours, strict=True):
        colours[end] = colour
    return tuple(colours.get(joint, PAPER) for joint in range(len(skeleton.joints)))


def _person(canvas: Image, people: People, person: int, known: npt.NDArray[np.bool_], pen: Pen) -> None:
    skeleton = people.skeleton
    seen = (people.state[person] == JointState.SEEN).tolist()
    xy = people.xy[person].astype(np.float64)
    lines = []
    for limb, (start, end) in enumerate(skeleton.limbs):
        if known[start] and known[end] and limb not in skeleton.filling:
            ends = _clipped(xy[start], xy[end], canvas.shape, 4.0 * pen.limb)
            if ends is not None:
                lines.append((*ends, skeleton.colours[limb], seen[start] and seen[end]))
    for first, last, _, solid in lines:
        if solid:
            cv2.line(canvas, _fixed(first), _fixed(last), OUTLINE, pen.limb + 2 * pen.outline, cv2.LINE_AA, SHIFT)
    for first, last, colour, solid in lines:
        if solid:
            cv2.line(canvas, _fixed(first), _fixed(last), colour, pen.limb, cv2.LINE_AA, SHIFT)
        else:
            _dashes(canvas, first, last, _pale(colour), pen)
    colours = joint_colours(skeleton)
    for joint in np.flatnonzero(known & _within(xy, canvas.shape, 2.0 * pen.joint)).tolist():
        _joint(canvas, xy[joint], colours[joint], seen[joint], pen)


def _joint(canvas: Image, place: Doubles, colour: Colour, seen: bool, pen: Pen) -> None:
    centre, radius = _fixed(place), round(pen.joint * (1 << SHIFT))
    if seen:
        cv2.circle(canvas, centre, radius + (pen.outline << SHIFT), OUTLINE, cv2.FILLED, cv2.LINE_AA, SHIFT)
        cv2.circle(canvas, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)
    else:
        cv2.circle(canvas, centre, radius, _pale(colour), max(1, pen.limb // 2), cv2.LINE_AA, SHIFT)


def _dashes(canvas: Image, start: Doubles, end: Doubles, colour: Colour, pen: Pen) -> None:
    length = float(np.hypot(*(end - start)))
    count = min(200, max(2, round(length / (5.0 * pen.limb))))
    for dash in range(count):
        first, last = start + (end - start) * np.array([[dash + 0.2], [dash + 0.8]]) / count
        cv2.line(canvas, _fixed(first), _fixed(last), colour, max(1, pen.limb // 2), cv2.LINE_AA, SHIFT)


def _caption(
    canvas: Image, people: People, person: int, known: npt.NDArray[np.bool_], pen: Pen, options: DrawOptions
) -> None:
    height, width = canvas.shape[:2]
    places = np.clip(people.xy[person][known], [0, 0], [width - 1, height - 1])
    left, top = (places.min(0) - 3 * pen.limb).astype(int).tolist()
    right, bottom = (places.max(0) + 3 * pen.limb).astype(int).tolist()
    colour = people.skeleton.colours[0]
    if options.boxes:
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, max(1, pen.limb // 2), cv2.LINE_AA)
    if options.labels:
        text = f"{people.person_score[person]:.2f}"
        if people.id[person] >= 0:
            text = f"{people.id[person]}: {text}"
        (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, pen.text, 1)
        head = places[places[:, 1].argmin()]
        x = min(max(0, round(float(head[0])) - wide // 2), max(0, width - wide - 4))
        y = min(max(high + below, round(float(head[1])) - 8 * pen.limb), height - 1)
        cv2.rectangle(canvas, (x, y - high - below), (x + wide + 4, y), OUTLINE, cv2.FILLED)
        cv2.putText(
            canvas, text, (x + 2, y - below // 2 - 1), cv2.FONT_HERSHEY_SIMPLEX, pen.text, PAPER, 1, cv2.LINE_AA
        )


def _pen(shape: tuple[int, ...], extent: float) -> Pen:
    """Widths for a person of ``extent`` pixels in a picture of that shape."""
    largest = max(1.0, min(shape[:2]) / 60.0)
    limb = round(float(np.clip(extent / 55.0, min(2.0, largest), max(2.0, largest))))
    return Pen(
        limb=max(1, limb),
        outline=1 if limb < 8 else 2,
        joint=0.8 * limb + 0.4,
        text=float(np.clip(extent / 500.0, 0.35, max(0.35, min(shape[:2]) / 600.0))),
    )


def _extent(places: Doubles) -> float:
    """About how many pixels a person spans, from its (n, 2) joints; a few wrong ones do not matter."""
    middle = np.median(places, axis=0)
    return 4.0 * float(np.median(np.hypot(*(places - middle).T)))


def _within(xy: Doubles, shape: tuple[int, ...], margin: float) -> npt.NDArray[np.bool_]:
    """(...) whether places (..., 2) lie in the picture or no more than a margin outside; NaN does not."""
    high = np.array([shape[1] + margin, shape[0] + margin])
    return np.asarray(((xy >= -margin) & (xy <= high)).all(-1), np.bool_)


def _clipped(start: Doubles, end: Doubles, shape: tuple[int, ...], margin: float) -> tuple[Doubles, Doubles] | None:
    """The part of a line inside the picture and a margin around it (Liang and Barsky); None where there is none.

    OpenCV's coordinates are 32 bit whole numbers: without this a wild one would wrap around.
    """
    if _within(np.stack([start, end]), shape, margin).all():
        return start, end
    high, way = (shape[1] + margin, shape[0] + margin), end - start
    first, last = 0.0, 1.0
    for axis in range(2):
        if way[axis] == 0.0:
            if not -margin <= start[axis] <= high[axis]:
                return None
            continue
        one, other = (-margin - start[axis]) / way[axis], (high[axis] - start[axis]) / way[axis]
        first, last = max(first, min(one, other)), min(last, max(one, other))
    return (start + first * way, start + last * way) if first < last else None


def _touched(people: People, known: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns that hold everything drawn."""
    margin = max(shape[:2]) // 20 + 8
    places = np.clip(people.xy[known], [0, 0], [shape[1], shape[0]]).astype(int)
    left, top = np.maximum(places.min(0) - margin, 0)
    right, bottom = places.max(0) + margin
    return slice(top, bottom), slice(left, right)


def _blend(below: Image, above: Image, where: tuple[slice, slice], opacity: float) -> None:
    below[where] = cv2.addWeighted(above[where], opacity, below[where], 1.0 - opacity, 0.0)


def _pale(colour: Colour) -> Colour:
    return (colour[0] + 255) // 2, (colour[1] + 255) // 2, (colour[2] + 255) // 2


def _fixed(place: Doubles) -> tuple[int, int]:
    return round(float(place[0]) * (1 << SHIFT)), round(float(place[1]) * (1 << SHIFT))
