"""Batches of images for the backends' tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openpose_ros.grid import Grid
from openpose_ros.preprocess import Batch

MakeBatch = Callable[..., Batch]


@pytest.fixture
def noise() -> MakeBatch:
    """Makes random images of exactly the network's input size."""

    def make(height: int, width: int, count: int = 1, seed: int = 0) -> Batch:
        images = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
        return Batch(images, (Grid(height, width, height, width, height, width, 8),) * count)

    return make


class Stream:
    """Stands for a CUDA stream; what is queued has happened at once."""

    def __init__(self, device: Any = None, number: int = 0) -> None:
        self.cuda_stream = number or next(NUMBERS)
        self.waited_for: list[Stream] = []

    def wait_stream(self, other: Stream) -> None:
        self.waited_for.append(other)


NUMBERS = itertools.count(101)


class Event:
    def __init__(self, enable_timing: bool = False) -> None:
        self.records = 0

    def record(self) -> None:
        self.records += 1

    def synchronize(self) -> None:
        self.records += 0

    def elapsed_time(self, other: Event) -> float:
        assert self.records and other.records
        return 1.5


class CudaOnCpu:
    """torch.cuda for tensors that lie on the CPU.

    Attributes:
        default, current: streams.
        freed: how often unused memory was given back.
        captures: pool, stream and mode of every recording of a graph.
    """

    def __init__(self) -> None:
        self.default = self.current = Stream(number=1)
        self.freed = 0
        self.captures: list[tuple[Any, Stream, str]] = []
        self.Stream, self.Event = Stream, Event
        self.CUDAGraph = lambda: SimpleNamespace(replay=lambda: None)

    def current_stream(self, device: Any = None) -> Stream:
        return self.current

    def default_stream(self, device: Any = None) -> Stream:
        return self.default

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def device(self, device: Any) -> Iterator[None]:
        yield

    @contextmanager
    def graph(self, graph: Any, pool: Any, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        self.captures.append((pool, stream, capture_error_mode))
        yield

    def graph_pool_handle(self) -> object:
        return object()

    def synchronize(self, device: Any = None) -> None:
        pass

    def empty_cache(self) -> None:
        self.freed += 1

    def get_device_name(self, device: Any) -> str:
        return "NVIDIA RTX A4000"

    def get_device_capability(self, device: Any) -> tuple[int, int]:
        return 8, 6


@pytest.fixture
def cuda_on_cpu(monkeypatch: pytest.MonkeyPatch) -> CudaOnCpu:
    """The backends' CUDA parts, working on the CPU; what is called there exists in torch.cuda under that name."""
    torch = pytest.importorskip("torch")
    from openpose_ros.backends import clock, staging
    from openpose_ros.backends import cuda as module

    fake = CudaOnCpu()
    for name, value in {**vars(CudaOnCpu), **vars(fake)}.items():
        if callable(value) and not name.startswith("_"):
            assert hasattr(torch.cuda, name), name
    for uses in (module, staging, clock):
        monkeypatch.setattr(uses, "cuda", fake)
    monkeypatch.setattr(staging, "pinned", lambda size: torch.empty(size, dtype=torch.uint8))
    monkeypatch.setattr(module, "lens_for", lambda device: None)
    return fake
