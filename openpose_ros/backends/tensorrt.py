"""TensorRT: the network on an NVIDIA GPU, from an engine that `export --engine` has built. For TensorRT 10 and 11 and
TensorRT for RTX, whose calls are the same but for what is asked with ``hasattr`` here.

Engines are read when the backend is made; execution contexts, streams and buffers come into being in the thread that
runs the first batch. Memory of the network's inner layers is taken from PyTorch's pool, as is everything else.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

import torch
from torch import Tensor, cuda

from openpose_ros.backends import BackendError
from openpose_ros.backends.cuda import Answer, Frames, Shape, Work
from openpose_ros.backends.tensorrt_context import Bound, Engine, shape_of
from openpose_ros.backends.tensorrt_engine import PRECISIONS, EngineFile, EngineMissingError, fitting, why_none
from openpose_ros.backends.tensorrt_library import WORDS, Gpu, check_gpu, forwarding_logger, library
from openpose_ros.backends.torch import FromBytes, named_device
from openpose_ros.card import Card
from openpose_ros.fields import Fields
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch

_log = logging.getLogger(__name__)


class TensorRTBackend:
    """A card's network in TensorRT; see :class:`~openpose_ros.backends.Backend`.

    Takes the sizes and batches that its engines were built for. Never builds one.
    """

    name = "tensorrt"

    def __init__(self, card: Card, options: BackendOptions) -> None:
        """Find the engines of the card and read the one used last.

        Raises:
            BackendError: there is no TensorRT, no GPU, or no engine for them; the text says how to make one.
            CardError: the card names no digest, and its weights are missing.
        """
        self.card = card
        self._library = library()
        self.device = named_device(options.device)
        if self.device == "cpu":
            raise BackendError(f"device is {options.device!r}, but the tensorrt backend needs an NVIDIA GPU")
        self._gpu = gpu_of(self.device)
        check_gpu(self._library, self._gpu)
        self.precision, self._files = self._found(options.precision)
        self._errors: deque[str] = deque(maxlen=WORDS)
        logger = forwarding_logger(self._library.module, _told, self._errors)
        with cuda.device(self.device):
            try:
                self._runtime = self._library.module.Runtime(logger)
            except TypeError:  # what it raises when it cannot be made
                raise BackendError(f"{self._library} does not start: {'; '.join(self._errors)}") from None
            self._engines = [self._first_whole()]
            self._from_bytes = FromBytes(card).to(self.device)
        self._loose: dict[Path, Bound] = {}
        self.frames = Frames(self.device, self._work, self._bound)
        self._saved = 0

    def __call__(self, batch: Batch) -> Fields:
        count, height, width, _ = batch.images.shape
        self._engine_for((count, height, width))
        try:
            heatmaps, pafs = self.frames(batch.images)
        except MemoryError:
            self._loose.clear()
            raise
        if self.frames.captures != self._saved:
            self._saved = self.frames.captures
            self._save_kernels()
        return Fields(
            heatmaps,
            pafs.reshape(count, -1, 2, *pafs.shape[2:]),
            batch.grids,
            self.card.skeleton,
            self.card.paf_offset,
            self.card.heat_offset,
        )

    def takes(self, shape: Shape) -> bool:
        """Whether an engine was built for batches of that shape."""
        return any(profile.covers(shape) for file in self._files for profile in file.profiles)

    def close(self) -> None:
        self._save_kernels()
        cuda.synchronize(self.device)
        with cuda.device(self.device):  # contexts end before their engines, and memory returns after both
            self._loose.clear()
            self.frames.close()
            self._engines.clear()
            del self._runtime

    @property
    def engine_mib(self) -> int:
        """MiB of GPU memory that the engines' weights take, which PyTorch does not count; about their files' sizes."""
        return sum(int(engine.file.header["size"]) for engine in self._engines) // 2**20

    def _found(self, wanted: str) -> tuple[str, list[EngineFile]]:
        """The precision to run in, and the engines that there are for it."""
        if wanted not in ("auto", *PRECISIONS):
            raise BackendError(f"precision is {wanted}, but engines are built in {', '.join(PRECISIONS)}")
        for precision in PRECISIONS[:2] if wanted == "auto" else (wanted,):
            files = fitting(self.card, precision, self._library, self._gpu)
            if files:
                return precision, files
        precision = PRECISIONS[0] if wanted == "auto" else wanted
        why = why_none(self.card, precision, self._library, self._gpu)
        raise EngineMissingError(
            f"{self._library} has no engine of {self.card.name} in {precision} for {self._gpu}"
            f"{f' ({why})' if why else ''}",
            self.card,
            precision,
        )

    def _first_whole(self) -> Engine:
        """The first engine that is not torn and that TensorRT accepts."""
        reasons = []
        for file in tuple(self._files):
            try:
                engine = self._read(file)
            except BackendError as error:
                reasons.append(str(error))
                continue
            for reason in reasons:
                _log.warning("%s; another engine is taken", reason)
            return engine
        raise EngineMissingError("; ".join(reasons), self.card, self.precision)

    def _read(self, file: EngineFile) -> Engine:
        """The engine of a file; one that cannot be read is not tried again."""
        try:
            with cuda.device(self.device):
                return Engine(file, self._library, self._runtime, self._errors, self.card)
        except BackendError:
            self._files.remove(file)
            raise

    def _engine_for(self, shape: Shape) -> Engine:
        """The engine that takes a shape, read when it is not there yet."""
        for engine in self._engines:
            if engine.profile(shape) is not None:
                return engine
        there = {engine.file.path for engine in self._engines}
        for file in self._files:
            if file.path not in there and any(profile.covers(shape) for profile in file.profiles):
                self._engines.append(self._read(file))
                return self._engines[-1]
        taken = "; ".join(str(profile) for file in self._files for profile in file.profiles)
        raise EngineMissingError(
            f"no engine of {self.card.name} takes {'x'.join(map(str, shape))} (batch x height x width); "
            f"they take {taken}",
            self.card,
            self.precision,
            [shape[1:]],
            shape[0],
        )

    def _work(self, images: Tensor) -> Answer:
        """Without a graph: one context an engine goes from shape to shape."""
        engine = self._engine_for(shape_of(images))
        bound = self._loose.get(engine.file.path)
        if bound is None:
            bound = self._loose[engine.file.path] = Bound(engine, self._from_bytes, self._errors, changing=True)
        return bound(images)

    def _bound(self, shape: Shape) -> Work:
        """For a graph: a context of its own, because what was recorded must never change."""
        bound = Bound(self._engine_for(shape), self._from_bytes, self._errors, changing=False)
        bound.bind(shape)
        if not bound.recordable():
            raise BackendError(f"{self._library} says that this engine cannot be recorded")
        return bound

    def _save_kernels(self) -> None:
        for engine in self._engines:
            try:
                engine.save_kernels()
            except OSError as error:
                _log.warning("compiled kernels are not kept: %s", error)


def gpu_of(device: str) -> Gpu:
    """Name and compute capability of ``cuda:N``."""
    index = torch.device(device).index or 0
    return Gpu(cuda.get_device_name(device), cuda.get_device_capability(device), index)


def _told(level: str, text: str) -> None:
    _log.log(logging.getLevelName(level), "TensorRT: %s", text)
