"""``benchmark parade``: a recording of people who enter, cross, hide each other, stand and leave, and whether they are
found and followed on the way from the bag through the network and the tracker into another bag.

The people are real portraits, pasted on a plain background and moved some pixels from image to image. What is true is
what the network itself finds on each portrait at rest: so this measures what motion, borders and neighbours do to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from openpose_ros.bags.reading import Bag
from openpose_ros.bags.types import IMAGE, PEOPLE, ros2
from openpose_ros.bags.writing import NewBag, Quality
from openpose_ros.demo.photos import PORTRAITS, portrait
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.tracks import Followed
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.recorded.run import Task, run
from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float64]

SIZE = (480, 640)
RATE = 15.0
IMAGES = 90
TOPIC, POSES = "/camera/image_raw", "/poses"
BACKGROUND = (124, 116, 108)
SURE, ANY = 0.75, 0.15
"""Shares of the joints in sight from which somebody must be found, and above which somebody may be."""


class ParadeError(ValueError):
    """There is nobody to walk, or a limit is not kept; the text says which."""


@dataclass(frozen=True)
class Walker:
    """Somebody's way through the picture.

    Attributes:
        photo: number of the portrait; the mirrored ones follow after the others.
        height: of the portrait in the picture.
        top: its upper border.
        way: (image, left border) points, with straight lines between; before the first nobody is there.
    """

    photo: int
    height: int
    top: int
    way: tuple[tuple[int, int], ...]


WALKERS = (
    Walker(1, 180, 40, ((0, 660), (IMAGES, -190))),
    Walker(0, 230, 5, ((0, -240), (IMAGES, 600))),
    Walker(3, 220, 255, ((0, 60), (45, 60), (IMAGES, -200))),
    Walker(2, 215, 255, ((30, 650), (70, 330), (IMAGES, 330))),
)
"""From the farthest to the nearest: one from the right whom one from the left hides for a while, one who stands and
then leaves, and one who comes and stays."""


class Still(NamedTuple):
    """A portrait at its size in the picture, and the (J, 2) joints that the network finds on it, from its corner."""

    image: Image
    joints: Floats


class Moment(NamedTuple):
    """One image, and the truth: (T, J, 2) joints in sight, (T,) who that is, (T,) whether that one must be found, and
    (D, 4) where others may be found, of whom something is out of sight."""

    image: Image
    truth: Floats
    who: npt.NDArray[np.int64]
    sure: npt.NDArray[np.bool_]
    doubtful: Floats


@dataclass(frozen=True)
class Limits:
    """What a parade must keep.

    Attributes:
        recall: at least.
        ghosts, switches: at most, in the whole parade.
        p95_ms: at most, for one image from the bag to its people.
    """

    recall: float
    ghosts: int
    switches: int
    p95_ms: float

    @classmethod
    def load(cls, path: Path) -> Limits:
        """From YAML; a file that is missing or has other entries is a ValueError."""
        try:
            values = yaml.safe_load(path.read_text())
        except OSError as error:
            raise ValueError(
                f"the limits {path} cannot be read: {error.strerror}; --limits names another file"
            ) from None
        names = {entry.name for entry in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise ValueError(f"the limits {path} hold {values!r}; expected {', '.join(sorted(names))}")
        return cls(**values)

    def broken(self, row: dict[str, Any], time: bool = True) -> list[str]:
        """Which of them a row of :func:`measure` does not keep, in sentences; that of time only where asked for."""
        found = []
        if row["recall"] < self.recall:
            found.append(f"recall is {row['recall']:.3f}; expected at least {self.recall:g}")
        for name in ("ghosts", "switches", *(["p95_ms"] if time else [])):
            if row[name] > getattr(self, name):
                found.append(f"{name} is {row[name]:g}; expected at most {getattr(self, name):g}")
        return found


def measure(estimator: Estimator, folder: Path) -> dict[str, Any]:
    """Write the parade as a bag, find its people, and compare them with the truth.

    Args:
        folder: gets both bags.

    Raises:
        ParadeError: a portrait is missing, or the network finds nobody on it.
        BagError: rosbags is missing, or there is no room.
    """
    moments = list(parade(stills(estimator)))
    source, target = folder / "parade.mcap", folder / "poses.mcap"
    write(source, [moment.image for moment in moments])
    outcome = run(estimator, Task(source, target))
    followed = Followed()
    for moment, people in zip(moments, read(target, estimator.skeleton), strict=True):
        followed.add(people, moment.truth, moment.who, moment.sure, moment.doubtful)
    spent = np.sum(list(outcome.tally.milliseconds.values()), axis=0)
    median, late = np.percentile(spent, (50, 95))
    return {
        "model": estimator.card.name,
        "backend": estimator.backend.name,
        "images": followed.images,
        "expected": followed.expected,
        "recall": round(followed.recall, 4),
        "ghosts": followed.ghosts,
        "people": followed.identities.people,
        "switches": followed.identities.switches,
        "median_ms": round(float(median), 1),
        "p95_ms": round(float(late), 1),
    }


def stills(estimator: Estimator, walkers: Sequence[Walker] = WALKERS) -> list[Still]:
    """The portrait of each walker, and what the network finds on it in the middle of an empty picture.

    Raises:
        ParadeError: a portrait is missing, or nobody is found on it.
    """
    photos = [image for name in PORTRAITS if (image := portrait(name)) is not None]
    if len(photos) < len(PORTRAITS):
        raise ParadeError("the parade's portraits come with the packages scikit-image and matplotlib: install both")
    photos += [np.ascontiguousarray(photo[:, ::-1]) for photo in photos]
    found = []
    for walker in walkers:
        photo = photos[walker.photo]
        width = round(walker.height * photo.shape[1] / photo.shape[0])
        tile = np.asarray(cv2.resize(photo, (width, walker.height), interpolation=cv2.INTER_AREA), np.uint8)
        left, top = (SIZE[1] - width) // 2, (SIZE[0] - walker.height) // 2
        picture = _empty()
        picture[top : top + walker.height, left : left + width] = tile
        people = estimator(picture)
        if not len(people):
            raise ParadeError(f"{estimator.card.name} finds nobody on portrait {walker.photo}")
        found.append(Still(tile, people.xy[0].astype(np.float64) - (left, top)))
    return found


def parade(figures: Sequence[Still], walkers: Sequence[Walker] = WALKERS, images: int = IMAGES) -> Iterator[Moment]:
    """The images, one after the other."""
    for number in range(images):
        there = [name for name, walker in enumerate(walkers) if number >= walker.way[0][0]]
        corners = [(_left(walkers[name], number), walkers[name].top) for name in there]
        picture = _empty()
        for name, (left, top) in zip(there, corners, strict=True):
            _paste(picture, figures[name].image, left, top)
        yield _moment(picture, there, np.array(corners, np.float64).reshape(-1, 2), [figures[name] for name in there])


def write(path: Path, images: Sequence[Image]) -> None:
    """A bag of bgr8 images, ``RATE`` of them a second."""
    types = ros2().types
    with NewBag(path) as bag:
        bag.add(TOPIC, IMAGE, Quality(depth=1))
        for number, image in enumerate(images):
            time = 10**9 + round(number * 1e9 / RATE)
            stamp = types["builtin_interfaces/msg/Time"](sec=time // 10**9, nanosec=time % 10**9)
            header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
            height, width = image.shape[:2]
            message = types[IMAGE](
                header=header, height=height, width=width, encoding="bgr8", is_bigendian=0, step=3 * width,
                data=image.reshape(-1),
            )  # fmt: skip
            bag.write(TOPIC, time, message)
        bag.finish()


def read(path: Path, skeleton: Skeleton) -> Iterator[People]:
    """The people in a bag, image by image, with their ids."""
    with Bag(path) as bag:
        for recorded in bag.messages([bag.topics[POSES]]):
            message = bag.decoded(recorded)
            assert message.skeleton == skeleton.name and recorded.topic.type == PEOPLE
            xy = [[(joint.x, joint.y) for joint in person.keypoints] for person in message.people]
            people = People.from_arrays(skeleton, xy, (message.image_height, message.image_width))
            people.id[:] = [person.id for person in message.people]
            yield people


def _left(walker: Walker, number: int) -> int:
    times, lefts = zip(*walker.way, strict=True)
    return round(float(np.interp(number, times, lefts)))


def _moment(picture: Image, names: Sequence[int], corners: Floats, figures: Sequence[Still]) -> Moment:
    """What of everybody is in sight: in the picture, and behind nobody who is nearer, that is later in the row."""
    rows, who, sure, doubtful = [], [], [], []
    ends = corners + [figure.image.shape[1::-1] for figure in figures] if len(figures) else corners
    for place, (name, figure) in enumerate(zip(names, figures, strict=True)):
        joints = figure.joints + corners[place]
        seen = ((joints >= 0) & (joints <= (SIZE[1] - 1, SIZE[0] - 1))).all(-1)
        for nearer in range(place + 1, len(names)):
            seen &= ~((joints >= corners[nearer]) & (joints < ends[nearer])).all(-1)
        share = seen.sum() / np.isfinite(joints).all(-1).sum()
        if share > ANY:
            rows.append(np.where(seen[:, None], joints, np.nan))
            who.append(name)
            sure.append(share >= SURE)
        if share < SURE:
            doubtful.append((*corners[place], *ends[place]))
    shape = (-1, *(figures[0].joints.shape if len(figures) else (1, 2)))
    return Moment(
        picture,
        np.array(rows).reshape(shape),
        np.array(who, np.int64),
        np.array(sure, bool),
        np.array(doubtful, np.float64).reshape(-1, 4),
    )


def _empty() -> Image:
    return np.full((*SIZE, 3), BACKGROUND, np.uint8)


def _paste(picture: Image, tile: Image, left: int, top: int) -> None:
    """As much of a portrait as lies in the picture."""
    height, width = tile.shape[:2]
    first, last = max(0, -left), min(width, picture.shape[1] - left)
    if first < last:
        picture[top : top + height, left + first : left + last] = tile[:, first:last]
