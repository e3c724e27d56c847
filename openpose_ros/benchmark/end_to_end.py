"""``benchmark end-to-end``: a pose_node as a process of its own, from the stamp of an image to its people on ``poses``.

For every network, size of its input and size of the camera: the highest rate whose loss stays below a bound, and what
is lost and how late people are at fixed rates; beside it the network alone, the accuracy on annotated photos, and the
same network with the decoder of the textbooks.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm

from openpose_ros.benchmark.baseline import TextbookEstimator
from openpose_ros.benchmark.peak import Trial, peak
from openpose_ros.benchmark.process import held
from openpose_ros.benchmark.table import timed
from openpose_ros.demo.photos import PORTRAITS, crowd, portrait
from openpose_ros.demo.processes import NodeEndedError, Nodes, isolate
from openpose_ros.estimator import Estimator
from openpose_ros.media import MediaError
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.preprocess import Image, plan, prepare

if TYPE_CHECKING:
    from openpose_ros.evaluation.coco import AnnotatedPhotos

NODE = "pose_node"
TEXTBOOK = "openpose_ros.ros.textbook_node"

ALONE = 20
"""Calls of the network alone to take the median of."""

COLUMNS = (
    "decoder", "backend", "precision", "size", "camera", "mode", "offered", "fps", "loss_percent", "latency_ms_median",
    "latency_ms_p95", "network_ms_median", "overhead_percent", "cpu_ms", "network_cpu_ms", "cpu_percent",
    "camera_cpu_percent", "memory_mb", "AP",
)  # fmt: skip
"""Of the table on the screen."""


@dataclass(frozen=True)
class Setup:
    """What runs in the node: a network, how, and with which decoder."""

    model: str
    options: BackendOptions
    textbook: bool = False


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        setups: one after the other.
        sizes: of the network's input, (height, width).
        cameras: (width, height) of the images; none measures the accuracy alone.
        rates: images a second, besides the highest possible.
        seconds: of a trial at one rate.
        loss: share of the images that may be lost at the peak rate.
        photos: annotated photos for the accuracy; None leaves it out.
    """

    setups: tuple[Setup, ...]
    sizes: tuple[tuple[int, int], ...]
    cameras: tuple[tuple[int, int], ...]
    rates: tuple[float, ...]
    seconds: float
    loss: float
    photos: AnnotatedPhotos | None = None


def rows(plan_: Plan) -> Iterator[dict[str, Any]]:
    """One row for each setup, size, camera and rate; see ``COLUMNS``.

    ``fps`` are the images a second that had an answer, ``offered`` those that were sent. ``network_ms_median`` is of
    the network alone, in a process without ROS. ``overhead_percent`` (of the peak only) is the share of the time
    between two results in which the network alone would not have been busy; the camera's work, in another process on
    the same cores, is part of that. ``AP`` is of photos with a short side as high as the input.

    Raises:
        ModuleNotFoundError: ROS 2 is missing; the text says so.
        ChildProcessError: a node ended or did not answer.
        MediaError: no photo for the camera to show is installed.
    """
    if not plan_.cameras:
        for setup in plan_.setups:
            for size in plan_.sizes:
                yield {**alone(setup, size, None, plan_.photos), "mode": "accuracy"}
        return
    try:
        from openpose_ros.ros import course
    except ImportError as error:
        raise ModuleNotFoundError(
            f"end-to-end needs ROS 2 and the built openpose_msgs, and {error.name or error} is missing"
        ) from None
    isolate()
    shown = {camera: pictures(*camera) for camera in plan_.cameras}
    for setup in plan_.setups:
        for size in plan_.sizes:
            about = alone(setup, size, shown[plan_.cameras[0]][0], plan_.photos)
            try:
                yield from _through_ros(course, setup, size, shown, about, plan_)
            except (NodeEndedError, course.CourseError) as error:
                raise ChildProcessError(f"{about['backend']} {about['precision']} {about['size']}: {error}") from None


def pictures(width: int, height: int) -> list[Image]:
    """What the camera sees: one person, another one, and a crowd, in pictures of that size."""
    portraits = [image for name in PORTRAITS if (image := portrait(name)) is not None]
    if not portraits:
        packages = " or ".join(package for package, _ in PORTRAITS.values())
        raise MediaError(f"the photos that the camera shows come with {packages}: pip install {packages.split()[0]}")
    return [_filling(image, width, height) for image in (*portraits, crowd(portraits))]


def alone(setup: Setup, size: tuple[int, int], picture: Image | None, photos: AnnotatedPhotos | None) -> dict[str, Any]:
    """What is the same for every camera: names, the network's milliseconds on a picture, and AP on photos."""
    kind = TextbookEstimator if setup.textbook else Estimator
    with closing(kind.load(setup.model, **asdict(setup.options))) as estimator:
        backend, card = estimator.backend, estimator.card
        found: dict[str, Any] = {
            "decoder": "textbook" if setup.textbook else "openpose_ros",
            "model": card.name,
            "backend": backend.name,
            "precision": backend.precision,
            "size": f"{size[0]}x{size[1]}",
        }
        if picture is not None:
            wanted = InputOptions(input_size=found["size"])
            batch = prepare([picture], [plan(picture.shape[:2], wanted, card.stride)], card.pad_value)
            backend(batch)  # a new size takes longer once
            before = time.process_time()
            spent = timed(lambda: backend(batch), ALONE)
            found["network_ms_median"] = round(statistics.median(spent), 2)
            found["network_cpu_ms"] = round(1e3 * (time.process_time() - before) / (ALONE + 1), 2)
        if photos is not None:
            from openpose_ros.evaluation.run import run

            estimator.inputs = replace(estimator.inputs, input_size=str(size[0]))
            found["AP"] = round(photos.measure(run(estimator, photos, f"AP {found['size']}").people)["AP"], 2)
    return found


def _through_ros(
    course: Any,
    setup: Setup,
    size: tuple[int, int],
    shown: dict[tuple[int, int], list[Image]],
    about: dict[str, Any],
    plan_: Plan,
) -> Iterator[dict[str, Any]]:
    """The rows of one node, camera after camera."""
    parameters = {"model": setup.model, **asdict(setup.options), "input_size": about["size"], "report_period": 0.0}
    with Nodes() as nodes:
        nodes.start(NODE, parameters, module=TEXTBOOK if setup.textbook else "")
        pid = nodes.pid(NODE)
        for camera, seen in shown.items():
            with closing(course.Course(seen, pid, nodes.check)) as way:
                way.begin()
                name = f"{about['decoder']} {about['backend']} {about['size']} {camera[0]}x{camera[1]}"
                with tqdm(desc=name, unit="trial", leave=False, disable=not sys.stderr.isatty()) as bar:
                    for mode, trial in _trials(way, plan_, bar.update):
                        measured = _row(mode, trial, about["network_ms_median"])
                        memory = {"memory_mb": round(held(pid).megabytes, 1)}
                        yield {**about, "camera": f"{camera[0]}x{camera[1]}", **measured, **memory}


def _trials(way: Any, plan_: Plan, done: Callable[[], Any]) -> Iterator[tuple[str, Trial]]:
    def trial(rate: float) -> Trial:
        result: Trial = way.drive(rate, plan_.seconds)
        done()
        return result

    best = peak(trial, way.capacity(plan_.seconds), plan_.loss)
    yield "peak", best or Trial(plan_.seconds, 0)
    for rate in plan_.rates:
        yield f"{rate:g} Hz", trial(rate)


def _row(mode: str, trial: Trial, network: float) -> dict[str, Any]:
    median, late = trial.latency_ms(50), trial.latency_ms(95)
    found: dict[str, Any] = {
        "mode": mode,
        "offered": round(trial.offered, 2),
        "fps": round(trial.answered, 2),
        "loss_percent": round(100.0 * trial.loss, 2),
        "latency_ms_median": None if median is None else round(median, 2),
        "latency_ms_p95": None if late is None else round(late, 2),
        "cpu_ms": round(1e3 * trial.cpu / len(trial.latencies), 2) if trial.latencies else None,
        "cpu_percent": round(100.0 * trial.cpu / trial.seconds, 1),
        "camera_cpu_percent": round(100.0 * trial.own_cpu / trial.seconds, 1),
    }
    if mode == "peak" and trial.latencies:
        found["overhead_percent"] = round(100.0 - 0.1 * network * trial.answered, 1)
    return found


def versus(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each size and camera at which our decoder and that of the textbooks were measured."""
    peaks = [row for row in found if row["mode"] == "peak"]
    for plain in (row for row in peaks if row["decoder"] == "textbook"):
        for own in (row for row in peaks if row["decoder"] != "textbook"):
            if (own["size"], own["camera"]) == (plain["size"], plain["camera"]) and plain["fps"]:
                yield (
                    f"{own['size']}, camera {own['camera']}: {own['model']} in {own['precision']} {own['fps']:.1f} "
                    f"frames/s, {own['fps'] / plain['fps']:.2f} times those of {plain['model']} in "
                    f"{plain['precision']} with the textbook's decoder"
                )


def with_accuracy(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of speed, each with the AP that was measured of its configuration, in whatever run."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("decoder", "model", "backend", "precision", "size"))

    measured = {key(row): row["AP"] for row in found if row.get("AP") is not None}
    return [{**row, "AP": measured.get(key(row))} for row in found if row["mode"] != "accuracy"]


def at_equal_accuracy(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """For each configuration with the textbook's decoder, the fastest of ours that is at least as accurate."""
    peaks = [row for row in with_accuracy(found) if row["mode"] == "peak" and row["AP"] is not None and row["fps"]]
    for plain in (row for row in peaks if row["decoder"] == "textbook"):
        good = [
            row
            for row in peaks
            if row["decoder"] != "textbook" and row["camera"] == plain["camera"] and row["AP"] >= plain["AP"]
        ]
        if good:
            best = max(good, key=lambda row: float(row["fps"]))
            yield (
                f"camera {plain['camera']}: {best['model']} at {best['size']} is as accurate as {plain['model']} with "
                f"the textbook's decoder at {plain['size']} (AP {best['AP']:.1f} and {plain['AP']:.1f}) at "
                f"{best['fps'] / plain['fps']:.2f} times its frames/s ({best['fps']:.1f} and {plain['fps']:.1f})"
            )


def _filling(image: Image, width: int, height: int) -> Image:
    """The middle of a photo, scaled so that it fills a picture of that size."""
    scale = max(width / image.shape[1], height / image.shape[0])
    size = max(width, round(scale * image.shape[1])), max(height, round(scale * image.shape[0]))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width], np.uint8)
