"""People who are followed: where each joint is expected, how the body moves, how tall it is in the picture.

The body as a whole moves with a constant, slowly fading velocity: a Kalman filter for each person, with the same
covariance in x and y. Lengths of that filter are heights of the body, so that people near and far move alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from openpose_ros.backends.synthetic import STANDING
from openpose_ros.people import People
from openpose_ros.skeleton import Skeleton

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

UNTRACKED = -1
"""The id of somebody who has none."""

AREA = 0.2
"""What COCO calls the area of somebody who stands, in squares of the height."""

SWING, SWING_MOST = 0.5, 0.15
"""A joint moves against its body by so many heights a second, and never farther than so many heights."""

START_SPEED, PUSH, MEASURED = 0.6, 0.5, 0.012
"""Standard deviations in heights: the speed of somebody new (a second), how far the speed wanders within a second, and
the place of a whole body as measured."""

FADING = 3.0
"""Seconds after which a body is expected to move at 1/e of its speed."""

SIZE_MEMORY = 1.0
"""Seconds over which the height of a body is averaged."""

GUESS, GUESS_WEIGHT = 0.3, 0.001
"""Height of somebody of whom next to nothing is seen, in heights of the picture, and the weight of that guess: a pair
of ears weighs four times as much, a whole body a thousand times."""


class Build(NamedTuple):
    """What is known of every body.

    Attributes:
        figure: (J, 2) joints of somebody who stands, in heights; the hip in place of joints that the figure lacks.
        placed: (J,) which joints it has.
        tolerance: (J,) the variance of a joint's place that OKS allows, in squared heights.
    """

    figure: Array
    placed: Mask
    tolerance: Array

    @classmethod
    def of(cls, skeleton: Skeleton) -> Build:
        """The build of a skeleton's bodies."""
        figure = np.array([STANDING.get(name, STANDING["mid_hip"]) for name in skeleton.joints])
        placed = np.array([name in STANDING for name in skeleton.joints])
        return cls(figure, placed, AREA * np.square(2.0 * np.array(skeleton.sigmas)))


class Seen(NamedTuple):
    """The people of one image.

    Attributes:
        xy: (P, J, 2) places of the joints in pixels, 0 where unknown.
        known: (P, J).
        middle, figure_middle: (P, 2) the mean of the known joints, in pixels and in the figure.
        size: (P, 2) squared spread of the known joints in pixels and in the figure: their ratio is the squared height.
        build: of their bodies.
        picture: height of the picture in pixels, at least 1.
    """

    xy: Array
    known: Mask
    middle: Array
    figure_middle: Array
    size: Array
    build: Build
    picture: float

    @classmethod
    def of(cls, people: People, build: Build) -> Seen:
        """People as they are compared. A joint without a finite place is unknown, whatever its state says."""
        known = people.known & np.isfinite(people.xy).all(-1)
        mask = known[..., None].astype(np.float64)
        xy = np.where(known[..., None], people.xy, 0.0).astype(np.float64)
        count = np.maximum(mask.sum(1), 1.0)
        middle, figure_middle = xy.sum(1) / count, (build.figure * mask).sum(1) / count
        mask *= build.placed[:, None]
        spread = np.square((xy - middle[:, None]) * mask).sum((1, 2))
        figure_spread = np.square((build.figure - figure_middle[:, None]) * mask).sum((1, 2))
        size = np.stack([spread, figure_spread], -1)
        return cls(xy, known, middle, figure_middle, size, build, float(max(people.image_size[0], 1)))

    def squared_height(self, size: Array) -> Array:
        """(...) squared heights in pixels of bodies of ``size`` (..., 2) in this picture; above 0."""
        guess = GUESS_WEIGHT * (GUESS * self.picture) ** 2
        return np.asarray((size[..., 0] + guess) / (size[..., 1] + GUESS_WEIGHT))


@dataclass(eq=False)
class Tracks:
    """N people, at the time of the last image.

    Attributes:
        id: (N,), UNTRACKED until one is given.
        images: (N,) how many have shown the person.
        missed: (N,) how many have not, since the last one that did.
        xy: (N, J, 2) where the joints are expected, in pixels; after the figure where a joint was never seen.
        stale: (N, J) seconds since each joint was seen; infinite where it never was.
        velocity: (N, 2) of the body, in pixels a second.
        covariance: (N, 3) of the body's place and place, place and velocity, velocity and velocity.
        size: (N, 2) as that of :class:`Seen`, summed up over the last images.
        smooth, speed: (N, J, 2) the answer of :func:`~openpose_ros.smoothing.one_euro` for the last image; NaN where
            it has no past.
    """

    id: npt.NDArray[np.int64]
    images: npt.NDArray[np.int64]
    missed: npt.NDArray[np.int64]
    xy: Array
    stale: Array
    velocity: Array
    covariance: Array
    size: Array
    smooth: Array
    speed: Array

    @classmethod
    def begin(cls, seen: Seen, which: Mask) -> Tracks:
        """Tracks of those people (P,) of an image whom nobody knew."""
        known, size = seen.known[which], seen.size[which]
        height = np.sqrt(seen.squared_height(size))[:, None, None]
        offset = seen.build.figure - seen.figure_middle[which][:, None]
        shape = count, _ = known.shape
        return cls(
            id=np.full(count, UNTRACKED, np.int64),
            images=np.ones(count, np.int64),
            missed=np.zeros(count, np.int64),
            xy=np.where(known[..., None], seen.xy[which], seen.middle[which][:, None] + height * offset),
            stale=np.where(known, 0.0, np.inf),
            velocity=np.zeros((count, 2)),
            covariance=np.tile((MEASURED**2, 0.0, START_SPEED**2), (count, 1)),
            size=size,
            smooth=np.full((*shape, 2), np.nan),
            speed=np.zeros((*shape, 2)),
        )

    def __len__(self) -> int:
        return len(self.id)

    def keep(self, rows: Mask) -> Tracks:
        """Only those."""
        return self if rows.all() else Tracks(*(getattr(self, column.name)[rows] for column in fields(self)))

    def join(self, more: Tracks) -> Tracks:
        """These, and after them the others."""
        columns = ((getattr(self, column.name), getattr(more, column.name)) for column in fields(self))
        return Tracks(*(np.concatenate(pair) for pair in columns))

    def advance(self, seconds: float) -> None:
        """On to the next image."""
        left = math.exp(-seconds / FADING)
        way = FADING * (1.0 - left)
        self.xy += way * self.velocity[:, None]
        self.velocity *= left
        place, both, speed = self.covariance.T
        pushed = PUSH**2 * seconds
        place = place + way * (2.0 * both + way * speed) + pushed * seconds**2 / 3.0
        both = left * (both + way * speed) + pushed * seconds / 2.0
        self.covariance = np.stack([place, both, left**2 * speed + pushed], -1)
        self.size *= math.exp(-seconds / SIZE_MEMORY)
        self.stale += seconds
        self.missed += 1

    def spread(self, rows: Rows) -> Array:
        """(M, J) variance of where the joints of those tracks are expected, in squared heights."""
        swing = np.minimum(SWING * self.stale[rows], SWING_MOST)
        return self.covariance[rows, :1] + np.square(swing)

    def meet(self, rows: Rows, seen: Seen, people: Rows, shift: Array) -> None:
        """M tracks were seen again as so many people, each (M, 2) pixels from where the body was expected."""
        place, both, speed = self.covariance[rows].T
        gain, push = place / (place + MEASURED**2), both / (place + MEASURED**2)
        self.velocity[rows] += push[:, None] * shift
        self.covariance[rows] = np.stack([(1.0 - gain) * place, (1.0 - gain) * both, speed - push * both], -1)
        known = seen.known[people]
        unseen = self.xy[rows] + (gain[:, None] * shift)[:, None]
        self.xy[rows] = np.where(known[..., None], seen.xy[people], unseen)
        self.stale[rows] = np.where(known, 0.0, self.stale[rows])
        self.size[rows] += seen.size[people]
        self.images[rows] += 1
        self.missed[rows] = 0
