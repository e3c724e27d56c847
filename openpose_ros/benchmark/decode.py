"""``benchmark decode``: every stage of a frame, for input sizes and numbers of people, beside a textbook decoder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.benchmark.table import summary, timed
from openpose_ros.decode import candidates, people
from openpose_ros.decode.decoder import array_candidates
from openpose_ros.device import Cuda, has_gpu, on_gpu
from openpose_ros.draw import draw
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation import textbook
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image, plan, prepare

_log = logging.getLogger(__name__)

try:
    from openpose_ros.ros import cost as _ros
except ImportError as error:
    _ros = None  # type: ignore[assignment]
    _log.warning("convert, message and publish are not measured: %s", error)

CAMERA = (480, 640)
"""Height and width of the camera image that is converted and resized."""

PICTURE = (720, 1280)
"""Height and width of the picture into which people are drawn."""

DECODE = ("peaks", "limbs", "assemble")


@dataclass(frozen=True)
class Plan:
    """What to measure: input sizes (height, width), numbers of people, repeats, and the network or None."""

    sizes: tuple[tuple[int, int], ...]
    people: tuple[int, ...]
    repeats: int
    estimator: Estimator | None


def rows(plan_: Plan) -> Iterator[dict[str, Any]]:
    """One row a stage, size and number of people: ``median_ms``, ``p95_ms`` and, for the decoder's sum and for the
    textbook decoder, ``speedup_vs_textbook``. Rows of an NVIDIA GPU name it as ``device``; see :func:`_on_gpu`."""
    image = np.random.default_rng(0).integers(0, 255, (*CAMERA, 3), np.uint8)
    gpu = Cuda(0).name if has_gpu() else None
    for size in plan_.sizes:
        name = f"{size[0]}x{size[1]}"
        for stage, spent in _before(image, size, plan_).items():
            yield {"stage": stage, "size": name, "people": None, **summary(spent)}
        for count in plan_.people:
            fields = crowd_fields(count, *size)
            stages = _decoder(fields, plan_.repeats)
            plain = summary(timed(partial(textbook.decode, fields), max(3, plan_.repeats // 10)))
            for stage in DECODE:
                yield {"stage": stage, "size": name, "people": count, **summary(stages[stage])}
            whole = summary(stages["decode"])
            faster = round(plain["median_ms"] / whole["median_ms"], 1)
            yield {"stage": "decode", "size": name, "people": count, **whole, "speedup_vs_textbook": faster}
            yield {"stage": "textbook", "size": name, "people": count, **plain, "speedup_vs_textbook": 1.0}
            for stage, spent in ({} if gpu is None else _on_gpu(fields, plan_.repeats)).items():
                there = {"stage": f"gpu {stage}", "size": name, "people": count, **summary(spent), "device": gpu}
                if stage == "decode":
                    there["speedup_vs_textbook"] = round(plain["median_ms"] / summary(spent)["median_ms"], 1)
                yield there
            exactly = DecodeOptions(max_people=count)  # without the ghosts that the murmur makes
            found = people(candidates(fields, exactly), exactly)[0]
            after = {"draw": _drawing(found, plan_.repeats)}
            after |= {} if _ros is None else _ros.publishing(found, plan_.repeats)
            for stage, spent in after.items():
                yield {"stage": stage, "size": name, "people": count, **summary(spent)}


def _before(image: Image, size: tuple[int, int], plan_: Plan) -> dict[str, list[float]]:
    """What does not depend on the people: convert (where ROS is), preprocess, network."""
    spent = {} if _ros is None else _ros.reading(image, plan_.repeats)
    stride, pad = (8, 128) if plan_.estimator is None else (plan_.estimator.card.stride, plan_.estimator.card.pad_value)
    grids = [plan(image.shape[:2], InputOptions(input_size=f"{size[0]}x{size[1]}"), stride)]
    spent["preprocess"] = timed(lambda: prepare([image], grids, pad), plan_.repeats)
    if plan_.estimator is not None:
        backend, batch = plan_.estimator.backend, prepare([image], grids, pad)
        spent["network"] = timed(lambda: backend(batch), max(5, plan_.repeats // 10))
    return spent


def _drawing(found: People, repeats: int) -> list[float]:
    """People into a large picture, the copy of the picture included."""
    scale = np.array(PICTURE[::-1], np.float32) / np.array(found.image_size[::-1], np.float32)
    shown = replace(found, xy=np.asarray(found.xy * scale, np.float32), image_size=PICTURE)
    picture = np.full((*PICTURE, 3), 128, np.uint8)
    return timed(lambda: draw(picture, shown), repeats)


def _on_gpu(fields: Fields, repeats: int) -> dict[str, list[float]]:
    """The decoder on fields that lie on the GPU, as a network there leaves them.

    ``peaks``, ``limbs`` and ``copy`` by the GPU's clock, ``candidates`` from the call to arrays on the host, ``array
    form`` the same without kernels, ``decode`` to people.
    """
    there = replace(fields, heatmaps=on_gpu(fields.heatmaps), pafs=on_gpu(fields.pafs))
    options = DecodeOptions()
    found = [candidates(there, options) for _ in range(repeats + 5)][5:]
    return {
        **{stage: [one.milliseconds[stage] for one in found] for stage in found[0].milliseconds if stage != "wait"},
        "candidates": timed(lambda: candidates(there, options), repeats),
        "array form": timed(lambda: array_candidates(there, options), max(5, repeats // 10)),
        "decode": timed(lambda: people(candidates(there, options), options), repeats),
    }


def _decoder(fields: Fields, repeats: int) -> dict[str, list[float]]:
    options = DecodeOptions()
    spent: dict[str, list[float]] = {stage: [] for stage in (*DECODE, "decode")}
    people(candidates(fields, options), options)
    for _ in range(repeats):
        found = candidates(fields, options)
        began = time.perf_counter()
        people(found, options)
        stages = {**found.milliseconds, "assemble": 1e3 * (time.perf_counter() - began)}
        for stage in DECODE:
            spent[stage].append(stages[stage])
        spent["decode"].append(sum(stages[stage] for stage in DECODE))
    return spent
