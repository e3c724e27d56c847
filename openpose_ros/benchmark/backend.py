"""``benchmark backend``: a frame on every backend, precision and input size, with crowds of several sizes.

The network works on a picture as always, but people are found in rendered fields of a crowd, which lie where the
network's own do: how many there are decides what a decoder costs. Beside each row, in the same run: the network as
PyTorch runs it by itself, and the decoder on the host.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from array_api_compat import to_device

from openpose_ros.backends import SOURCES, Backend, BackendError, frames_of, make
from openpose_ros.backends.tensorrt_engine import EngineMissingError, export_command
from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.benchmark.table import summary, timed
from openpose_ros.benchmark.untrained import UNTRAINED
from openpose_ros.card import Card
from openpose_ros.decode import decode
from openpose_ros.device import forget_peak, gpu_memory, on_gpu
from openpose_ros.estimator import Estimator, Job
from openpose_ros.fields import Fields
from openpose_ros.machine import resident_mib
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.preprocess import Batch, Image, plan, prepare

_log = logging.getLogger(__name__)

STAGES = ("preprocess", "upload", "resize", "network", "peaks", "limbs", "copy", "assemble")
"""In the order of the frame's way. Where images are resized on the GPU, preprocess is what the host does for it."""

WARM_UP = 8
"""Frames that do not count; after them graphs are recorded and clocks are up."""

IN_FLIGHT = 2
"""Frames of which the people are not fetched yet, as in predict; a node has as many."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        cards: networks.
        backends: names of backends; those that do not work here are told and left out.
        precisions: as in BackendOptions.
        sizes: (height, width) of the network's input.
        people: how many the fields show.
        repeats: frames of each measurement.
        options: device and threads.
    """

    cards: tuple[Card, ...]
    backends: tuple[str, ...] = tuple(SOURCES)
    precisions: tuple[str, ...] = ("auto", "float32")
    sizes: tuple[Size, ...] = ((256, 456), (368, 656), (736, 1312))
    people: tuple[int, ...] = (1, 20, 100)
    repeats: int = 100
    options: BackendOptions = field(default_factory=BackendOptions)


def rows(wanted: Plan) -> Iterator[dict[str, Any]]:
    """One row for each network, backend, precision, input size and number of people.

    Times are medians in milliseconds with the 95th percentile beside them: of the stages, and of ``total``, from the
    picture to the people, one frame after the other. On a GPU upload, resize, network, peaks, limbs and copy are by its
    clock; ``candidates_ms`` are the last three together. ``network_share`` is the network's part of ``total``.
    ``frames_per_second`` is with two frames in flight, ``in_flight_ms`` the time from the picture to the people then.
    ``eager`` is how many times faster the network is than in PyTorch's own way (``eager_ms``), ``host_decode`` how many
    times faster the decoder is than on the host, download included (``host_decode_ms``). ``memory_mib`` is the most of
    the GPU that was in use at once, the network included, else the process's resident size.

    Raises:
        BackendError: nothing that was asked for works here.
    """
    refusals, measured = [], False
    for card in wanted.cards:
        seen: set[tuple[str, str]] = set()
        eager: dict[tuple[str, Size], float | None] = {}
        for name in wanted.backends:
            for precision in wanted.precisions:
                try:
                    backend = _made(name, card, replace(wanted.options, precision=precision), wanted.sizes)
                except BackendError as error:
                    refusals.append(f"{name} in {precision}: {error}")
                    continue
                with closing(backend):
                    kind = (backend.name, backend.precision)
                    if kind in seen:
                        continue
                    seen.add(kind)
                    for size in wanted.sizes:
                        if (frames := frames_of(backend)) is not None:
                            frames.forget()  # what the sizes before it took
                        key = (backend.precision, size)
                        if key not in eager:
                            eager[key] = _eager(card, backend, size, wanted)
                        for row in _rows(backend, size, wanted, eager[key]):
                            measured = True
                            yield row
    for refusal in refusals:
        _log.warning("not measured: %s", refusal)
    if not measured:
        raise BackendError(f"nothing to measure: {'; '.join(refusals)}")


class Crowded:
    """A backend whose answers are replaced, after all its work, by fields that show somebody."""

    def __init__(self, backend: Backend, shown: Fields) -> None:
        self._backend, self._shown = backend, shown
        self.name, self.device, self.precision, self.card = (
            backend.name,
            backend.device,
            backend.precision,
            backend.card,
        )
        self.frames = frames_of(backend)

    def __call__(self, batch: Batch) -> Fields:
        return replace(self._backend(batch), heatmaps=self._shown.heatmaps, pafs=self._shown.pafs)

    def close(self) -> None:
        """The backend goes on."""


def _rows(backend: Backend, size: Size, wanted: Plan, eager: float | None) -> Iterator[dict[str, Any]]:
    name = f"{size[0]}x{size[1]}"
    inputs, decoding = InputOptions(input_size=name), DecodeOptions()
    image = _picture(size)
    for count in wanted.people:
        shown = _on_device(crowd_fields(count, *size, backend.card.skeleton), backend.device)
        forget_peak(backend.device)
        with closing(Estimator(Crowded(backend, shown), inputs, decoding)) as estimator:
            stages = _stages(estimator, image, wanted.repeats)
            rate, flights = _pipelined(estimator, image, wanted.repeats)
        used = gpu_memory(backend.device)
        network = summary(stages["network"])["median_ms"]
        here = summary(timed(lambda shown=shown: decode(shown, decoding), wanted.repeats))["median_ms"]  # type: ignore[misc]
        host = _host_decode(shown, decoding, wanted.repeats) if backend.device != "cpu" else None
        columns = {stage: summary(spent) for stage, spent in {**stages, "in_flight": flights}.items()}
        yield {
            "network": backend.card.name,
            "backend": backend.name,
            "precision": backend.precision,
            "size": name,
            "people": count,
            **{f"{stage}_ms": column["median_ms"] for stage, column in columns.items()},
            **{f"{stage}_p95_ms": column["p95_ms"] for stage, column in columns.items()},
            "decode_ms": here,
            "network_share": round(network / columns["total"]["median_ms"], 2),
            "frames_per_second": round(rate, 1),
            "eager_ms": eager,
            "eager": None if eager is None else round(eager / network, 2),
            "host_decode_ms": host,
            "host_decode": None if host is None else round(host / here, 2),
            "memory_mib": resident_mib() if used is None else used.most,
            "notes": backend.card.notes if backend.card.notes == UNTRAINED else "",
            "device": _device(backend.device),
            "software": _software(backend),
        }


def device_to_measure(wanted: str) -> str:
    """The device that the flags mean: with ``auto`` and a GPU there, what runs on the CPU alone is left out."""
    try:
        from openpose_ros.backends.torch import has_cuda
    except (ImportError, OSError):
        return wanted
    return "cuda" if wanted == "auto" and has_cuda() else wanted


def _stages(estimator: Estimator, image: Image, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of every frame, one after the other, by stage."""
    spent: dict[str, list[float]] = {}
    for frame in range(-WARM_UP, repeats):
        began = time.perf_counter()
        job = estimator.submit([image])
        job.result()
        found = {**job.milliseconds, "total": 1e3 * (time.perf_counter() - began)}
        found["candidates"] = sum(found.get(stage, 0.0) for stage in ("peaks", "limbs", "copy"))
        if frame >= 0:
            for stage in (*STAGES, "candidates", "total"):
                if stage in found:
                    spent.setdefault(stage, []).append(found[stage])
    return spent


def _pipelined(estimator: Estimator, image: Image, repeats: int) -> tuple[float, list[float]]:
    """Frames a second with two in flight, and the milliseconds of each from its submission to its people."""
    flying: deque[tuple[float, Job]] = deque()
    spent: list[float] = []
    began = time.perf_counter()
    for _ in range(repeats):
        flying.append((time.perf_counter(), estimator.submit([image])))
        if len(flying) == IN_FLIGHT:
            spent.append(_landed(*flying.popleft()))
    while flying:
        spent.append(_landed(*flying.popleft()))
    return repeats / (time.perf_counter() - began), spent


def _landed(submitted: float, job: Job) -> float:
    job.result()
    return 1e3 * (time.perf_counter() - submitted)


def _host_decode(shown: Fields, decoding: DecodeOptions, repeats: int) -> float:
    """Median milliseconds of the download of the fields and the decoder on the host."""

    def once() -> None:
        down = [np.asarray(to_device(maps, "cpu")) for maps in (shown.heatmaps, shown.pafs)]
        decode(replace(shown, heatmaps=down[0], pafs=down[1]), decoding)

    return summary(timed(once, repeats))["median_ms"]


def _eager(card: Card, backend: Backend, size: Size, wanted: Plan) -> float | None:
    """Median milliseconds of the network as PyTorch runs it by itself; None where it cannot."""
    try:
        from openpose_ros.backends.torch import EagerTorchBackend

        precision = "float16" if backend.precision == "int8" else backend.precision
        plain = EagerTorchBackend(card, replace(wanted.options, precision=precision, device=backend.device))
    except (ImportError, OSError, BackendError) as error:
        _log.info("no comparison with PyTorch's own way: %s", error)
        return None
    with closing(plain):
        image = _picture(size)
        grid = plan(image.shape[:2], InputOptions(input_size=f"{size[0]}x{size[1]}"), card.stride)
        batch = prepare([image], [grid], card.pad_value)
        if plain.frames is None:
            return summary(timed(lambda: plain(batch), wanted.repeats))["median_ms"]
        spent = []
        for frame in range(-WARM_UP, wanted.repeats):
            plain(batch)
            if frame >= 0:
                spent.append(plain.frames.clock.milliseconds()["network"])
        return summary(spent)["median_ms"]


def _made(name: str, card: Card, options: BackendOptions, sizes: Sequence[Size]) -> Backend:
    """The backend; where it lacks nothing but an engine, that is built first."""
    try:
        return make(name, card, options)
    except EngineMissingError as missing:
        command = [sys.executable, *export_command(card, missing.precision, sizes)[1:]]
        _log.warning("%s", missing)
        if subprocess.run(command).returncode:
            raise BackendError("and that did not work: its words stand above") from None
        return make(name, card, options)


def _picture(size: Size) -> Image:
    """Of twice the network's size, so that it is resized and nothing is padded."""
    return np.random.default_rng(0).integers(0, 256, (2 * size[0], 2 * size[1], 3), np.uint8)


def _on_device(fields: Fields, device: str) -> Fields:
    if device == "cpu":
        return fields
    return replace(fields, heatmaps=on_gpu(fields.heatmaps), pafs=on_gpu(fields.pafs))


def _device(device: str) -> str:
    """A GPU's name; whoever uses one has imported PyTorch."""
    torch = sys.modules.get("torch")
    return device if torch is None or device == "cpu" else f"{device}, {torch.cuda.get_device_name(device)}"


def _cupy() -> list[str]:
    """Version of the CuPy that is there, whichever package it came with."""
    module = sys.modules.get("cupy")
    return [] if module is None else [str(module.__version__)]


def _software(backend: Backend) -> str:
    """Versions of what runs the network and, on a GPU, the decoder."""
    packages = {"openvino": ("openvino",), "tensorrt": ("tensorrt", "tensorrt_rtx", "torch")}
    found = []
    if backend.device != "cpu":
        found = [f"CUDA {sys.modules['torch'].version.cuda}", *(f"cupy {known}" for known in _cupy())]
    for package in packages.get(backend.name, ("torch",)):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
