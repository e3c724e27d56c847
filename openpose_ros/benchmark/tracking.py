"""``benchmark tracking``: how often people change their id, what smoothing does to their joints, what both cost.

Identity is measured on synthetic scenes (``walk.py``), where everybody who is observed is known; beside it stands what
most would write first, the nearest one of the image before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from openpose_ros.benchmark import walk
from openpose_ros.benchmark.crowd import crowd
from openpose_ros.benchmark.table import summary, timed
from openpose_ros.evaluation.tracks import Identities
from openpose_ros.options import TrackOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18
from openpose_ros.tracking import Tracker

RATES = (30.0, 10.0, 5.0)
"""Images a second."""

Follow = Callable[[People, float], People]


class Nearest:
    """A yardstick: the pairs of nearest middles first, without any expectation of where people go.

    Somebody farther away than half the diagonal of the own box is somebody else.
    """

    def __init__(self, memory: float) -> None:
        self.memory = memory
        self._next = 1
        self._last: dict[int, tuple[Any, float]] = {}

    def __call__(self, people: People, stamp: float) -> People:
        """The same people with ids."""
        middles, boxes = np.nanmean(people.xy, axis=1), people.boxes
        reach = 0.5 * np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        self._last = {name: (m, seen) for name, (m, seen) in self._last.items() if stamp - seen <= self.memory}
        pairs = [
            (float(np.hypot(*(middle - middles[person]))), name, person)
            for name, (middle, _) in self._last.items()
            for person in range(len(people))
        ]
        ids: dict[int, int] = {}
        for apart, name, person in sorted(pairs):
            if apart < reach[person] and person not in ids and name not in ids.values():
                ids[person] = name
        for person in range(len(people)):
            if person not in ids:
                ids[person] = self._next
                self._next += 1
            self._last[ids[person]] = middles[person], stamp
        return replace(people, id=np.array([ids[person] for person in range(len(people))], np.int32))


def mistakes(moments: Sequence[walk.Moment], follow: Follow) -> dict[str, int]:
    """What went wrong with the ids in one scene: people, switches, fragments and shared, as in
    :class:`~openpose_ros.evaluation.tracks.Identities`."""
    identities = Identities()
    for moment in moments:
        identities.add(follow(moment.people, moment.stamp).id, moment.who)
    return {name: getattr(identities, name) for name in ("people", "switches", "fragments", "shared")}


def identity(options: TrackOptions, seeds: int, rates: Sequence[float] = RATES) -> Iterator[dict[str, Any]]:
    """One row a scene, rate and follower: :func:`mistakes` summed over so many seeds."""
    for scene, make in walk.SCENES.items():
        for rate in rates:
            runs = [list(walk.moments(make(seed), rate, walk.LIKE_A_NETWORK, seed)) for seed in range(seeds)]
            for name, follow in (("tracker", _tracker(options)), ("nearest", _nearest(options))):
                sums = [mistakes(run, follow()) for run in runs]
                total = {key: sum(row[key] for row in sums) for key in sums[0]}
                yield {"scene": scene, "images_per_s": rate, "follower": name, **total}


def smoothing(options: TrackOptions, seeds: int, rates: Sequence[float] = RATES) -> Iterator[dict[str, Any]]:
    """One row a way of moving and rate: error and jitter of smoothed joints, as shares of those of the same joints as
    they were observed. Error is from the true place, jitter how the error changes from image to image (RMS both)."""
    ways = {
        "standing": ((0.0, 0.0, 4.0), (4.0, 0.0, 4.0)),
        "walking": ((0.0, -2.4, 4.0), (4.0, 2.4, 4.0)),
        "walking far away": ((0.0, -2.4, 8.0), (4.0, 2.4, 8.0)),
    }
    options = replace(options, smooth=True)
    noise = walk.Noise(place=walk.LIKE_A_NETWORK.place)
    for name, way in ways.items():
        scene = walk.Scene((walk.Walker(way),), 4.0)
        for rate in rates:
            errors = []
            for seed in range(seeds):
                tracker = Tracker(options)
                moments = [moment for moment in walk.moments(scene, rate, noise, seed) if len(moment.people)]
                true = np.array([walk.project(moment.bodies) for moment in moments])
                observed = np.array([moment.people.xy for moment in moments])
                smoothed = np.array([tracker(moment.people, moment.stamp).xy for moment in moments])
                errors.append((smoothed - true, observed - true))
            error, jitter = (
                [np.sqrt(np.mean([np.nanmean(np.square(change(e[kind]))) for e in errors])) for kind in (0, 1)]
                for change in (np.asarray, lambda e: np.diff(e, axis=0))
            )
            yield {
                "motion": name, "images_per_s": rate,
                "error": round(float(error[0] / error[1]), 3), "jitter": round(float(jitter[0] / jitter[1]), 3),
            }  # fmt: skip


def cost(options: TrackOptions, people: Sequence[int], repeats: int) -> Iterator[dict[str, Any]]:
    """One row a number of people who stand, all seen again in every image: ``median_ms`` and ``p95_ms`` an image."""
    random = np.random.default_rng(0)
    for many in people:
        places = crowd(many, *walk.SIZE)
        images = [
            People.from_arrays(COCO_18, places + random.normal(0.0, 1.0, places.shape), walk.SIZE) for _ in range(32)
        ]
        tracker, frames = Tracker(options), count()

        def image(images: list[People] = images, tracker: Tracker = tracker, frames: Iterator[int] = frames) -> None:
            frame = next(frames)
            tracker(images[frame % len(images)], frame / RATES[0])

        yield {"people": many, **summary(timed(image, repeats))}


def _tracker(options: TrackOptions) -> Callable[[], Follow]:
    return lambda: Tracker(options)


def _nearest(options: TrackOptions) -> Callable[[], Follow]:
    return lambda: Nearest(options.track_memory)
