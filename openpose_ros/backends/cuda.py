"""Batches on an NVIDIA GPU, for PyTorch and TensorRT alike: bytes go up once, and sizes that keep coming are replayed.

A CUDA graph is everything that one batch launches, recorded once and launched as one. It belongs to one shape and to
the memory that it was recorded with.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, cuda
from torch.cuda import OutOfMemoryError

from openpose_ros.backends.clock import Clock
from openpose_ros.backends.lens import Lens, PicturesOnGpu, lens_for
from openpose_ros.backends.staging import Staging
from openpose_ros.preprocess import Image, Pictures

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


class Frames:
    """Batches through some work on one GPU. To be called from one thread; what it needs there is made in it.

    Memory is bounded: two staging buffers of the largest batch on the host, and on the GPU at most ``GRAPHS`` graphs,
    which share one pool of memory, and what the :class:`~openpose_ros.backends.lens.Lens` keeps.

    Attributes:
        captures: how many graphs were recorded so far.
        clock: of the frame that was queued last: ``upload``, ``network`` and, where that is done here, ``resize``.
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
        self.clock = Clock()
        self._work = work
        self._work_of_graph = work_of_graph
        self._graphs_wanted = graphs
        self._seen: Counter[Shape] = Counter()
        self._graphs: OrderedDict[Shape, Graph] = OrderedDict()
        self._staging = Staging()
        self._lens: Lens | None = None
        self._lens_tried = False
        self._stream: cuda.Stream | None = None
        self._queueing = False

    def __call__(self, images: npt.NDArray[np.uint8] | Tensor) -> Answer:
        """Queue a batch and return at once; the caller's stream waits for the answer, which is the caller's to keep.

        Args:
            images: (B, H, W, 3) uint8, on the host or on the GPU; may change afterwards.

        Raises:
            MemoryError: the GPU has too little memory for this batch; others may still fit.
        """
        batch, height, width, _ = images.shape
        with self.queue(f"a batch of {batch} x {height}x{width}"):
            return self._answer(images, (batch, height, width))

    @contextmanager
    def queue(self, what: str = "this frame") -> Iterator[None]:
        """Within the block everything on the GPU is queued on one stream, for which the caller's waits afterwards.

        Raises:
            MemoryError: the GPU's memory is used up by ``what``; what can be given back is.
        """
        outermost, self._queueing = not self._queueing, True
        try:
            with cuda.device(self.device), torch.inference_mode(), self._on_a_stream_of_its_own():
                if outermost:
                    self.clock = Clock()
                yield
        except MemoryError:
            self.forget()
            raise
        except OutOfMemoryError as error:
            self.forget()
            raise MemoryError(
                f"the GPU has too little memory for {what}; take a smaller input_size or fewer images at once "
                f"(max_batch), or end what else runs there ({str(error).splitlines()[0]})"
            ) from error
        finally:
            self._queueing = not outermost

    def pictures(self, images: Sequence[Image]) -> Pictures | PicturesOnGpu:
        """Source images from which batches are made: on the GPU, where they go up now, if CuPy is there.

        To be called within :meth:`queue`, as the batches' ``batch()``.
        """
        if not self._lens_tried:
            self._lens, self._lens_tried = lens_for(self.device), True
        return Pictures(images) if self._lens is None else self._lens(images, self.clock)

    @property
    def page_locked(self) -> int:
        """Bytes of page-locked memory of the host."""
        return self._staging.size + (0 if self._lens is None else self._lens.page_locked)

    def forget(self) -> None:
        """Give back what is kept from batch to batch, when the GPU no longer works with it."""
        cuda.synchronize(self.device)
        self._graphs.clear()
        self._seen.clear()
        self._staging.forget()
        if self._lens is not None:
            self._lens.forget()
        cuda.empty_cache()

    def close(self) -> None:
        """Give everything back, the work with its network included; it is not called again."""
        del self._work, self._work_of_graph
        self.forget()

    def _answer(self, images: npt.NDArray[np.uint8] | Tensor, shape: Shape) -> Answer:
        graph = self._graph(shape)  # first, because it may have to forget everything
        self.clock.mark()
        if isinstance(images, Tensor):
            there = images if graph is None else graph.images.copy_(images)
        else:
            there = torch.empty(images.shape, dtype=torch.uint8, device=self.device) if graph is None else graph.images
            self._staging.upload([images], there)
            self.clock.mark("upload")
        answer = self._work(there) if graph is None else graph()
        self.clock.mark("network")
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
