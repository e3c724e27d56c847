"""``calibrate``: learn from annotated photos what a network's people are worth, and what bodies look like."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from openpose_ros.evaluation.calibrate_card import GHOSTS, calibrate_card
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.evaluation.shape import annotated_people, fit_shape, save_shape
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
    card = calibrate_card(
        path, photos, arguments.empty, ghosts=arguments.ghosts, short_side=arguments.short_side,
        backend=arguments.backend,
    )  # fmt: skip
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
        "--ghosts", type=float, default=GHOSTS, help="people that a photo without people may show on average (0.1)"
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
