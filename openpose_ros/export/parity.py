"""Whether two programs say the same of photos: their fields number by number, and the people in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from array_api_compat import to_device

from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.tracks import match
from openpose_ros.export import ExportError
from openpose_ros.export.sensitive import difference
from openpose_ros.fields import Fields
from openpose_ros.people import People
from openpose_ros.preprocess import Image

Table = npt.NDArray[np.float32]

TOLERANCES = {"float32": 0.001, "float16": 0.02, "int8": 0.1}
"""Largest difference from PyTorch, relative as :func:`~openpose_ros.export.sensitive.difference` says."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What an estimator says of some photos."""

    fields: list[Fields]
    people: list[People]


@dataclass(frozen=True)
class Comparison:
    """An estimator beside the one that is right.

    Attributes:
        name: what ran.
        photos: how many.
        largest, mean: difference of heatmaps and of PAFs, in their own units.
        difference: relative.
        expected, found, alike: people of the right one, people of the other, and pairs of them that are the same.
        apart: pixels between the same joint of a pair: median, 95th percentile; NaN without a pair.
    """

    name: str
    photos: int
    largest: tuple[float, float]
    mean: tuple[float, float]
    difference: float
    expected: int
    found: int
    alike: int
    apart: tuple[float, float]

    def __str__(self) -> str:
        fields = (
            f"{name} differ by {mean:.2g} in the mean, {largest:.2g} at most"
            for name, mean, largest in zip(("heatmaps", "PAFs"), self.mean, self.largest, strict=True)
        )
        joints = f", joints {self.apart[0]:.2f} px apart (95 %: {self.apart[1]:.2f})" if self.alike else ""
        return (
            f"{self.name} on {self.photos} photos: {', '.join(fields)}, relative {self.difference:.2g}; "
            f"people {self.found} for {self.expected}, {self.alike} the same{joints}"
        )

    def check(self, tolerance: float) -> None:
        """Raise an ExportError when the fields differ by more than that, relative."""
        if not self.difference <= tolerance:
            raise ExportError(
                f"{self.name} answers {self.difference:.3g} off PyTorch, relative, and {tolerance:g} is the most that "
                f"is accepted (--tolerance): nothing is written. {self}"
            )


def answer(estimator: Estimator, photos: Sequence[Image]) -> Answer:
    """What an estimator says, photo by photo; the estimator is closed."""
    try:
        return Answer([estimator.fields([photo]) for photo in photos], [estimator(photo) for photo in photos])
    finally:
        estimator.close()


def compare(name: str, found: Answer, expected: Answer) -> Comparison:
    """One answer beside the right one, of the same photos."""
    pairs = list(zip(_tables(found), _tables(expected), strict=True))
    gaps = [[np.abs(one[kind] - true[kind]) for one, true in pairs] for kind in range(2)]
    apart, expected_people, found_people, alike = [], 0, 0, 0
    for one, true in zip(found.people, expected.people, strict=True):
        mine, theirs = match(one.xy.astype(np.float64), true.xy.astype(np.float64), true.skeleton)
        expected_people, found_people, alike = expected_people + len(true), found_people + len(one), alike + len(mine)
        apart.append(np.linalg.norm(one.xy[mine] - true.xy[theirs], axis=-1).ravel())
    distances = np.concatenate(apart)
    distances = distances[np.isfinite(distances)]
    middle, far = np.percentile(distances, (50, 95)) if len(distances) else (np.nan, np.nan)
    return Comparison(
        name,
        len(pairs),
        (max(float(gap.max()) for gap in gaps[0]), max(float(gap.max()) for gap in gaps[1])),
        (float(np.mean([gap.mean() for gap in gaps[0]])), float(np.mean([gap.mean() for gap in gaps[1]]))),
        difference(*zip(*pairs, strict=True)),
        expected_people,
        found_people,
        alike,
        (float(middle), float(far)),
    )


def _tables(given: Answer) -> list[list[Table]]:
    """Heatmaps without the background, and PAFs, of each photo, on the host."""
    return [
        [
            np.asarray(to_device(table, "cpu"))
            for table in (fields.heatmaps[:, : len(fields.skeleton.joints)], fields.pafs)
        ]
        for fields in given.fields
    ]
