"""Everything that a card says of its network's people, learned from photos and written into it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.calibrate import fit_person_score, heat_offset, joint_threshold
from openpose_ros.evaluation.coco import AnnotatedPhotos, DatasetError
from openpose_ros.evaluation.reliability import ghost_threshold
from openpose_ros.evaluation.run import run
from openpose_ros.options import InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import plan

GHOSTS = 0.1
"""People that a photo without people may show on average."""


def calibrate_card(
    path: Path,
    photos: AnnotatedPhotos,
    empty: Path,
    *,
    ghosts: float = GHOSTS,
    short_side: int = 368,
    backend: str = "auto",
) -> Card:
    """Learn place, score and thresholds of a card's network and write them into the card, at the very end.

    Args:
        path: of the card.
        photos: annotated, and not those on which the network is to be measured.
        empty: folder of photos without any person.
        ghosts: people that a photo without people may show on average.
        short_side: of the network's input, in pixels.
        backend: what runs the network.

    Raises:
        DatasetError: photos are missing or unreadable.
        ValueError: the network finds nobody to learn from.
    """
    nobody = sorted(file for file in empty.glob("*") if cv2.haveImageReader(str(file)))
    if not nobody:
        raise DatasetError(f"there are no photos in {empty}")
    card = replace(
        Card.load(path), heat_offset=(0.0, 0.0), person_score=None, min_person_score=0.0, min_joint_score=0.0
    )
    draft = path.with_name(f".{path.stem}.draft.yaml")
    score, final = draft.with_suffix(".safetensors"), path.with_suffix(".person_score.safetensors")
    inputs = InputOptions(input_size=str(short_side))

    def estimator(card: Card) -> Estimator:
        card.save(draft)
        return Estimator.load(draft, backend=backend, precision="float32", inputs=inputs)

    try:
        card = _with_offset(card, photos, estimator(card), inputs)
        card = _with_score(card, photos, estimator(card), score)
        card = _with_threshold(card, nobody, estimator(card), ghosts)
        score.replace(final)
        card = replace(card, person_score=final, path=path)
        card.save(draft)
        draft.replace(path)
    finally:
        for left in (draft, score):
            left.unlink(missing_ok=True)
    return card


def _with_offset(card: Card, photos: AnnotatedPhotos, estimator: Estimator, inputs: InputOptions) -> Card:
    found = run(estimator, photos).people
    estimator.close()
    grids = [plan(people.image_size, inputs, card.stride) for people in found]
    across, down = heat_offset(found, [photo.people for photo in photos], grids)
    return replace(card, heat_offset=(round(across, 3), round(down, 3)))


def _with_score(card: Card, photos: AnnotatedPhotos, estimator: Estimator, file: Path) -> Card:
    found = run(estimator, photos).people
    estimator.close()
    annotations = [photo.people for photo in photos]
    fit_person_score(found, annotations, card.skeleton).save(file)
    return replace(card, person_score=file, min_joint_score=round(joint_threshold(found, annotations), 3))


def _with_threshold(card: Card, empty: Sequence[Path], estimator: Estimator, ghosts: float) -> Card:
    nobody: list[People] = []
    for file in tqdm(empty, unit="photo", disable=not sys.stderr.isatty()):
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"the photo {file} is unreadable")
        nobody.append(estimator(image.astype("uint8", copy=False)))
    estimator.close()
    return replace(card, min_person_score=round(ghost_threshold(nobody, ghosts) + 5e-4, 3))
