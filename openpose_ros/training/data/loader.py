"""The loader of a training process: batches from several loader processes, in an order that none of them changes."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from openpose_ros.card import Card
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, RunConfig
from openpose_ros.training.data.crops import Crops


class Batches(IterableDataset[Batch]):
    """An endless row of one training process's batches.

    Batch b of the run holds the crops of positions b * size to (b + 1) * size - 1; of these, process r of R takes
    the r-th part. Loader process w of W makes batches ``start`` + w, + w + W, ...: PyTorch's loader takes them in
    turns, so that they come in order.
    """

    def __init__(self, crops: Crops, size: int, rank: int = 0, world: int = 1) -> None:
        """``size``: crops of a batch over all training processes.

        Raises:
            ConfigError: it cannot be shared out evenly.
        """
        if size < 1 or size % world:
            raise ConfigError(f"batch is {size}; expected a multiple of the {world} training processes")
        self.crops = crops
        self.size = size
        self.rank = rank
        self.world = world
        self.start = 0

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        first = self.start + worker
        feeds = self._feeds(first, workers)
        for number in itertools.count(first, workers):
            yield self.crops.batch(self._positions(number), feeds)

    def _positions(self, number: int) -> range:
        share = self.size // self.world
        begin = number * self.size + self.rank * share
        return range(begin, begin + share)

    def _feeds(self, first: int, workers: int) -> dict[int, Any]:
        """Each stream, as far as this lane has read it in the batches before its first one."""
        feeds = {}
        lane = first % workers
        for entry in self.crops.streams:
            before = self.crops.mix.before
            spans = (self._positions(number) for number in range(lane, first, workers))
            read = sum(before(entry, span.stop) - before(entry, span.start) for span in spans)
            feed = self.crops.feed(entry, self.rank * workers + lane, self.world * workers)
            feeds[entry] = itertools.islice(feed, read, None)
        return feeds


class TrainingLoader(DataLoader[Batch]):
    """Batches without end, from the batch on that ``position`` names whenever an iteration begins.

    Attributes:
        crops: what the batches are made of, with the sources' reports.
    """

    def __init__(
        self,
        batches: Batches,
        position: Callable[[], int] = lambda: 0,
        *,
        workers: int = 0,
        prefetch: int = 2,
        pin_memory: bool = False,
        context: str | None = None,
    ) -> None:
        """``context``: how loader processes begin, ``fork``, ``spawn`` or ``forkserver``; None: Python's default."""
        super().__init__(
            batches, batch_size=None, num_workers=workers, prefetch_factor=prefetch if workers else None,
            worker_init_fn=begin_worker, pin_memory=pin_memory, multiprocessing_context=context if workers else None,
            # Of its own, so that beginning to load draws no number from the training's generator.
            generator=torch.Generator(),
        )  # fmt: skip
        self.crops = batches.crops
        self._batches = batches
        self._position = position

    def __iter__(self) -> Any:
        self._batches.start = self._position()
        return super().__iter__()


def loader(
    config: RunConfig, card: Card, *, rank: int = 0, world: int = 1, position: Callable[[], int] = lambda: 0
) -> TrainingLoader:
    """The loader of training process ``rank`` of ``world``.

    Args:
        config: of the run; with ``overfit`` there is no augmentation and only the first photos with people are shown.
        card: of the network: its skeleton, stride, channel order and padding.
        rank, world: this process and how many there are.
        position: the number of batches that were trained on, asked for whenever an iteration begins.

    Raises:
        ConfigError: a source or a setting of the data cannot work.
    """
    crops = Crops(config, card, augmented=not config.overfit)
    pin = torch.cuda.is_available() and config.accelerator in {"auto", "gpu", "cuda"}
    data = config.data
    return TrainingLoader(
        Batches(crops, config.batch, rank, world),
        position,
        workers=data.workers,
        prefetch=data.prefetch,
        pin_memory=pin,
    )


def begin_worker(number: int) -> None:
    """Set a loader process up (PyTorch calls this)."""
    # There are as many of these processes as there are cores; threads within them would only get in each other's way.
    cv2.setNumThreads(0)
    # A signal to the training's process group, such as Ctrl-C, is the training process's to answer: it ends these.
    with contextlib.suppress(OSError):
        os.setsid()
