"""What a crop costs before it reaches the training device: each step alone, and whole batches by loader processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import cv2
import numpy as np

from openpose_ros.benchmark.table import summary
from openpose_ros.card import Card
from openpose_ros.training.config import ConfigError, RunConfig
from openpose_ros.training.data.centres import WHOLE, centres
from openpose_ros.training.data.crop import by_cell, checked_size, shrinking
from openpose_ros.training.data.crops import Crops
from openpose_ros.training.data.loader import loader
from openpose_ros.training.data.picture import decode
from openpose_ros.training.data.sources import Source


def rows(config: RunConfig, workers: Sequence[int], crops: int) -> Iterator[dict[str, Any]]:
    """One row for each step of a crop, in one thread, then one for each number of loader processes.

    Raises:
        ConfigError: the sources cannot be used.
    """
    card = Card.load(config.card)
    yield from _steps(Crops(config, card), crops)
    for count in workers:
        setting = replace(config, data=replace(config.data, workers=count))
        rate = _rate(setting, card, crops)
        yield {
            "what": "batches", "workers": count, "crops_per_second": round(rate, 1),
            "per_worker": round(rate / max(1, count), 1),
        }  # fmt: skip


def _rate(config: RunConfig, card: Card, crops: int) -> float:
    """Crops a second, once all loader processes are at work."""
    batches = iter(loader(config, card))
    ahead = max(1, config.data.workers * (config.data.prefetch + 1))
    for _ in islice(batches, ahead):
        pass
    count = max(1, round(crops / config.batch), 2 * ahead)
    began = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return count * config.batch / (time.perf_counter() - began)


def _steps(crops: Crops, count: int) -> Iterator[dict[str, Any]]:
    tables = [source.samples for source in crops.sources if isinstance(source.samples, Source)]
    if not tables:
        raise ConfigError("only streamed shards are given; their steps cannot be measured one by one")
    samples, cropper = tables[0], crops.cropper
    generator = np.random.default_rng(0)
    spent: dict[str, list[float]] = {}

    def timed(name: str, action: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = action()
        spent.setdefault(name, []).append(1e3 * (time.perf_counter() - began))
        return answer

    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as in a loader process
    try:
        for number in generator.permutation(np.arange(count) % len(samples)).tolist():
            sample = timed("look up", partial(samples.__getitem__, number))
            centre = (centres(sample, crops.crop) or [WHOLE])[0]
            data = timed("read", sample.picture.read)
            matrix, flipped = cropper.placement(checked_size(sample, data), centre, generator)
            shrink = shrinking(matrix)
            image = timed("decode", partial(decode, data, shrink))
            timed("warp", partial(cropper.warp, image, shrink, matrix))
            _, mask = timed("people and mask", partial(cropper.people_and_mask, sample, matrix, flipped))
            timed("mask to cells", partial(by_cell, mask, cropper.stride))
            timed("whole crop", partial(cropper, sample, centre, generator))
    finally:
        cv2.setNumThreads(threads)
    for name, milliseconds in spent.items():
        yield {"what": name, **summary(milliseconds)}
