"""How well people are followed: who is found in every image of a sequence, who is not there, and who changes the id."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openpose_ros.people import People
from openpose_ros.skeleton import Skeleton

Floats = npt.NDArray[np.float64]

NOBODY = -1
"""The true name of somebody who is not there."""

ALIKE = 0.5
"""Object keypoint similarity from which a person found is the true one, as in COCO's AP at 0.5."""

AREA = 0.53
"""COCO's area of a person, as a share of the box around the joints."""


@dataclass
class Identities:
    """What becomes of ids, where the true name of everybody found is known.

    Attributes:
        switches: how often the id of somebody differs from the one before (Bernardin and Stiefelhagen, "Evaluating
            Multiple Object Tracking Performance", 2008: mismatches).
    """

    switches: int = 0
    _last: dict[int, int] = field(default_factory=dict)
    _pairs: set[tuple[int, int]] = field(default_factory=set)

    def add(self, ids: npt.ArrayLike, who: npt.ArrayLike) -> None:
        """One image: (P,) ids given, negative where there is none, and (P,) true names, NOBODY for ghosts."""
        for name, person in zip(np.asarray(ids).tolist(), np.asarray(who).tolist(), strict=True):
            if person != NOBODY and name >= 0:
                self.switches += self._last.get(person, name) != name
                self._last[person] = name
                self._pairs.add((person, name))

    @property
    def people(self) -> int:
        """True people who ever had an id."""
        return len(self._last)

    @property
    def fragments(self) -> int:
        """Ids that people had beyond their first."""
        return len(self._pairs) - len(self._last)

    @property
    def shared(self) -> int:
        """Ids that had belonged to somebody else before."""
        return len(self._pairs) - len({name for _, name in self._pairs})


@dataclass
class Followed:
    """Sums over the images of a sequence.

    Attributes:
        images: how many.
        expected: people who were to be found, over all images.
        found: those of them who were.
        ghosts: people found where nobody is.
        identities: what became of their ids.
    """

    images: int = 0
    expected: int = 0
    found: int = 0
    ghosts: int = 0
    identities: Identities = field(default_factory=Identities)

    def add(
        self,
        people: People,
        truth: Floats,
        who: npt.NDArray[np.int64],
        sure: npt.NDArray[np.bool_],
        doubtful: npt.ArrayLike = (),
    ) -> None:
        """One image.

        Args:
            people: those found, with ids.
            truth: (T, J, 2) true joints in pixels, NaN for those that are out of sight.
            who: (T,) true names, the same in every image.
            sure: (T,) who must be found. Others, of whom little is in sight, may be: neither a miss nor a ghost.
            doubtful: (D, 4) x, y of upper left and lower right corners: whoever is found there, by the middle of the
                joints, is no ghost.
        """
        row, column = match(people.xy.astype(np.float64), truth, people.skeleton)
        names = np.full(len(people), NOBODY, np.int64)
        names[row] = who[column]
        self.images += 1
        self.expected += int(sure.sum())
        self.found += int(sure[column].sum())
        self.ghosts += int((~_inside(people, np.reshape(doubtful, (-1, 4))) & (names == NOBODY)).sum())
        self.identities.add(people.id, names)

    @property
    def recall(self) -> float:
        """Share of those who were to be found; 1 where nobody was."""
        return self.found / self.expected if self.expected else 1.0


def _inside(people: People, boxes: Floats) -> npt.NDArray[np.bool_]:
    """(P,) whether the middle of the joints lies in one of the (D, 4) boxes."""
    count = np.maximum(people.known.sum(1), 1)[:, None]
    middle = np.nan_to_num(people.xy).sum(1) / count
    return np.asarray(((middle[:, None] >= boxes[:, :2]) & (middle[:, None] <= boxes[:, 2:])).all(-1).any(1))


def match(found: Floats, truth: Floats, skeleton: Skeleton) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs of people found and true ones, each in one pair at most, alike by ``ALIKE`` and most alike in sum.

    Args:
        found: (P, J, 2) pixels, NaN where unknown.
        truth: (T, J, 2) the same.

    Returns:
        Indices of the people found, and those of the true ones.
    """
    from scipy.optimize import linear_sum_assignment

    alike = similarity(found, truth, skeleton)
    row, column = linear_sum_assignment(np.where(alike >= ALIKE, alike, 0.0), maximize=True)
    whole = alike[row, column] >= ALIKE
    return row[whole], column[whole]


def similarity(found: Floats, truth: Floats, skeleton: Skeleton) -> Floats:
    """(P, T) object keypoint similarity in 0..1 (COCO), over the joints that the true person shows."""
    known = np.asarray(np.isfinite(truth).all(-1))
    low = np.where(known[..., None], truth, np.inf).min(1, initial=np.inf)
    high = np.where(known[..., None], truth, -np.inf).max(1, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        area = AREA * np.where(known.any(1), np.prod(high - low, axis=1), 1.0)
        apart = np.square(found[:, None] - truth[None]).sum(-1)
    variance = np.square(2.0 * np.asarray(skeleton.sigmas)) * np.maximum(area, 1.0)[:, None]
    close = np.where(known & np.isfinite(apart), np.exp(-0.5 * np.nan_to_num(apart) / variance), 0.0)
    return np.asarray(close.sum(-1) / np.maximum(known.sum(1), 1))
