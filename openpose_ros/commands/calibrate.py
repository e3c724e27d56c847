"""``calibrate``: learn from annotated photos what a network's people are worth, and what bodies look like."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from openpose_ros.card import Card
from openpose_ros.commands.evaluate import run
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.calibrate import fit_person_score, heat_offset, joint_threshold
from openpose_ros.evaluation.coco import AnnotatedPhotos, DatasetError
from openpose_ros.evaluation.reliability import ghost_threshold
from openpose_ros.evaluation.shape import annotated_people, fit_shape, save_shape
from openpose_ros.options import InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import plan
from openpose_ros.skeleton import load_skeleton
from openpose_ros.weights.catalogue import find_card


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 1
    return 0


def _card(arguments: argparse.Namespace) -> None:
    path = find_card(arguments.model).with_suffix(".yaml")
    photos = AnnotatedPhotos(arguments.annotations, arguments.images)
    empty = sorted(file for file in arguments.empty.glob("*") if cv2.haveImageReader(str(file)))
    if not empty:
        raise DatasetError(f"there are no photos in {arguments.empty}")
    card = _calibrated(path, photos, empty, arguments)
    print(f"heat_offset       {card.heat_offset[0]:.3f}, {card.heat_offset[1]:.3f} cells")
    print(f"person_score      {card.person_score}")
    print(f"min_joint_score   {card.min_joint_score:.3f}")
    print(f"min_person_score  {card.min_person_score:.3f} (at most {arguments.ghosts} people a photo without people)")
    print(f"written to        {path}")


def _shape(arguments: argparse.Namespace) -> None:
    skeleton = load_skeleton(arguments.skeleton)
    people = annotated_people(arguments.annotations, skeleton)
    save_shape(fit_shape(people, skeleton), arguments.output)
    print(f"the shape of {skeleton.name}, learned from {len(people)} people, is in {arguments.output}")


def _calibrated(path: Path, photos: AnnotatedPhotos, empty: Sequence[Path], arguments: argparse.Namespace) -> Card:
    """The card with everything learned, saved over the old one at the very end; each step uses what the last found."""
    card = replace(
        Card.load(path), heat_offset=(0.0, 0.0), person_score=None, min_person_score=0.0, min_joint_score=0.0
    )
    draft = path.with_name(f".{path.stem}.draft.yaml")
    score, final = draft.with_suffix(".safetensors"), path.with_suffix(".person_score.safetensors")
    try:
        card = _learned(card, draft, score, photos, empty, arguments)
        score.replace(final)
        card = replace(card, person_score=final, path=path)
        card.save(draft)
        draft.replace(path)
    finally:
        for left in (draft, score):
            left.unlink(missing_ok=True)
    return card


def _learned(
    card: Card,
    draft: Path,
    score: Path,
    photos: AnnotatedPhotos,
    empty: Sequence[Path],
    arguments: argparse.Namespace,
) -> Card:
    """The card with everything learned; its draft and its score lie in the card's folder meanwhile."""
    annotations = [photo.people for photo in photos]
    inputs = InputOptions(input_size=str(arguments.short_side))

    def estimator() -> Estimator:
        card.save(draft)
        return Estimator.load(draft, backend=arguments.backend, precision="float32", inputs=inputs)

    first = estimator()
    found = run(first, photos).people
    grids = [plan(people.image_size, inputs, card.stride) for people in found]
    across, down = heat_offset(found, annotations, grids)
    card = replace(card, heat_offset=(round(across, 3), round(down, 3)))
    first.close()

    second = estimator()
    found = run(second, photos).people
    fit_person_score(found, annotations, card.skeleton).save(score)
    card = replace(card, person_score=score, min_joint_score=round(joint_threshold(found, annotations), 3))
    second.close()

    third = estimator()
    nobody: list[People] = []
    for file in tqdm(empty, unit="photo", disable=not sys.stderr.isatty()):
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"the photo {file} is unreadable")
        nobody.append(third(image.astype("uint8", copy=False)))
    third.close()
    return replace(card, min_person_score=round(ghost_threshold(nobody, arguments.ghosts) + 5e-4, 3))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calibrate", description=(__doc__ or "").partition(": ")[2])
    kinds = parser.add_subparsers(required=True, metavar="card|shape")
    card = kinds.add_parser(
        "card",
        help="where a network's joints lie, what score its people deserve, from which score on they are reliable",
        description="Learn where a network's joints lie, what score its people deserve and from which score on they "
        "are reliable, and write it into its card. Use photos that are not used to evaluate.",
    )
    card.set_defaults(run=_card)
    card.add_argument("--model", required=True, help="a card, a weight file beside its card, or an installed model")
    card.add_argument("--annotations", required=True, type=Path, help="COCO person_keypoints JSON")
    card.add_argument("--images", required=True, type=Path, help="folder of the photos it names")
    card.add_argument("--empty", required=True, type=Path, help="folder of photos without any person")
    card.add_argument(
        "--ghosts", type=float, default=0.1, help="people that a photo without people may show on average (0.1)"
    )
    card.add_argument("--short-side", type=int, default=368, help="short side of the network's input (368)")
    card.add_argument("--backend", default="auto", help="what runs the network (auto)")
    shape = kinds.add_parser(
        "shape",
        help="what bodies look like, for completing missing joints",
        description="Learn the mean and covariance of annotated bodies; completing missing joints goes by them.",
    )
    shape.set_defaults(run=_shape)
    shape.add_argument("--annotations", required=True, type=Path, help="COCO person_keypoints JSON")
    shape.add_argument("--skeleton", default="COCO-18", help="name or YAML file of the skeleton (COCO-18)")
    shape.add_argument("--output", required=True, type=Path, help="where to write it (.safetensors)")
    return parser
