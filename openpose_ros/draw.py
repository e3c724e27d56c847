"""People -> picture: limbs in the skeleton's colours, joints, and labels and boxes on request.

A joint that was completed, not seen, is a hollow ring, and the limbs that end at it are dashed and pale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.options import DrawOptions
from openpose_ros.people import JointState, People
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton

Colour = tuple[int, int, int]
Place = tuple[int, int]
Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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


class Line(NamedTuple):
    """A limb: where it begins and ends, in units of 1 / 2**SHIFT pixels, and whether both joints were seen."""

    first: Place
    last: Place
    colour: Colour
    solid: bool


class Dot(NamedTuple):
    """A joint: where it is, in units of 1 / 2**SHIFT pixels, and whether it was seen."""

    centre: Place
    colour: Colour
    seen: bool


@dataclass(frozen=True)
class Figure:
    """A person as it is drawn: first the lines, then the dots."""

    pen: Pen
    lines: list[Line]
    dots: list[Dot]


def draw(image: Image, people: People, options: DrawOptions | None = None, *, in_place: bool = False) -> Image:
    """Draw people into a picture; line widths follow the size of each person.

    Args:
        image: (H, W, 3) uint8, BGR; left as it is unless ``in_place``.
        people: in the picture's pixels. Joints without a finite place are not drawn; any coordinates are safe.
        options: labels, boxes, opacity, care; None takes the defaults.
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
    figures = _figures(people[shown], known[shown], image.shape)
    finish = _figure if len(figures) <= options.fine_people else _plain_figure
    for figure in figures:
        finish(canvas, figure)
    if canvas is not drawn:
        _blend(drawn, canvas, _touched(people, known, image.shape), options.opacity)
    if options.boxes or options.labels:
        for person, figure in zip(shown, figures, strict=True):
            _caption(drawn, people, person, known[person], figure.pen, options)
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


@lru_cache(maxsize=8)
def _drawn_limbs(skeleton: Skeleton) -> tuple[Ints, tuple[Colour, ...]]:
    """(L, 2) joints of the limbs that are drawn, and their colours."""
    drawn = [limb for limb in range(len(skeleton.limbs)) if limb not in skeleton.filling]
    ends = np.array([skeleton.limbs[limb] for limb in drawn], np.int64).reshape(-1, 2)
    return ends, tuple(skeleton.colours[limb] for limb in drawn)


def _figures(people: People, known: Bools, shape: tuple[int, ...]) -> list[Figure]:
    """All people at once: NumPy costs as much for one of them as for twenty.

    Args:
        people, known: P people and (P, J) which of their joints are drawn; everybody has one at least.
        shape: of the picture.
    """
    limbs, limb_colours = _drawn_limbs(people.skeleton)
    dot_colours = joint_colours(people.skeleton)
    xy = np.where(known[..., None], people.xy, np.nan).astype(np.float64)
    pens = [_pen(shape, extent) for extent in _extents(xy, known).tolist()]
    inside = _within(xy, shape, np.array([[4.0 * pen.limb] for pen in pens]))
    near = _within(xy, shape, np.array([[2.0 * pen.joint] for pen in pens]))
    starts, ends = limbs.T
    whole = known[:, starts] & known[:, ends]
    # No wild coordinate may become a whole number: it would wrap around.
    rounded = np.rint(np.where((inside | near)[..., None], xy, 0.0) * (1 << SHIFT)).astype(np.int64)
    places = [[(x, y) for x, y in person] for person in rounded.tolist()]
    seen = (people.state == JointState.SEEN).tolist()
    straight = (inside[:, starts] & inside[:, ends]).tolist()
    pairs = limbs.tolist()
    lines: list[list[Line]] = [[] for _ in pens]
    for person, limb in np.argwhere(whole).tolist():
        start, end = pairs[limb]
        if straight[person][limb]:
            first, last = places[person][start], places[person][end]
        else:
            cut = _clipped(xy[person, start], xy[person, end], shape, 4.0 * pens[person].limb)
            if cut is None:
                continue
            first, last = _fixed(cut[0]), _fixed(cut[1])
        solid = seen[person][start] and seen[person][end]
        lines[person].append(Line(first, last, limb_colours[limb], solid))
    dots: list[list[Dot]] = [[] for _ in pens]
    for person, joint in np.argwhere(near).tolist():
        dots[person].append(Dot(places[person][joint], dot_colours[joint], seen[person][joint]))
    return [Figure(*parts) for parts in zip(pens, lines, dots, strict=True)]


def _figure(canvas: Image, figure: Figure) -> None:
    # Soft edges cost twice as much as hard ones; the thin dark rim of an outline does well without.
    pen = figure.pen
    solid = _ends(figure)
    if len(solid):
        cv2.polylines(canvas, list(solid), False, OUTLINE, pen.limb + 2 * pen.outline, cv2.LINE_8, SHIFT)
    _limbs(canvas, figure, cv2.LINE_AA)
    radius = round(pen.joint * (1 << SHIFT))
    for dot in figure.dots:
        if dot.seen:
            around = radius + (pen.outline << SHIFT)
            cv2.circle(canvas, dot.centre, around, OUTLINE, cv2.FILLED, cv2.LINE_8, SHIFT)
            cv2.circle(canvas, dot.centre, radius, dot.colour, cv2.FILLED, cv2.LINE_AA, SHIFT)
        else:
            _ring(canvas, dot, pen)


def _plain_figure(canvas: Image, figure: Figure) -> None:
    pen = figure.pen
    _limbs(canvas, figure, cv2.LINE_8)
    solid = _ends(figure)
    if len(solid):
        # The rim is drawn around the limbs, not below them: a thin line costs a sixth of a broad one.
        way = (solid[:, 1] - solid[:, 0]).astype(np.float64)
        length = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1.0)[:, None]
        across = np.rint(way[:, ::-1] * [-1.0, 1.0] / length * (0.5 * pen.limb + 0.5) * (1 << SHIFT)).astype(np.int32)
        start, end = solid[:, 0], solid[:, 1]
        rims = np.stack([start + across, end + across, end - across, start - across], 1)
        cv2.polylines(canvas, list(rims), True, OUTLINE, pen.outline, cv2.LINE_8, SHIFT)
    radius = round(pen.joint * (1 << SHIFT))
    for dot in figure.dots:
        if dot.seen:
            cv2.circle(canvas, dot.centre, radius, dot.colour, cv2.FILLED, cv2.LINE_8, SHIFT)
        else:
            _ring(canvas, dot, pen)


def _ends(figure: Figure) -> npt.NDArray[np.int32]:
    """(N, 2, 2) both ends of the solid limbs."""
    return np.array([(line.first, line.last) for line in figure.lines if line.solid], np.int32)


def _limbs(canvas: Image, figure: Figure, edge: int) -> None:
    for line in figure.lines:
        if line.solid:
            cv2.line(canvas, line.first, line.last, line.colour, figure.pen.limb, edge, SHIFT)
        else:
            _dashes(canvas, line, figure.pen)


def _ring(canvas: Image, dot: Dot, pen: Pen) -> None:
    """A joint that was not seen."""
    radius = round(pen.joint * (1 << SHIFT))
    cv2.circle(canvas, dot.centre, radius, _pale(dot.colour), max(1, pen.limb // 2), cv2.LINE_AA, SHIFT)


def _dashes(canvas: Image, line: Line, pen: Pen) -> None:
    start, end = (np.array(place) / (1 << SHIFT) for place in (line.first, line.last))
    length = float(np.hypot(*(end - start)))
    count = min(200, max(2, round(length / (5.0 * pen.limb))))
    colour = _pale(line.colour)
    for dash in range(count):
        first, last = start + (end - start) * np.array([[dash + 0.2], [dash + 0.8]]) / count
        cv2.line(canvas, _fixed(first), _fixed(last), colour, max(1, pen.limb // 2), cv2.LINE_AA, SHIFT)


def _caption(canvas: Image, people: People, person: int, known: Bools, pen: Pen, options: DrawOptions) -> None:
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
    limb = round(min(max(extent / 55.0, min(2.0, largest)), max(2.0, largest)))
    return Pen(
        limb=max(1, limb),
        outline=1 if limb < 8 else 2,
        joint=0.8 * limb + 0.4,
        text=min(max(extent / 500.0, 0.35), max(0.35, min(shape[:2]) / 600.0)),
    )


def _extents(xy: Doubles, known: Bools) -> Doubles:
    """(P,) about how many pixels each person spans, from (P, J, 2) joints; a few wrong ones do not matter."""
    middle = np.stack([_median(xy[..., axis], known) for axis in range(2)], -1)
    return 4.0 * _median(np.hypot(*np.moveaxis(xy - middle[:, None], -1, 0)), known)


def _median(values: Doubles, known: Bools) -> Doubles:
    """(P,) median of the known ones of (P, J) values; the others are NaN."""
    ranked, count = np.sort(values, axis=1), known.sum(1)  # NaN comes last
    low, high = (np.take_along_axis(ranked, rank[:, None], 1) for rank in ((count - 1) // 2, count // 2))
    return np.asarray((low[:, 0] + high[:, 0]) / 2.0, np.float64)


def _within(xy: Doubles, shape: tuple[int, ...], margin: float | Doubles) -> Bools:
    """(...) whether places (..., 2) lie in the picture or no more than a margin outside; NaN does not."""
    x, y = xy[..., 0], xy[..., 1]
    return np.asarray((x >= -margin) & (x <= shape[1] + margin) & (y >= -margin) & (y <= shape[0] + margin), np.bool_)


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


def _touched(people: People, known: Bools, shape: tuple[int, ...]) -> tuple[slice, slice]:
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


def _fixed(place: Doubles) -> Place:
    return round(float(place[0]) * (1 << SHIFT)), round(float(place[1]) * (1 << SHIFT))
