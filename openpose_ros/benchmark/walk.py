"""Scenes of people who walk, cross, hide each other, come, go and stand, with the truth about who is who.

The world is metres in the optical frame of a pinhole camera (x right, y down, z forward) that looks straight ahead over
a level floor. A body is the figure of the synthetic backend, turned to where it walks, with swinging arms and legs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from openpose_ros.backends.synthetic import STANDING
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18, Skeleton

Array = npt.NDArray[np.float64]

SIZE = (480, 640)
"""Height and width of the picture, in pixels."""

FOCAL = 512.0
"""Focal length in pixels: 64 degrees across the picture."""

EYE = 1.3
"""Height of the camera above the floor, in metres."""

NOBODY = -1
"""The true id of a ghost: a figure found where nobody is."""

FEWEST = 3
"""Somebody of whom fewer joints are in sight is not observed."""

FLESH = 0.06
"""Half the thickness of a body around its limbs, in heights: what it hides of those behind it."""

STRIDE = 0.8
"""Way of a full cycle of both legs, in heights."""

SWING = {
    "knee": 0.1, "ankle": 0.2, "heel": 0.2, "big_toe": 0.2, "small_toe": 0.2, "elbow": -0.05, "wrist": -0.12,
}  # fmt: skip
"""How far a joint of the right side swings forward, in heights; arms against legs, left against right."""


@dataclass(frozen=True)
class Walker:
    """Somebody's way: there from the first to the last point, on straight lines between them.

    Attributes:
        way: two or more (seconds, x, z) points, z the distance from the camera; the same place twice is a stand.
        height: of the body in metres.
    """

    way: tuple[tuple[float, float, float], ...]
    height: float = 1.75


@dataclass(frozen=True)
class Pillar:
    """Something upright that hides what is behind it: x of its middle, width and distance in metres."""

    x: float
    width: float
    z: float


@dataclass(frozen=True)
class Scene:
    """Who walks where, for how long. The true id of a walker is its index."""

    walkers: tuple[Walker, ...]
    seconds: float
    pillars: tuple[Pillar, ...] = ()


@dataclass(frozen=True)
class Noise:
    """What a detector does to the truth, independently in each image.

    Attributes:
        place: standard deviation of a joint's place, in heights of the body as it appears.
        joints: share of the joints in sight that are not found.
        swapped: share of the people whose left and right legs are mistaken for each other.
        people: share of the people who are missed.
        ghosts: mean number of figures found where nobody is.
        frames: share of the images that never arrive.
    """

    place: float = 0.0
    joints: float = 0.0
    swapped: float = 0.0
    people: float = 0.0
    ghosts: float = 0.0
    frames: float = 0.0


LIKE_A_NETWORK = Noise(place=0.012, joints=0.1, swapped=0.02, people=0.05, ghosts=0.05, frames=0.02)


class Moment(NamedTuple):
    """One image's worth.

    Attributes:
        stamp: in seconds.
        people: as observed, in no particular order.
        who: (P,) the true id of each of them, NOBODY of a ghost.
        bodies: (W, J, 3) true joints of all who are there, observed or not, in metres.
        everybody: (W,) their true ids.
    """

    stamp: float
    people: People
    who: npt.NDArray[np.int64]
    bodies: Array
    everybody: npt.NDArray[np.int64]


def moments(
    scene: Scene, rate: float, noise: Noise | None = None, seed: int = 0, skeleton: Skeleton = COCO_18
) -> Iterator[Moment]:
    """The scene at ``rate`` images a second; the same arguments give the same moments."""
    noise = noise or Noise()
    random = np.random.default_rng(seed)
    for frame in range(int(scene.seconds * rate) + 1):
        stamp = frame / rate
        there = [w for w, walker in enumerate(scene.walkers) if walker.way[0][0] <= stamp <= walker.way[-1][0]]
        places = [body(scene.walkers[w], stamp, skeleton) for w in there]
        bodies = np.array(places, np.float64).reshape(-1, len(skeleton.joints), 3)
        people, rows = _observe(bodies, in_sight(bodies, scene.pillars, skeleton), noise, skeleton, random)
        who = np.array([NOBODY if row == NOBODY else there[row] for row in rows], np.int64)
        if random.random() >= noise.frames:
            yield Moment(stamp, people, who, bodies, np.array(there, np.int64))


def body(walker: Walker, stamp: float, skeleton: Skeleton = COCO_18) -> Array:
    """(J, 3) joints in metres; NaN for those that the figure lacks."""
    times, x, z = np.array(walker.way, np.float64).T
    leg = int(np.clip(np.searchsorted(times, stamp, side="right") - 1, 0, len(times) - 2))
    lengths = np.hypot(np.diff(x), np.diff(z))
    if lengths[leg]:
        ahead_x, ahead_z = np.diff(x)[leg] / lengths[leg], np.diff(z)[leg] / lengths[leg]
    else:
        ahead_x, ahead_z = 0.0, -1.0  # who stands faces the camera
    speed = lengths[leg] / max(times[leg + 1] - times[leg], 1e-9)
    gone = np.interp(stamp, times, np.append(0.0, np.cumsum(lengths)))
    swing = min(1.0, speed) * np.sin(2.0 * np.pi * gone / (STRIDE * walker.height))
    joints = np.full((len(skeleton.joints), 3), np.nan)
    for joint, name in enumerate(skeleton.joints):
        if name in STANDING:
            side, _, part = name.partition("_")
            aside, down = STANDING[name]
            forward = SWING.get(part, 0.0) * (swing if side == "right" else -swing)
            joints[joint] = (
                np.interp(stamp, times, x) + walker.height * (forward * ahead_x - aside * ahead_z),
                EYE - walker.height * (1.0 - down),
                np.interp(stamp, times, z) + walker.height * (forward * ahead_z + aside * ahead_x),
            )
    return joints


def project(joints: Array) -> Array:
    """(..., 2) pixels of (..., 3) metres; NaN behind the camera."""
    depth = np.where(joints[..., 2:] > 0.1, joints[..., 2:], np.nan)
    return np.asarray(FOCAL * joints[..., :2] / depth + ((SIZE[1] - 1) / 2.0, (SIZE[0] - 1) / 2.0))


def in_sight(bodies: Array, pillars: tuple[Pillar, ...] = (), skeleton: Skeleton = COCO_18) -> npt.NDArray[np.bool_]:
    """(W, J) joints of (W, J, 3) that are in the picture and behind nothing: no pillar, no flesh of somebody nearer."""
    xy, depth = project(bodies), bodies[..., 2]
    with np.errstate(invalid="ignore"):
        seen = np.asarray(((xy >= 0.0) & (xy <= (SIZE[1] - 1, SIZE[0] - 1))).all(-1))
        for pillar in pillars:
            aside = np.abs(bodies[..., 0] * pillar.z / depth - pillar.x)
            seen &= (aside >= 0.5 * pillar.width) | (depth <= pillar.z)
    distance = np.array([np.nanmean(row) for row in depth])
    first, last = np.array(skeleton.limbs).T
    for near in range(len(bodies)):
        start, end = xy[near, first], xy[near, last]
        along = end - start
        behind = distance > distance[near]
        part = ((xy[behind, :, None] - start) * along).sum(-1) / np.maximum(np.square(along).sum(-1), 1e-9)
        nearest = start + np.clip(part, 0.0, 1.0)[..., None] * along
        apart = np.sqrt(np.square(xy[behind, :, None] - nearest).sum(-1))
        seen[behind] &= ~(apart < FLESH * _apparent(bodies[near])).any(-1)
    return seen


def _apparent(joints: Array) -> float:
    """How tall in pixels a body (J, 3) appears, from its highest to its lowest joint."""
    height = np.nanmax(joints[:, 1]) - np.nanmin(joints[:, 1])
    return FOCAL * float(height) / max(float(np.nanmean(joints[:, 2])), 0.1)


def _observe(
    bodies: Array, seen: npt.NDArray[np.bool_], noise: Noise, skeleton: Skeleton, random: np.random.Generator
) -> tuple[People, npt.NDArray[np.int64]]:
    """What a detector finds, shuffled, and the row of ``bodies`` that each of them is, or NOBODY."""
    found, rows = [], []
    mirrored = np.array(skeleton.mirrored)
    legs = [j for j, name in enumerate(skeleton.joints) if name.endswith(("knee", "ankle"))]
    for row, joints in enumerate(bodies):
        xy = project(joints) + random.normal(0.0, 1.0, (len(joints), 2)) * noise.place * _apparent(joints)
        xy[~seen[row] | (random.random(len(joints)) < noise.joints)] = np.nan
        if random.random() < noise.swapped:
            xy[legs] = xy[mirrored[legs]]
        if random.random() >= noise.people and np.isfinite(xy).all(-1).sum() >= FEWEST:
            found.append(xy)
            rows.append(row)
    for _ in range(random.poisson(noise.ghosts)):
        figure = Walker(((0.0, random.uniform(-2.0, 2.0), random.uniform(2.0, 6.0)),) * 2)
        xy = project(body(figure, 0.0, skeleton))
        xy[random.random(len(xy)) < 0.6] = np.nan
        if np.isfinite(xy).all(-1).sum() >= FEWEST:
            found.append(xy)
            rows.append(NOBODY)
    order = random.permutation(len(found))
    places = np.array(found).reshape(-1, len(skeleton.joints), 2)[order]
    return People.from_arrays(skeleton, places, SIZE), np.array(rows, np.int64)[order]


def crossing(seed: int) -> Scene:
    """Two to four people cross the picture from both sides at nearly the same distance and meet in the middle."""
    random = np.random.default_rng(seed)
    walkers = []
    for walker in range(random.integers(2, 5)):
        z, lasts = random.uniform(3.5, 5.5), random.uniform(3.0, 6.0)
        far = 0.7 * z
        begin, end = (-far, far) if walker % 2 else (far, -far)
        start = random.uniform(0.0, 1.0)
        way = ((start, begin, z), (start + lasts, end, z + random.uniform(-0.5, 0.5)))
        walkers.append(Walker(way, random.uniform(1.55, 1.95)))
    return Scene(tuple(walkers), 7.0)


def occlusion(seed: int) -> Scene:
    """People pass behind a pillar and behind somebody who stands near the camera; some turn back while hidden."""
    random = np.random.default_rng(seed)
    stands = random.uniform(-1.0, 1.0)
    walkers = [Walker(((0.0, stands, 2.2), (9.0, stands, 2.2)), random.uniform(1.6, 1.9))]
    pillar = Pillar(-0.6 * stands, random.uniform(0.3, 0.5), 2.5)
    for walker in range(random.integers(2, 4)):
        z, speed = random.uniform(4.0, 6.0), random.uniform(0.8, 1.5)
        far = 0.7 * z * (1.0 if walker % 2 else -1.0)
        start, hidden = random.uniform(0.0, 2.0), pillar.x * z / pillar.z
        back = random.random() < 0.2
        middle = start + abs(hidden - far) / speed
        end = (middle + abs(hidden - far) / speed, far, z) if back else (middle + abs(hidden + far) / speed, -far, z)
        walkers.append(Walker(((start, far, z), (middle, hidden, z), end), random.uniform(1.55, 1.95)))
    return Scene(tuple(walkers), 9.0, (pillar,))


def coming_and_going(seed: int) -> Scene:
    """Up to eight people come in from the sides, stop for a while, and leave; now and then one comes as one goes."""
    random = np.random.default_rng(seed)
    walkers = []
    for _ in range(8):
        z, start, stop = random.uniform(3.0, 7.0), random.uniform(0.0, 6.0), random.uniform(0.0, 2.0)
        side = random.choice((-1.0, 1.0))
        x, speed = random.uniform(-0.4, 0.4) * z, random.uniform(0.9, 1.6)
        there = start + abs(side * 0.7 * z - x) / speed
        leave = random.choice((-1.0, 1.0)) * 0.7 * z
        gone = there + stop + abs(leave - x) / speed
        way = (
            (start, side * 0.7 * z, z),
            (there, x, z),
            (there + stop, x, z),
            (gone, leave, z + random.uniform(-1, 1)),
        )
        walkers.append(Walker(way, random.uniform(1.2, 1.95)))
    return Scene(tuple(walkers), 10.0)


def standing(seed: int) -> Scene:
    """Five people stand side by side at various distances, and one walks up to the camera between them."""
    random = np.random.default_rng(seed)
    walkers = [
        Walker(((0.0, x * z, z), (6.0, x * z, z)), random.uniform(1.5, 1.95))
        for x, z in zip((-0.45, -0.25, 0.1, 0.3, 0.5), random.uniform(3.0, 7.0, 5), strict=True)
    ]
    walkers.append(Walker(((0.0, -0.5, 8.0), (5.0, -0.2, 2.0), (6.0, -0.2, 2.0)), random.uniform(1.5, 1.95)))
    return Scene(tuple(walkers), 6.0)


SCENES: dict[str, Callable[[int], Scene]] = {
    "crossing": crossing, "occlusion": occlusion, "coming and going": coming_and_going, "standing": standing,
}  # fmt: skip
