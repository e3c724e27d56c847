"""``export``: a network as an ONNX file that carries itself, compared with PyTorch at every step."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from openpose_ros.commands.flags import add_model
from openpose_ros.export import PRECISIONS

if TYPE_CHECKING:
    from openpose_ros.export.run import Exported, Order

ALL_TOLERANCES = "float32 0.001, float16 0.02, int8 0.1"

DESCRIPTION = """Write a network as an ONNX file that carries itself, and the card that says how to feed and read it.

NAME.onnx takes any batch, and any height and width in multiples of the network's stride. NAME.yaml is a card like any
other: predict, evaluate and the nodes take it as their model and run it with OpenVINO; TensorRT and other programs
read the ONNX file itself, which also holds what the card says.

  float32  what PyTorch computes. For other programs, and to begin with.
  float16  half the size; every number within is of that type. For GPUs: TensorRT takes types as they stand. A CPU
           computes it in float32, so it is compared with every result rounded to float16, too, as a GPU does.
  int8     a quarter of the size. For CPUs, through OpenVINO; for TensorRT too, which reads the same Q/DQ. Needs
           --calibration: photos of the kind that the camera will see, from which every tensor's range is taken.

Every step is compared with the network in PyTorch, on photos: the fields number by number, and the people. Where the
fields differ by more than --tolerance (the root mean square of the difference, as a share of the fields' own), nothing
is written. Of an int8 network so many convolutions stay in float32, the most sensitive first, that this holds.
With --annotations the AP is measured, too, and must not fall by more than --ap-loss."""

EXAMPLES = """examples:
  %(prog)s --precision float32 --output exported
  %(prog)s --model lightweight --precision int8 --calibration photos --output exported
  %(prog)s ... --annotations person_keypoints_val2017.json --images val2017    with the AP before and after
  %(prog)s --precision float16 --engine --sizes 368x656 256x456               what the tensorrt backend runs
  ros2 run openpose_ros predict --model exported/lightweight-int8.yaml --input photo.jpg"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if bool(arguments.annotations) != bool(arguments.images):
        parser.error("--annotations and --images go together")
    if arguments.engine and arguments.input == "uint8":
        parser.error("--engine takes --input float32: the tensorrt backend normalises on the GPU")
    try:
        with ExitStack() as opened:
            exported = _run(arguments, opened)
    except ImportError as error:
        return _failed(f"needs the Python package {error.name}, which is not installed: pip install {error.name}")
    except ValueError as error:  # of every kind that this package raises
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or arguments.output} cannot be written: {error.strerror}")
    except KeyboardInterrupt:
        return _failed("ended; nothing was written")
    weights = exported.card.verified_weights()
    print(f"weights  {weights} ({weights.stat().st_size / 1e6:.1f} MB, sha256 {exported.card.sha256[:12]}...)")
    print(f"card     {exported.card.path}")
    print(f"licence  {exported.card.licence}")
    return 0


def _run(arguments: argparse.Namespace, opened: ExitStack) -> Exported:
    # Only now, so that --help and bad usage answer at once.
    from openpose_ros.export.run import export

    if arguments.engine:
        from openpose_ros.export.engine import build_engine, gpu_here

        gpu_here(arguments.device)
    order = _order(arguments, opened)
    exported = export(order, _say)
    if arguments.engine:
        build_engine(exported, order, arguments.sizes, arguments.batch, arguments.device, _say)
    return exported


def _order(arguments: argparse.Namespace, opened: ExitStack) -> Order:
    """What the flags ask for; photos are looked for, and read later."""
    from openpose_ros.card import Card
    from openpose_ros.demo.photos import demo_photos
    from openpose_ros.evaluation.coco import AnnotatedPhotos
    from openpose_ros.export.pictures import Photos
    from openpose_ros.export.run import Order
    from openpose_ros.weights.catalogue import cache_folder, find_card
    from openpose_ros.weights.default import default_model

    card = Card.load(find_card(arguments.model) if arguments.model else default_model())
    photos = arguments.photos
    if photos is None:
        photos = Path(opened.enter_context(TemporaryDirectory(prefix="openpose_ros")))
        demo_photos(photos)
    annotated = None
    if arguments.annotations:
        annotated = AnnotatedPhotos(arguments.annotations, arguments.images, arguments.limit)
    return Order(
        card=card,
        precision=arguments.precision,
        folder=arguments.output or cache_folder(),
        photos=Photos(photos, arguments.photos_limit),
        calibration=Photos(arguments.calibration, arguments.calibration_limit) if arguments.calibration else None,
        name=arguments.name,
        takes_bytes=arguments.input == "uint8",
        short_side=arguments.short_side,
        tolerance=arguments.tolerance,
        annotated=annotated,
        annotations=arguments.annotations.name if arguments.annotations else "",
        ap_loss=arguments.ap_loss,
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _failed(reason: str) -> int:
    print(f"export: {reason}", file=sys.stderr)
    return 1


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or not int(match[1]) * int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no height x width such as 368x656")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 100.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 100")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="export",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=110),
        allow_abbrev=False,
    )
    add_model(parser)
    what = parser.add_argument_group("what is written")
    what.add_argument("--precision", required=True, choices=PRECISIONS, help="of the file: see above")
    what.add_argument(
        "--output", type=Path, metavar="DIR", help="folder (default: this user's cache, where models go by name)"
    )
    what.add_argument("--name", default="", help="of the file and its card (default: the model's and the precision)")
    what.add_argument(
        "--input", default="float32", choices=("float32", "uint8"),
        help="float32: normalised, B x 3 x H x W; uint8: a camera's BGR bytes, B x H x W x 3, which the file "
        "normalises by itself (float32)",
    )  # fmt: skip
    seen = parser.add_argument_group("photos")
    seen.add_argument(
        "--photos", type=Path, metavar="DIR", help="on which PyTorch and the file are compared (the demo's)"
    )
    seen.add_argument("--photos-limit", type=_count, default=12, metavar="N", help="only so many of them (12)")
    seen.add_argument("--calibration", type=Path, metavar="DIR", help="from which int8 takes its ranges")
    seen.add_argument(
        "--calibration-limit", type=_count, default=400, metavar="N", help="only so many of them, spread evenly (400)"
    )
    seen.add_argument("--short-side", type=_count, default=368, metavar="PX", help="of the network's input (368)")
    held = parser.add_argument_group("what must hold")
    held.add_argument(
        "--tolerance", type=_positive, default=0.0, metavar="X", help=f"relative difference ({ALL_TOLERANCES})"
    )
    held.add_argument("--annotations", type=Path, metavar="JSON", help="COCO person_keypoints: measure the AP")
    held.add_argument("--images", type=Path, metavar="DIR", help="folder of the photos that it names")
    held.add_argument("--limit", type=int, default=0, metavar="N", help="only so many of them, spread evenly (all)")
    held.add_argument("--ap-loss", type=_positive, default=0.5, metavar="AP", help="most AP that may be lost (0.5)")
    engine = parser.add_argument_group("TensorRT")
    engine.add_argument("--engine", action="store_true", help="then build an engine, for the tensorrt backend")
    engine.add_argument(
        "--sizes", type=_size, nargs="+", default=[(368, 656), (256, 456)], metavar="HxW",
        help="of the network's input, the usual one first (368x656 256x456); others run, slower",
    )  # fmt: skip
    engine.add_argument("--batch", type=_count, default=1, metavar="N", help="images at once, at most (1)")
    engine.add_argument("--device", default="auto", help="GPU that it is for: auto, cuda or cuda:N (auto)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
