"""Who is who: the people of one image -> the same people with the ids that they had in the images before.

Everybody who is followed (``tracks.py``) is expected somewhere. Those who are found are compared with them by COCO's
object keypoint similarity (OKS), whose tolerance widens with what is not known of a track: how far the body may have
gone since, and joints that were long not seen. Of all pairs that are similar enough the best assignment is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from openpose_ros.options import TrackOptions
from openpose_ros.people import People
from openpose_ros.skeleton import Skeleton
from openpose_ros.smoothing import one_euro
from openpose_ros.tracks import UNTRACKED, Array, Build, Mask, Rows, Seen, Tracks

LAST_ID = int(np.iinfo(np.int32).max)
"""The last id that a message can hold: with a new person every second it lasts for 68 years."""

MAX_LOST = 256
"""Bound on the tracks of people who are out of sight; those seen last are kept."""

FLOOR = 0.004
"""Standard deviation of any place, in heights of the picture: networks see it at some 368 rows."""

EVIDENCE = 3.0
"""A similarity by so many joints counts half as much as one by very many, where several would fit."""

REACH = 1.0
"""A track and a person are not compared whose middles are so many heights and three standard deviations apart."""


def joint_similarity(apart: Array, variance: Array, counted: Mask) -> Array:
    """The terms of OKS, which is their mean over the joints that count: exp(-d^2 / 2 v), 0 where not counted.

    Args:
        apart: squared distances d^2 of joints.
        variance: v, the squared tolerance in the same unit; that of COCO is (2 sigma)^2 area.
        counted: the joints to count.
    """
    return np.asarray(np.where(counted, np.exp(-0.5 * apart / variance), 0.0))


class Tracker:
    """Gives people their ids, and smooths their joints if asked to.

    Ids count from 1, so that a message left at its zeros is nobody. None is given twice, not even after
    :meth:`reset`. Somebody out of sight keeps the id for ``track_memory`` seconds.

    For one camera and one thread. An image older than the last one begins anew, as :meth:`reset` does: a recording
    was started again. One of the same stamp is compared as if no time had passed.

    Attributes:
        options: may be replaced between two images.
    """

    def __init__(self, options: TrackOptions | None = None) -> None:
        from scipy.optimize import linear_sum_assignment  # takes longer than everything else that a --help imports

        self.options = options or TrackOptions()
        self._assign = linear_sum_assignment
        self._next = 1
        self._skeleton: Skeleton | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everybody; their ids are not given again."""
        self._tracks: Tracks | None = None
        self._stamp = -math.inf

    def __call__(self, people: People, stamp: float) -> People:
        """The same people in the same order with their ids, and with smoothed joints where ``smooth`` is on.

        Args:
            people: of the next image. Somebody without a known joint is somebody new each time.
            stamp: of that image, in seconds.

        Raises:
            ValueError: the stamp is no finite number; the image is then as if it had never been.
        """
        options = self.options
        if not math.isfinite(stamp):
            raise ValueError(f"the stamp of an image is {stamp}; expected a finite number of seconds")
        if stamp < self._stamp or people.skeleton != self._skeleton or not (options.track or options.smooth):
            self.reset()
        if not (options.track or options.smooth):
            return people
        if people.skeleton != self._skeleton:
            self._skeleton, self._build = people.skeleton, Build.of(people.skeleton)
        seen = Seen.of(people, self._build)
        nobody = np.zeros(len(people), np.bool_)
        tracks = Tracks.begin(seen, nobody) if self._tracks is None else self._tracks
        seconds = 0.0 if self._tracks is None else stamp - self._stamp
        tracks.advance(seconds)
        tracks = tracks.keep(tracks.stale.min(1) <= options.track_memory)
        tracks, rows = self._follow(tracks, seen, options.track_min_similarity)
        if options.track:
            people = self._name(people, tracks, rows, options.track_min_frames)
        past = tracks.smooth[rows], tracks.speed[rows]
        tracks.smooth[:] = np.nan
        if options.smooth and len(people):
            height = np.sqrt(seen.squared_height(tracks.size[rows]))
            xy = np.where(seen.known[..., None], seen.xy, np.nan)
            xy, speed = one_euro(xy, *past, seconds, height, options.smooth_min_cutoff, options.smooth_beta)
            tracks.smooth[rows], tracks.speed[rows] = xy, speed
            people = replace(people, xy=xy.astype(np.float32))
        self._tracks, self._stamp = _bounded(tracks), stamp
        return people

    def _follow(self, tracks: Tracks, seen: Seen, least: float) -> tuple[Tracks, Rows]:
        """The tracks after an image, and for each of its people the row of the track."""
        row, person, shift = self._match(tracks, seen, least)
        tracks.meet(row, seen, person, shift)
        rows = np.full(len(seen.xy), -1)
        rows[person] = row
        if (new := rows < 0).any():
            rows[new] = len(tracks) + np.arange(new.sum())
            tracks = tracks.join(Tracks.begin(seen, new))
        return tracks, rows

    def _match(self, tracks: Tracks, seen: Seen, least: float) -> tuple[Rows, Rows, Array]:
        """M rows of tracks, the people they are, and (M, 2) how far each body is from where it was expected, in pixels.

        Only pairs near each other are compared, and only those of at least that similarity may become one.
        """
        heights = np.sqrt(seen.squared_height(tracks.size))
        reach = heights * (REACH + 3.0 * np.sqrt(tracks.covariance[:, 0]))
        reach = np.maximum(reach[:, None], REACH * np.sqrt(seen.squared_height(seen.size)))
        row, person = np.nonzero(np.square(tracks.xy.mean(1)[:, None] - seen.middle).sum(-1) < np.square(reach))

        height = seen.squared_height(tracks.size[row] + seen.size[person])[:, None]
        way, counted = seen.xy[person] - tracks.xy[row], seen.known[person]
        least_variance = height * seen.build.tolerance + (FLOOR * seen.picture) ** 2
        variance = least_variance + height * tracks.spread(row)
        alike = joint_similarity(np.einsum("kjc,kjc->kj", way, way), variance, counted)
        count = counted.sum(1)

        # Where several fit, a narrow expectation that is met is worth more than a wide one, as the density of a normal
        # distribution is (else those long lost would take the ids of all who pass), and many joints more than few.
        worth = (alike * np.sqrt(least_variance / variance)).sum(1) / (count + EVIDENCE)
        pair = np.full((len(tracks), len(seen.xy)), -1)
        pair[row, person] = np.where(alike.sum(1) >= least * np.maximum(count, 1), np.arange(len(row)), -1)
        value = np.where(pair >= 0, np.append(worth, 0.0)[pair], 0.0)
        chosen = pair[self._assign(value, maximize=True)]
        chosen = chosen[chosen >= 0]
        weight = alike[chosen] / variance[chosen]  # joints far from where they should be hardly count
        shift = (weight[..., None] * way[chosen]).sum(1) / weight.sum(1)[:, None]
        return row[chosen], person[chosen], shift

    def _name(self, people: People, tracks: Tracks, rows: Rows, images: int) -> People:
        """The people with the ids of their tracks; those seen in so many images get one if they have none."""
        due = rows[(tracks.id[rows] == UNTRACKED) & (tracks.images[rows] >= images)]
        given = self._next + np.arange(len(due))
        tracks.id[due] = np.where(given <= LAST_ID, given, UNTRACKED)
        self._next += len(due)
        return replace(people, id=tracks.id[rows].astype(np.int32))


def _bounded(tracks: Tracks) -> Tracks:
    """Without those of the people out of sight who are too many."""
    lost = np.flatnonzero(tracks.missed)
    if len(lost) <= MAX_LOST:
        return tracks
    keep = np.ones(len(tracks), np.bool_)
    keep[lost[np.argsort(tracks.missed[lost], kind="stable")[MAX_LOST:]]] = False
    return tracks.keep(keep)
