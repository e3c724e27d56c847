"""An estimator over many photos: who was found, and what it cost."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.media import frames
from openpose_ros.people import People


@dataclass(frozen=True)
class Run:
    """What an estimator found in some photos, and the milliseconds of each stage, one number a photo."""

    people: list[People]
    milliseconds: dict[str, list[float]]

    def median(self, *stages: str) -> float:
        """Median over the photos of the sum of these stages."""
        return statistics.median(map(sum, zip(*(self.milliseconds[stage] for stage in stages), strict=True)))


def run(estimator: Estimator, photos: AnnotatedPhotos, name: str = "") -> Run:
    """One photo after the other, with a progress bar; unreadable photos raise DatasetError."""
    people, spent = [], []
    for photo in tqdm(photos, desc=name or None, unit="photo", disable=not sys.stderr.isatty()):
        job = estimator.submit([photo.read()])
        people += job.result()
        spent.append(job.milliseconds)
    return Run(people, {stage: [row[stage] for row in spent] for stage in spent[0]})


def run_folder(estimator: Estimator, folder: Path, name: str = "") -> list[People]:
    """The people of each photo in a folder; one that cannot be read is named in a warning and left out.

    Raises:
        MediaError: the folder is missing or holds no photo.
    """
    with frames(folder) as source:
        bar = tqdm(source, desc=name or None, total=source.total, unit="photo", disable=not sys.stderr.isatty())
        return [estimator(frame.image) for frame in bar]
