"""``evaluate``: COCO accuracy and milliseconds of a model on annotated photos."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.coco import MEASURES, AnnotatedPhotos, DatasetError
from openpose_ros.evaluation.reliability import reliability
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.people import People

DECODE = ("peaks", "limbs", "assemble")


@dataclass(frozen=True)
class Run:
    """What an estimator found in some photos, and the milliseconds of each stage, one number a photo."""

    people: list[People]
    milliseconds: dict[str, list[float]]

    def median(self, *stages: str) -> float:
        """Median over the photos of the sum of these stages."""
        return statistics.median(map(sum, zip(*(self.milliseconds[stage] for stage in stages), strict=True)))


def run(estimator: Estimator, photos: AnnotatedPhotos) -> Run:
    """One photo after the other, with a progress bar; unreadable photos raise DatasetError."""
    people, spent = [], []
    for photo in tqdm(photos, unit="photo", disable=not sys.stderr.isatty()):
        job = estimator.submit([photo.read()])
        people += job.result()
        spent.append(job.milliseconds)
    return Run(people, {stage: [row[stage] for row in spent] for stage in spent[0]})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        print(f"evaluate: there is no folder {arguments.json.parent} for {arguments.json.name}", file=sys.stderr)
        return 2
    try:
        photos = AnnotatedPhotos(arguments.annotations, arguments.images, arguments.limit)
        inputs = InputOptions.from_mapping(
            {"input_size": str(arguments.short_side), "scales": arguments.scales, "flip": arguments.flip}
        )
        decode = DecodeOptions.from_arguments(arguments)
        backend = BackendOptions.from_arguments(arguments)
        estimator = Estimator.load(arguments.model, **asdict(backend), inputs=inputs, decode=decode)
    except ValueError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    try:
        report = _report(estimator, photos, arguments)
    except DatasetError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    finally:
        estimator.close()
    print(_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _report(estimator: Estimator, photos: AnnotatedPhotos, arguments: argparse.Namespace) -> dict[str, Any]:
    done = run(estimator, photos)
    card = estimator.card
    at = reliability(done.people, [photo.people for photo in photos], card.min_person_score)
    return {
        **{name: round(value, 2) for name, value in photos.measure(done.people).items()},
        "images": len(photos),
        "network_ms": round(done.median("network"), 2),
        "decode_ms": round(done.median(*DECODE), 3),
        "model": card.name,
        "annotations": arguments.annotations.name,
        "backend": estimator.backend.name,
        "device": estimator.backend.device,
        "precision": estimator.backend.precision,
        "input": asdict(estimator.inputs),
        "decode": asdict(estimator.decode),
        "at_min_person_score": {
            "min_person_score": card.min_person_score,
            "precision": round(at.precision, 3),
            "recall": round(at.recall, 3),
        },
    }


def _table(report: dict[str, Any]) -> str:
    shown = [name for name in MEASURES if name in report]
    look, decode, at = report["input"], report["decode"], report["at_min_person_score"]
    return "\n".join(
        [
            f"{report['model']} on {report['images']} photos of {report['annotations']}",
            f"  network  {report['backend']} on {report['device']}, {report['precision']}; short side "
            f"{look['input_size']}, scales {look['scales']}, flip {'on' if look['flip'] else 'off'}",
            "  decoder  " + ", ".join(f"{name} {value}" for name, value in decode.items()),
            "",
            "  " + "".join(f"{name:>11}" for name in shown),
            "  " + "".join(f"{report[name]:11.2f}" for name in shown),
            "",
            f"  median milliseconds a photo: network {report['network_ms']}, decode {report['decode_ms']}",
            f"  at the card's min_person_score {at['min_person_score']:.3f}: precision {at['precision']:.3f}, "
            f"recall {at['recall']:.3f} (OKS 0.5)",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate",
        description="COCO keypoint accuracy of a model on annotated photos, and the milliseconds it takes.",
    )
    parser.add_argument("--model", required=True, help="a card, a weight file beside its card, or an installed model")
    parser.add_argument("--annotations", required=True, type=Path, help="COCO person_keypoints JSON")
    parser.add_argument("--images", required=True, type=Path, help="folder of the photos it names")
    parser.add_argument("--short-side", type=int, default=368, help="short side of the network's input (368)")
    parser.add_argument("--scales", default="1", help="multiples of the short side, averaged, such as 1,1.5 (1)")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored photo")
    parser.add_argument("--limit", type=int, default=0, help="only so many photos, spread evenly (all)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write everything as JSON")
    DecodeOptions.add_arguments(parser)
    BackendOptions.add_arguments(parser)
    parser.set_defaults(precision="float32")
    return parser
