"""``benchmark``: what a frame costs, stage by stage."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from openpose_ros.benchmark import decode, lifting, memory, table, tracking
from openpose_ros.commands.accuracy import ACCURACY, accuracy_flags, measure_accuracy
from openpose_ros.commands.backends import ABOUT, backend_flags, measure
from openpose_ros.commands.end_to_end import end_to_end_flags, end_to_end_plan
from openpose_ros.estimator import Estimator
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions, TrackOptions

LIMITS = Path(__file__).resolve().parents[2] / "config" / "parade.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    arguments.command = "python -m openpose_ros benchmark " + shlex.join(given)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark: ended", file=sys.stderr)
        return 130
    return 0


def _decode(arguments: argparse.Namespace) -> None:
    estimator = _estimator(arguments) if arguments.model or arguments.backend == "synthetic" else None
    rows = list(decode.rows(decode.Plan(tuple(arguments.sizes), tuple(arguments.people), arguments.repeats, estimator)))
    print(table.show(rows, ("stage", "size", "people", "median_ms", "p95_ms", "speedup_vs_textbook")))
    for size in dict.fromkeys(row["size"] for row in rows):
        for count in arguments.people:
            own = sum(
                row["median_ms"]
                for row in rows
                if row["size"] == size
                and row["people"] in (None, count)
                and row["stage"] in ("convert", "preprocess", "decode", "message", "publish")
            )
            print(f"{size}, {count} people: everything but the network {own:.2f} ms a frame")
    if arguments.json:
        table.save(arguments.json, "decode", rows, arguments.command)


def _memory(arguments: argparse.Namespace) -> None:
    rows = memory.rows(_estimator(arguments), arguments.frames)
    print(table.show(rows, ("frames", "resident_mb")))
    if arguments.json:
        table.save(arguments.json, "memory", rows, arguments.command)


def _end_to_end(arguments: argparse.Namespace) -> None:
    from openpose_ros.benchmark import end_to_end

    rows = list(end_to_end.rows(end_to_end_plan(arguments)))
    print(table.show(rows, end_to_end.COLUMNS))
    print("\n".join([*end_to_end.versus(rows), *end_to_end.at_equal_accuracy(rows)]))
    if arguments.json:
        table.save(arguments.json, "end_to_end", rows, arguments.command)


def _lifting(arguments: argparse.Namespace) -> None:
    rows = list(lifting.rows(arguments.people, arguments.scenes, arguments.repeats))
    columns = ("room", "people", "reading", "joints", "placed", "surface_mm", "surface_p95_mm", "outliers")
    print(table.show(rows, (*columns, "centre_mm", "hidden", "hidden_astray", "median_ms", "p95_ms")))
    if arguments.json:
        table.save(arguments.json, "lifting", rows, arguments.command)


def _parade(arguments: argparse.Namespace) -> None:
    from openpose_ros.benchmark import parade

    limits = parade.Limits.load(arguments.limits)
    estimator = _estimator(arguments)
    estimator.decode = DecodeOptions.from_mapping({**asdict(estimator.decode), **estimator.card.thresholds()})
    with tempfile.TemporaryDirectory(prefix="openpose_ros_") as folder:
        row = parade.measure(estimator, Path(folder))
    print(table.show([row], tuple(row)))
    if arguments.json:
        table.save(arguments.json, "parade", [row], arguments.command)
    if broken := limits.broken(row):
        raise ValueError("; ".join(broken))


def _soak(arguments: argparse.Namespace) -> None:
    from openpose_ros.benchmark import soak

    options = BackendOptions.from_arguments(arguments)
    rows, trouble = soak.rows(arguments.minutes, arguments.size, arguments.rate, arguments.model, options)
    print(table.show(rows, ("what", "value", "unit", "about")))
    if arguments.json:
        table.save(arguments.json, "soak", rows, arguments.command)
    if trouble:
        raise ValueError("; ".join(trouble))
    print("Nothing that the node received was lost without being counted, and it answered after everything.")


def _loader(arguments: argparse.Namespace) -> None:
    from openpose_ros.benchmark import loader
    from openpose_ros.training.config import load

    config = load(arguments.config, ["name=benchmark", *arguments.settings])
    rows = list(loader.rows(config, arguments.workers, arguments.crops))
    print(table.show(rows, ("what", "workers", "median_ms", "p95_ms", "crops_per_second", "per_worker")))
    if arguments.json:
        table.save(arguments.json, "loader", rows, arguments.command)


def _training(arguments: argparse.Namespace) -> None:
    from openpose_ros.training import cost
    from openpose_ros.training.config import load

    config = load(arguments.config, ["name=benchmark", *arguments.settings])
    rows = list(cost.rows(config, arguments.steps))
    print(table.show(rows, ("what", "mean_ms", "crops_per_second", "share")))
    if arguments.json:
        table.save(arguments.json, "training", rows, arguments.command)


def _tracking(arguments: argparse.Namespace) -> None:
    options = TrackOptions.from_arguments(arguments)
    rows = {
        "identity": list(tracking.identity(options, arguments.seeds)),
        "smoothing": list(tracking.smoothing(options, arguments.seeds)),
        "cost": list(tracking.cost(options, arguments.people, arguments.repeats)),
    }
    print("\n\n".join(f"{kind}\n{table.show(some, list(some[0]))}" for kind, some in rows.items()))
    if arguments.json:
        table.save(
            arguments.json,
            "tracking",
            [{"what": k} | row for k, some in rows.items() for row in some],
            arguments.command,
        )


def _transport(arguments: argparse.Namespace) -> None:
    from openpose_ros.ros import transport_cost

    plan = transport_cost.Plan(tuple(arguments.sizes), arguments.images, arguments.rate, arguments.repeats)
    rows = list(transport_cost.rows(plan))
    print(table.show(rows, list(rows[0])))
    if arguments.json:
        table.save(arguments.json, "transport", rows, arguments.command)


def _estimator(arguments: argparse.Namespace) -> Estimator:
    options = BackendOptions.from_arguments(arguments)
    return Estimator.load(
        arguments.model, **asdict(options),
        inputs=InputOptions(input_size=getattr(arguments, "size", "256x456")),
    )  # fmt: skip


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or int(match[1]) % 8 or int(match[2]) % 8 or not int(match[1]) * int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no height x width in multiples of 8 such as 368x656")
    return int(match[1]), int(match[2])


def _camera_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or min(int(match[1]), int(match[2])) < 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no width x height in pixels, 16 to 9999, such as 640x480")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.05 <= minutes <= 1e5:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 0.05 to 100000")
    return minutes


def _workers(text: str) -> int:
    if not text.isdigit() or int(text) > 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 256")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmark", description="What a frame costs, stage by stage.")
    kinds = parser.add_subparsers(
        required=True,
        metavar="accuracy|backend|decode|end-to-end|lifting|memory|loader|parade|soak|tracking|training|transport",
    )

    about = "AP of every network at hand on annotated photos, with one look and with two scales and mirrored, and ms"
    accurate = kinds.add_parser("accuracy", help=about, description=about + ".", epilog=ACCURACY)
    accurate.set_defaults(run=measure_accuracy)
    accuracy_flags(accurate, _count)

    whole = kinds.add_parser("backend", help=ABOUT)
    whole.set_defaults(run=measure)
    backend_flags(whole)

    about = "every stage of a frame for input sizes and numbers of people, beside a textbook decoder in the same run"
    stages = kinds.add_parser("decode", help=about, description=about.capitalize() + ".")
    stages.set_defaults(run=_decode)
    stages.add_argument(
        "--sizes", type=_size, nargs="+", default=[(256, 456), (368, 656)], metavar="HxW",
        help="sizes of the network's input, height x width (256x456 368x656)",
    )  # fmt: skip
    stages.add_argument(
        "--people", type=_count, nargs="+", default=[1, 5, 20, 100], help="numbers of people (1 5 20 100)"
    )
    stages.add_argument("--repeats", type=_count, default=100, help="calls to take the median of (100)")
    stages.add_argument("--model", default="", help="also measure this network: a card or an installed model")

    about = "pose_node through real topics: peak rate, latency, loss, CPU and accuracy, beside a textbook decoder"
    through = kinds.add_parser("end-to-end", help=about, description=about + ".")
    through.set_defaults(run=_end_to_end)
    end_to_end_flags(through)

    about = "places in space from rendered depth: error in millimetres, beside the reading of one pixel, and cost"
    places = kinds.add_parser("lifting", help=about, description=about.capitalize() + ".")
    places.set_defaults(run=_lifting)
    places.add_argument("--people", type=_count, nargs="+", default=[1, 5, 20], help="numbers of people (1 5 20)")
    places.add_argument("--scenes", type=_count, default=20, help="rooms of each kind and number (20)")
    places.add_argument("--repeats", type=_count, default=200, help="calls to take the median of (200)")

    about = "resident size of the process over many frames"
    growth = kinds.add_parser("memory", help=about, description=about.capitalize() + ".")
    growth.set_defaults(run=_memory)
    growth.add_argument("--frames", type=_count, default=10_000, help="how many (10000)")
    growth.add_argument("--size", default="128x224", metavar="HxW", help="size of the network's input (128x224)")
    growth.add_argument("--model", default="", help="card or installed model; none with --backend synthetic")

    about = "people who walk through a recorded bag: recall, ghosts, id switches and time, against limits"
    walk = kinds.add_parser("parade", help=about, description=about.capitalize() + ".")
    walk.set_defaults(run=_parade, size="368")
    walk.add_argument("--model", default="", help="card or installed model (default: the best there is)")
    walk.add_argument(
        "--limits", type=Path, default=LIMITS, metavar="FILE", help="YAML with limits (config/parade.yaml)"
    )

    about = "hours of what may happen to a pose_node, and whether every image is accounted for"
    service = kinds.add_parser("soak", help=about, description=about.capitalize() + ".")
    service.set_defaults(run=_soak)
    service.add_argument("minutes", type=_minutes, help="how long; up to one of them is overload")
    service.add_argument("--rate", type=_count, default=30, help="images a second of the camera (30)")
    service.add_argument(
        "--size", type=_camera_size, default=(640, 480), metavar="WxH", help="of its images, width x height (640x480)"
    )
    service.add_argument(
        "--model", default="", help="card or installed model (default: none, with the synthetic backend)"
    )

    about = "crops a second that the training's loader delivers, and where the time goes"
    crops = kinds.add_parser("loader", help=about, description=about.capitalize() + ".")
    crops.set_defaults(run=_loader)
    crops.add_argument("--workers", type=_workers, nargs="+", default=[0, 1, 2], help="loader processes (0 1 2)")
    crops.add_argument("--crops", type=_count, default=512, help="how many to load each time (512)")

    about = "what a training step costs: the network alone, with targets and light, with the loader"
    steps = kinds.add_parser("training", help=about, description=about.capitalize() + ".")
    steps.set_defaults(run=_training)
    steps.add_argument("--steps", type=_count, default=20, help="how many of each kind (20)")
    about = "how often ids change in synthetic scenes, what smoothing does to joints, and what both cost"
    follow = kinds.add_parser("tracking", help=about, description=about.capitalize() + ".")
    follow.set_defaults(run=_tracking)
    follow.add_argument("--seeds", type=_count, default=30, help="scenes of each kind (30)")
    follow.add_argument(
        "--people",
        type=_count,
        nargs="+",
        default=[1, 5, 20, 100],
        help="numbers of people whose cost to measure (1 5 20 100)",
    )
    follow.add_argument("--repeats", type=_count, default=300, help="images to take the median of (300)")
    TrackOptions.add_arguments(follow, skip=("track",))

    about = "images from one process to another: latency, CPU and loss, with Fast DDS as it comes and with our profile"
    transport = kinds.add_parser("transport", help=about, description=about.capitalize() + ".")
    transport.set_defaults(run=_transport)
    transport.add_argument(
        "--sizes", type=_camera_size, nargs="+", default=[(640, 480), (1280, 720), (1920, 1080)], metavar="WxH",
        help="sizes of the images, width x height (640x480 1280x720 1920x1080)",
    )  # fmt: skip
    transport.add_argument("--images", type=_count, default=90, help="how many in each run (90)")
    transport.add_argument("--rate", type=_count, default=30, help="images a second (30)")
    transport.add_argument("--repeats", type=_count, default=3, help="runs to take the median of (3)")

    for kind in (crops, steps):
        kind.add_argument("-c", "--config", action="append", default=[], metavar="FILE", help="YAML, as for train")
        kind.add_argument("settings", nargs="*", metavar="key=value", help="single settings, as for train")
    for kind in (accurate, stages, through, growth, walk, service):
        BackendOptions.add_arguments(kind)
    accurate.set_defaults(precision="float32")
    for kind in (accurate, whole, stages, through, places, growth, walk, service, crops, steps, follow, transport):
        kind.add_argument("--json", type=Path, metavar="OUT", help="write the rows, the command and the hardware")
    return parser
