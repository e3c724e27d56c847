"""One bag: its images go through the estimator, a new bag gets their people under the same stamps."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpose_ros.bags import BagError, CutOffError
from openpose_ros.bags.messages import header_of, jpeg_message, people_message, skeleton_message
from openpose_ros.bags.reading import Bag, Topic, picture
from openpose_ros.bags.types import COMPRESSED, PEOPLE, SKELETON
from openpose_ros.bags.writing import NewBag, Quality, check_target, storage_of
from openpose_ros.draw import draw
from openpose_ros.encodings import ImageError, Range
from openpose_ros.estimator import Estimator
from openpose_ros.options import DrawOptions, PoseNodeOptions, TrackOptions
from openpose_ros.people import People
from openpose_ros.prediction import Tally, people_in
from openpose_ros.preprocess import Image
from openpose_ros.recorded.lines import Lines
from openpose_ros.recorded.names import Names, names_for
from openpose_ros.tracking import Tracker

NAMED = 10
"""Broken images of a bag that are named; the others are only counted."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What to do with a bag.

    Attributes:
        source, target: the bag that is read and the one that is written.
        topics: image topics; empty takes all with pictures.
        poses: topic of the people, see :func:`~openpose_ros.recorded.names.names_for`.
        overlay: write the annotated pictures, too.
        copy: write everything that is in the source, too.
        json: file of JSON lines, one an image.
        storage: mcap or sqlite3; empty goes by the target's suffix.
        overwrite: replace what is there.
        every: look at every so many images of a topic.
        limit: look at no more images; 0 is no limit.
        value_range: the values that are black and white in images that do not say.
        jpeg_quality: of the annotated pictures, 1 to 100.
        drawing: how they are drawn.
        tracking: whether and how people get ids; the people of each topic are followed by themselves.
    """

    source: Path
    target: Path
    topics: Sequence[str] = ()
    poses: str = ""
    overlay: bool = False
    copy: bool = False
    json: Path | None = None
    storage: str = ""
    overwrite: bool = False
    every: int = 1
    limit: int = 0
    value_range: Range | None = None
    jpeg_quality: int = PoseNodeOptions.jpeg_quality
    drawing: DrawOptions = field(default_factory=DrawOptions)
    tracking: TrackOptions = field(default_factory=TrackOptions)


@dataclass
class Outcome:
    """What became of a bag: frames, people and times, and how many images could not be read.

    Attributes:
        topics: image topic -> topic of its people.
        looked: images that were tried.
        seconds: of wall time.
    """

    task: Task
    tally: Tally = field(default_factory=Tally)
    topics: dict[str, str] = field(default_factory=dict)
    looked: int = 0
    seconds: float = 0.0

    @property
    def broken(self) -> int:
        """Images that were skipped, because they could not be read."""
        return self.looked - self.tally.frames


@dataclass(frozen=True, eq=False)
class Seen:
    """An image on its way: (H, W, 3) uint8 BGR, what the log calls it, its topic, and when it was recorded (ns)."""

    image: Image
    name: str
    topic: str
    time: int
    header: Any

    @property
    def seconds(self) -> float:
        """The stamp of the image; where it has none, when it was recorded."""
        stamp = self.header.stamp
        return stamp.sec + 1e-9 * stamp.nanosec if stamp.sec or stamp.nanosec else 1e-9 * self.time


def run(estimator: Estimator, task: Task, progress: Callable[[int, int], object] = lambda done, all: None) -> Outcome:
    """Find the people in every image of a bag and write them into another.

    A broken image is named in a warning, counted and left out; where the bag breaks off, what came before is written.
    Whatever ends this early leaves nothing behind: neither the new bag nor the JSON.

    Args:
        progress: told after every image how many were looked at, and how many there are.

    Raises:
        BagError: the source cannot be read, has no such images, or the target cannot be written.
    """
    began = time.perf_counter()
    outcome = Outcome(task)
    with Bag(task.source) as bag:
        images, names = _planned(bag, task)
        outcome.topics = {image: name.poses for image, name in names.items()}
        with NewBag(task.target, task.storage) as new, Lines(task.json) as lines:
            _announce(new, names, task)
            copied = _copied(bag, new) if task.copy else {}
            source = _Source(bag, images, copied, new, outcome, progress)
            writer = _Writer(new, lines, names, task, estimator)
            trackers = {topic.name: Tracker(task.tracking) for topic in images}
            for seen, found, spent in people_in(estimator, source):
                people = trackers[seen.topic](found, seen.seconds)
                outcome.tally.add(people, {**spent, **writer.write(seen, people)})
            if not outcome.tally.frames:
                raise BagError(f"none of the {outcome.looked} images in {task.source} could be read")
            new.finish()
            lines.finish()
    outcome.seconds = time.perf_counter() - began
    return outcome


def check(task: Task) -> None:
    """Look at everything that can be wrong before the first image; costs next to nothing.

    Raises:
        BagError: as ``run`` would.
    """
    with Bag(task.source) as bag:
        _planned(bag, task)


class _Source:
    """The pictures of a bag; on the way, what is to be copied is copied."""

    def __init__(
        self,
        bag: Bag,
        images: Sequence[Topic],
        copied: dict[str, Topic],
        new: NewBag,
        outcome: Outcome,
        progress: Callable[[int, int], object],
    ) -> None:
        self._bag = bag
        self._images = {topic.name for topic in images}
        self._new = new
        self._outcome = outcome
        self._task = outcome.task
        self._progress = progress
        self._copied = copied
        self._wanted = {topic.name: topic for topic in images} | copied
        self._complaints = 0
        total = sum(-(-topic.messages // self._task.every) for topic in images)
        self._total = min(total, self._task.limit or total)

    def __iter__(self) -> Iterator[Seen]:
        counts: Counter[str] = Counter()
        try:
            for recorded in self._bag.messages(self._wanted.values()):
                name, number = recorded.topic.name, counts[recorded.topic.name]
                if name in self._copied:
                    self._new.write_stored(name, recorded.time, recorded.data)
                if name not in self._images:
                    continue
                counts[name] += 1
                if number % self._task.every:
                    continue
                if self._task.limit and self._outcome.looked == self._task.limit:
                    if self._copied:
                        continue
                    return
                self._outcome.looked += 1
                called = f"image {number} of {name} in {self._task.source}"
                try:
                    message = self._bag.decoded(recorded)
                    image = picture(message, recorded.topic, self._task.value_range)
                except ImageError as error:
                    self._complain(called, error)
                else:
                    yield Seen(image, called, name, recorded.time, header_of(message))
                self._progress(self._outcome.looked, self._total)
        except CutOffError as error:
            _log.warning("%s; what came before is written", error)

    def _complain(self, called: str, error: ImageError) -> None:
        self._complaints += 1
        if self._complaints <= NAMED:
            _log.warning("%s: %s; skipped", called, error)
        if self._complaints == NAMED:
            _log.warning("further broken images of %s are only counted", self._task.source)


class _Writer:
    """Writes the people of an image wherever they are wanted."""

    def __init__(self, new: NewBag, lines: Lines, names: dict[str, Names], task: Task, estimator: Estimator) -> None:
        self._new = new
        self._lines = lines
        self._names = names
        self._task = task
        self._skeleton = skeleton_message(estimator.skeleton)
        self._begun: set[str] = set()

    def write(self, seen: Seen, people: People) -> dict[str, float]:
        """Milliseconds of drawing and of writing."""
        names, began = self._names[seen.topic], time.perf_counter()
        annotated = None
        if self._task.overlay:
            drawn = draw(seen.image, people, self._task.drawing)
            annotated = jpeg_message(drawn, seen.header, self._task.jpeg_quality)
        drawn_at = time.perf_counter()
        if seen.topic not in self._begun:
            self._begun.add(seen.topic)
            self._new.write(names.skeleton, seen.time, self._skeleton)
        self._new.write(names.poses, seen.time, people_message(people, seen.header))
        if annotated is not None:
            self._new.write(names.annotated, seen.time, annotated)
        self._lines.write(seen.topic, seen.header, people)
        return {"draw": 1e3 * (drawn_at - began), "write": 1e3 * (time.perf_counter() - drawn_at)}


def _planned(bag: Bag, task: Task) -> tuple[list[Topic], dict[str, Names]]:
    """The image topics, and the topics written for each; nothing is in the way of them."""
    check_target(task.target, task.source, task.overwrite)
    storage_of(task.target, task.storage)
    if task.json is not None and task.json.exists() and not task.overwrite:
        raise BagError(f"{task.json} is there already; --overwrite replaces it")
    if task.copy and bag.is_ros1:
        raise BagError(f"{bag.path} is a bag of ROS 1, whose messages cannot be copied as they are; leave --copy out")
    images = bag.image_topics(task.topics, depth=task.value_range is not None)
    names = names_for([topic.name for topic in images], task.poses)
    for topic in (topic for name in names.values() for topic in name):
        if task.copy and topic in bag.topics:
            raise BagError(f"{bag.path} has a topic {topic} of its own; --poses names another for what is found")
    return images, names


def _announce(new: NewBag, names: dict[str, Names], task: Task) -> None:
    for name in names.values():
        new.add(name.poses, PEOPLE, Quality(depth=10))
        new.add(name.skeleton, SKELETON, Quality(depth=1, latched=True))
        if task.overlay:
            new.add(name.annotated, COMPRESSED, Quality(depth=1))


def _copied(bag: Bag, new: NewBag) -> dict[str, Topic]:
    """The topics that can be copied, announced in the new bag."""
    copied = {}
    for topic in bag.topics.values():
        definition = bag.definition(topic)
        if definition is None:
            _log.warning("%s of type %s is not copied: the bag does not say what it is", topic.name, topic.type)
            continue
        new.add_copied(topic.name, topic.type, definition)
        copied[topic.name] = topic
    return copied
