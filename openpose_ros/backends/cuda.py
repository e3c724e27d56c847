"""Batches on an NVIDIA GPU, for PyTorch and TensorRT alike: bytes go up once, and sizes that keep coming are replayed.

A CUDA graph is everything that one batch launches, recorded once and launched as one. It belongs to one shape and to
the memory that it was recorded with.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, cuda
from torch.cuda import OutOfMemoryError

_log = logging.getLogger(__name__)

Shape = tuple[int, int, int]
"""B, H, W of a batch."""

Answer = tuple[Tensor, Tensor]
"""Heatmaps (B, J + 1, h, w) and PAFs (B, 2 L, h, w), float32 and contiguous, on the GPU."""

Work = Callable[[Tensor], Answer]
"""What is done on the GPU with (B, H, W, 3) uint8 that lie there; it queues and does not wait."""

GRAPHS = 8
"""Graphs that are kept; beyond them the one that was used longest ago is given up."""

CAPTURE_AFTER = 3
"""Batches of a shape that run without a graph. Photos of all sizes would spend their time recording."""

REMEMBERED_SHAPES = 256

WARM_UP = 3
"""Runs before recording: libraries choose their algorithms and take their memory in the first ones."""

IN_FLIGHT = 2
"""Staging buffers, so that a batch can be written while the one before it is still going up."""


class Frames:
    """Batches through some work on one GPU. To be called from one thread; what it needs there is made in it.

    Memory is bounded: ``IN_FLIGHT`` staging buffers of the largest batch on the host, and on the GPU at most ``GRAPHS``
    graphs, which share one pool of memory.

    Attributes:
        captures: how many graphs were recorded so far.
    """

    def __init__(self, device: str, work: Work, work_of_graph: Callable[[Shape], Work], graphs: bool = True) -> None:
        """Say what to do.

        Args:
            device: ``cuda:N``.
            work: for shapes without a graph.
            work_of_graph: makes the work that a graph of that shape records and that belongs to it from then on.
            graphs: false never records one.
        """
        self.device = torch.device(device)
        self.captures = 0
        self._work = work
        self._work_of_graph = work_of_graph
        self._graphs_wanted = graphs
        self._seen: Counter[Shape] = Counter()
        self._graphs: OrderedDict[Shape, Graph] = OrderedDict()
        self._staging: list[Staging] = []
        self._events: list[cuda.Event] = []
        self._stream: cuda.Stream | None = None
        self._turn = 0

    def __call__(self, images: npt.NDArray[np.uint8]) -> Answer:
        """Queue a batch and return at once; the caller's stream waits for the answer, which is the caller's to keep.

        Args:
            images: (B, H, W, 3) uint8; may change afterwards.

        Raises:
            MemoryError: the GPU has too little memory for this batch; others may still fit.
        """
        batch, height, width, _ = images.shape
        shape = (batch, height, width)
        try:
            with cuda.device(self.device), torch.inference_mode(), self._on_a_stream_of_its_own():
                return self._answer(images, shape)
        except OutOfMemoryError as error:
            self.forget()
            raise MemoryError(
                f"the GPU has too little memory for a batch of {batch} x {height}x{width}; take a smaller input_size "
                f"or fewer images at once (max_batch), or end what else runs there ({str(error).splitlines()[0]})"
            ) from error

    def milliseconds(self) -> dict[str, float]:
        """``upload`` and ``network`` of the last batch by the GPU's clock; waits for it. Empty before the first."""
        if not self._events:
            return {}
        began, uploaded, answered = self._events
        answered.synchronize()
        return {"upload": began.elapsed_time(uploaded), "network": uploaded.elapsed_time(answered)}

    def forget(self) -> None:
        """Give back what is kept from batch to batch, when the GPU no longer works with it."""
        cuda.synchronize(self.device)
        self._graphs.clear()
        self._seen.clear()
        self._staging.clear()
        cuda.empty_cache()

    def _answer(self, images: npt.NDArray[np.uint8], shape: Shape) -> Answer:
        graph = self._graph(shape)  # first, because it may have to forget everything
        if not self._events:
            self._events = [cuda.Event(enable_timing=True) for _ in range(3)]  # type: ignore[no-untyped-call]
        if not self._staging:
            self._staging = [Staging() for _ in range(IN_FLIGHT)]
        self._turn = (self._turn + 1) % IN_FLIGHT
        began, uploaded, answered = self._events
        began.record()
        there = torch.empty(images.shape, dtype=torch.uint8, device=self.device) if graph is None else graph.images
        self._staging[self._turn].upload(images, there)
        uploaded.record()
        answer = self._work(there) if graph is None else graph()
        answered.record()
        return answer

    def _graph(self, shape: Shape) -> Graph | None:
        """The graph of a shape, recorded when it has come often enough."""
        if shape in self._graphs:
            self._graphs.move_to_end(shape)
            return self._graphs[shape]
        if len(self._seen) >= REMEMBERED_SHAPES:
            self._seen.clear()
        self._seen[shape] += 1
        if not self._graphs_wanted or self._seen[shape] <= CAPTURE_AFTER:
            return None
        pool = next((graph.pool for graph in self._graphs.values()), None)
        while len(self._graphs) >= GRAPHS:
            cuda.synchronize(self.device)  # it may be running
            self._graphs.popitem(last=False)
        try:
            self._graphs[shape] = Graph(self._work_of_graph(shape), shape, self.device, pool)
        except Exception as error:  # any library may refuse in its own way; frames must go on
            self._graphs_wanted = False
            self.forget()
            _log.warning("frames run without CUDA graphs, slower: %s", " ".join(str(error).split()))
            return None
        self.captures += 1
        return self._graphs[shape]

    @contextmanager
    def _on_a_stream_of_its_own(self) -> Iterator[None]:
        """Graphs cannot be recorded on the default stream, and TensorRT waits for the whole GPU there."""
        caller = cuda.current_stream(self.device)
        if caller != cuda.default_stream(self.device):
            yield
            return
        if self._stream is None:
            self._stream = cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(caller)
        with cuda.stream(self._stream):
            yield
        caller.wait_stream(self._stream)


class Staging:
    """Host memory that the GPU reads without a detour."""

    def __init__(self) -> None:
        self._memory = torch.empty(0, dtype=torch.uint8)
        self._copied = cuda.Event()  # type: ignore[no-untyped-call]

    def upload(self, images: npt.NDArray[np.uint8], there: Tensor) -> None:
        """Queue a copy of the images, which may change afterwards, on the current stream."""
        self._copied.synchronize()  # of the batch before the last one: it hardly ever has to wait
        if self._memory.numel() < images.size:
            self._memory = pinned(images.size)
        here = self._memory[: images.size].view(images.shape)
        here.numpy()[...] = images
        there.copy_(here, non_blocking=True)
        self._copied.record()


class Graph:
    """The work of one shape, recorded.

    Attributes:
        images: (B, H, W, 3) uint8 on the GPU, from which it reads.
        pool: memory that graphs share; they run one after the other, and answers are copied out at once.
    """

    def __init__(self, work: Work, shape: Shape, device: torch.device, pool: Any) -> None:
        self.images = torch.zeros((*shape, 3), dtype=torch.uint8, device=device)
        self.pool = cuda.graph_pool_handle() if pool is None else pool
        self._work = work  # what it holds is part of the graph
        self._graph = cuda.CUDAGraph()
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            for _ in range(WARM_UP):
                work(self.images)
            # Other threads may use the GPU meanwhile.
            with cuda.graph(
                self._graph, pool=self.pool, stream=cuda.current_stream(device), capture_error_mode="thread_local"
            ):
                self._answer = work(self.images)

    def __call__(self) -> Answer:
        """Queue it; the answer is a copy, because the next one is written to the same place."""
        self._graph.replay()
        heatmaps, pafs = self._answer
        return heatmaps.clone(), pafs.clone()


def pinned(size: int) -> Tensor:
    """So many bytes of page-locked host memory."""
    return torch.empty(size, dtype=torch.uint8, pin_memory=True)
