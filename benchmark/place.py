"""What better places would be worth: joints of one look, moved to where a closer look sees them.

    python benchmark/place.py --model CARD --annotations FILE --images DIR [--every 3]

The people, their joints and their scores stay those of one look at short side 368; only a joint that has a summit of
the closer look within a cell is moved there. Closer looks are averages of several, mirrored ones among them. The last
line sees no more pixels than the one look did: what it gains lies in the input, and the network does not read it out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros import Estimator
from openpose_ros.decode import candidates
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image, plan

SIDE = 368
MEASURES = ("AP", "AP50", "AP75", "AP_medium", "AP_large")

Summits = list[npt.NDArray[np.float64]]
"""(N, 2) x, y in source pixels for each joint."""


def main() -> None:
    """Look, move and print line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--annotations", required=True, type=Path)
    parser.add_argument("--images", required=True, type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth photo alone (1)")
    arguments = parser.parse_args()
    photos = AnnotatedPhotos(arguments.annotations, arguments.images)
    photos.photos = photos.photos[:: arguments.every]
    estimator = Estimator.load(arguments.model, precision="float32", inputs=InputOptions(input_size=str(SIDE)))
    lines: dict[str, list[People]] = {}
    for photo in photos:
        image = photo.read()
        people = estimator(image)
        height, width = image.shape[:2]
        k = SIDE / min(height, width)
        kernel = cv2.INTER_AREA if k < 1.0 else cv2.INTER_LINEAR
        small = cv2.resize(image, (round(width * k), round(height * k)), interpolation=kernel).astype(np.uint8)
        seen = {
            "one look": None,
            "368 mirrored": summits(estimator, image, "1", image.shape[:2]),
            "368 and 552, mirrored": summits(estimator, image, "1.5,1", image.shape[:2]),
            "368 and 552, mirrored, of the 368 pixels": summits(estimator, small, "1.5,1", image.shape[:2]),
        }
        for name, places in seen.items():
            lines.setdefault(name, []).append(people if places is None else moved(people, places))
    print(f"{estimator.card.name}, {len(photos)} photos of {arguments.annotations}, short side {SIDE}\n")
    print(f"| places of | {' | '.join(MEASURES)} |\n| --- |{' --- |' * len(MEASURES)}")
    for name, found in lines.items():
        at = photos.measure(found)
        print(f"| {name} | {' | '.join(f'{at[measure]:.2f}' for measure in MEASURES)} |")


def summits(estimator: Estimator, image: Image, scales: str, size: tuple[int, ...]) -> Summits:
    """Where the averaged fields of an image have summits, in pixels of the photo of ``size`` (height, width)."""
    looks = InputOptions.from_mapping({"input_size": str(SIDE), "scales": scales, "flip": True})
    found = candidates(estimator.fields([image], looks), DecodeOptions())
    peaks, offset = found.peaks, np.array(found.fields.heat_offset)
    xy = found.fields.grids[0].to_image(np.stack([peaks.x, peaks.y], -1) - offset)
    xy = (xy + 0.5) * (np.array(size[::-1]) / np.array(image.shape[1::-1])) - 0.5
    return [xy[peaks.joint == joint] for joint in range(len(estimator.skeleton.joints))]


def moved(people: People, places: Summits) -> People:
    """The people, each joint at the nearest summit of its kind if that is within a cell of the one look."""
    cell = plan(people.image_size, InputOptions(input_size=str(SIDE)), stride=8).pixels_per_cell
    xy = people.xy.copy()
    for joint, there in enumerate(places):
        for person in np.flatnonzero(people.known[:, joint]) if len(there) else ():
            distance = np.linalg.norm(there - people.xy[person, joint], axis=-1)
            if distance.min() < cell:
                xy[person, joint] = there[distance.argmin()]
    return replace(people, xy=xy)


if __name__ == "__main__":
    main()
