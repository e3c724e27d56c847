"""``evaluate``: COCO accuracy and milliseconds of a model on annotated photos."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator
    from openpose_ros.evaluation.coco import AnnotatedPhotos
    from openpose_ros.evaluation.versus import Other
    from openpose_ros.people import People

USAGE = "%(prog)s --model MODEL --annotations JSON --images DIR [other options]"

EXAMPLES = """examples:
  %(prog)s --model MODEL --annotations person_keypoints_val2017.json --images val2017 --json out.json
  %(prog)s ... --versus complete=true                 is completing worth it?
  %(prog)s ... --versus OTHER scales=1,1.5 flip=true  another network, set otherwise
  %(prog)s ... --versus people.json                   people found earlier (--people), or by another program

settings of the decoder and the backend (config/pose.yaml says what each one does):
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _arguments(argv)
    for path in (arguments.json, arguments.people, arguments.worst):
        if path and not path.absolute().parent.is_dir():
            return _failed(f"there is no folder {path.parent} for {path.name}", 2)

    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.estimator import Estimator
    from openpose_ros.evaluation.coco import AnnotatedPhotos, DatasetError
    from openpose_ros.evaluation.report import about_split, table
    from openpose_ros.evaluation.split import load_split
    from openpose_ros.evaluation.versus import read_other
    from openpose_ros.media import MediaError

    with ExitStack() as opened:
        try:
            split = load_split(arguments.split) if arguments.split else None
            only = None if split is None else split.ids
            photos = AnnotatedPhotos(arguments.annotations, arguments.images, arguments.limit, only)
            inputs = InputOptions.from_mapping(
                {"input_size": str(arguments.short_side), "scales": arguments.scales, "flip": arguments.flip}
            )
            decode, backend = DecodeOptions.from_arguments(arguments), BackendOptions.from_arguments(arguments)
            other = read_other(arguments.versus, arguments.model, inputs, decode, backend) if arguments.versus else None
            estimator = Estimator.load(arguments.model, **asdict(backend), inputs=inputs, decode=decode)
            opened.enter_context(closing(estimator))
            rival: Estimator | list[People] | None = None
            if other is not None and other.results is not None:
                rival = photos.read_results(other.results)
            elif other is not None:
                rival = Estimator.load(other.model, **asdict(other.backend), inputs=other.inputs, decode=other.decode)
                opened.enter_context(closing(rival))
        except ValueError as error:
            return _failed(str(error), 2)
        try:
            report, people = _measured(estimator, photos, arguments)
            if split is not None:
                report["split"] = about_split(split, estimator)
            if other is not None and rival is not None:
                report["versus"] = _versus(photos, people, other, rival)
        except (DatasetError, MediaError) as error:
            return _failed(str(error), 1)
    print(table(report))
    if arguments.people:
        arguments.people.write_text(json.dumps(photos.results(people)) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _measured(
    estimator: Estimator, photos: AnnotatedPhotos, arguments: argparse.Namespace
) -> tuple[dict[str, Any], list[People]]:
    """The report on A, and the people it found."""
    from openpose_ros.evaluation.report import about_empty, about_worst, report
    from openpose_ros.evaluation.run import run, run_folder

    # A folder that is of no use is told before the work.
    nobody = run_folder(estimator, arguments.empty, "no people") if arguments.empty else None
    done = run(estimator, photos, estimator.card.name)
    result = report(estimator, photos, done, arguments.annotations.name)
    score = estimator.card.min_person_score
    if nobody is not None:
        result["empty"] = about_empty(nobody, arguments.empty.name, score)
    if arguments.worst:
        import cv2

        from openpose_ros.evaluation.worst import sheet, worst

        lost = worst(photos.photos, done.people, score, arguments.worst_count)
        title = f"{estimator.card.name}: the {len(lost)} photos of {len(photos)} that lose most"
        under = f"Left: annotated. Right: found with a person score of {score:.3f} or more, and the OKS of each."
        cv2.imwrite(str(arguments.worst), sheet(lost, title, under, estimator.card.min_joint_score))
        result["worst"] = about_worst(lost)
    return result, done.people


def _versus(
    photos: AnnotatedPhotos, people: list[People], other: Other, rival: Estimator | list[People]
) -> dict[str, Any]:
    """How B, an estimator or what was found earlier, differs from A."""
    from openpose_ros.evaluation.bootstrap import compare
    from openpose_ros.evaluation.report import about_versus
    from openpose_ros.evaluation.run import run

    if isinstance(rival, list):
        return about_versus(other.name, compare(photos, people, rival), None)
    done = run(rival, photos, other.name)
    return about_versus(other.name, compare(photos, people, done.people), done)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed in two steps, so that --help shows the many settings by name only."""
    settings = argparse.ArgumentParser(prog="evaluate", usage=USAGE, add_help=False, allow_abbrev=False)
    DecodeOptions.add_arguments(settings)
    BackendOptions.add_arguments(settings)
    settings.set_defaults(precision="float32")
    arguments, rest = _parser().parse_known_args(argv)
    return settings.parse_args(rest, arguments)


def _parser() -> argparse.ArgumentParser:
    names = [option.name for options in (DecodeOptions, BackendOptions) for option in options.options()]
    flags = [f"--{name.replace('_', '-')}" for name in names]
    lines = ["  " + "  ".join(flags[first : first + 6]) for first in range(0, len(flags), 6)]
    parser = argparse.ArgumentParser(
        prog="evaluate",
        usage=USAGE,
        description="COCO keypoint accuracy of a model on annotated photos, and the milliseconds it takes.",
        epilog=EXAMPLES + "\n".join(lines),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=110),
        allow_abbrev=False,
    )
    given = parser.add_argument_group("what is evaluated")
    given.add_argument("--model", required=True, help="a card, a weight file beside its card, or an installed model")
    given.add_argument("--annotations", required=True, type=Path, metavar="JSON", help="COCO person_keypoints")
    given.add_argument("--images", required=True, type=Path, metavar="DIR", help="folder of the photos it names")
    given.add_argument("--split", metavar="NAME", help="only these photos: coco2014-val-1k, or a text file of ids")
    given.add_argument("--limit", type=int, default=0, metavar="N", help="only so many photos, spread evenly (all)")
    given.add_argument("--empty", type=Path, metavar="DIR", help="photos without people: who is found there?")
    seen = parser.add_argument_group("what the network sees")
    seen.add_argument("--short-side", type=int, default=368, metavar="PX", help="short side of its input (368)")
    seen.add_argument("--scales", default="1", help="multiples of the short side, averaged, such as 1,1.5 (1)")
    seen.add_argument("--flip", action="store_true", help="average with the mirrored photo")
    told = parser.add_argument_group("what is told")
    told.add_argument(
        "--versus", nargs="+", metavar="B", help="compare with B by a paired bootstrap: a model, settings, or both"
    )
    told.add_argument("--worst", type=Path, metavar="JPG", help="draw the photos that lose most")
    told.add_argument("--worst-count", type=int, default=12, metavar="N", help="how many of them (12)")
    told.add_argument("--people", type=Path, metavar="JSON", help="write the people found, as COCO results")
    told.add_argument("--json", type=Path, metavar="JSON", help="write the whole report")
    return parser


def _failed(reason: str, code: int) -> int:
    print(f"evaluate: {reason}", file=sys.stderr)
    return code
