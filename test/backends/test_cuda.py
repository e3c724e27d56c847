"""Batches on a GPU, with torch.cuda replaced by one that works on the CPU."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor

import openpose_ros.backends.cuda as cuda
from openpose_ros.backends import staging
from openpose_ros.backends.cuda import CAPTURE_AFTER, GRAPHS, Frames, Graph, Shape

Images = npt.NDArray[np.uint8]


def images(height: int = 16, width: int = 24, count: int = 1, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


class Work:
    """Sums of what is there, in memory of its own; counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, there: Tensor) -> tuple[Tensor, Tensor]:
        self.runs += 1
        return there.float().sum(3), there.float().sum((1, 2))


class Replayed:
    """In place of a graph: writes its answer to the same memory each time, as a graph does."""

    def __init__(self, work: Work, shape: Shape, device: Any, pool: Any) -> None:
        self.images = torch.zeros((*shape, 3), dtype=torch.uint8)
        self.pool = pool or object()
        self.work, self.answer = work, work(self.images)

    def __call__(self) -> tuple[Tensor, Tensor]:
        for part, new in zip(self.answer, self.work(self.images), strict=True):
            part.copy_(new)
        heatmaps, pafs = self.answer
        return heatmaps.clone(), pafs.clone()


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch, cuda_on_cpu: Any) -> Any:
    monkeypatch.setattr(cuda, "Graph", Replayed)
    return cuda_on_cpu


def frames(loose: Work | None = None, bound: Callable[[Shape], Work] | None = None, **more: Any) -> Frames:
    return Frames("cpu:0", loose or Work(), bound or (lambda shape: Work()), **more)


def test_every_batch_is_answered_whether_replayed_or_not(replayed: Any) -> None:
    run = frames()
    for seed in range(CAPTURE_AFTER + 4):
        batch = images(seed=seed)
        rows, sums = run(batch)
        np.testing.assert_array_equal(rows, batch.astype(np.float32).sum(3))
        np.testing.assert_array_equal(sums, batch.astype(np.float32).sum((1, 2)))
    assert run.captures == 1


def test_answers_are_the_callers_to_keep(replayed: Any) -> None:
    run = frames()
    given = [run(images(seed=seed)) for seed in range(CAPTURE_AFTER + 4)]
    for seed, (rows, _) in enumerate(given):
        np.testing.assert_array_equal(rows, images(seed=seed).astype(np.float32).sum(3))


def test_images_may_change_as_soon_as_they_are_queued(replayed: Any) -> None:
    batch = images()
    expected = batch.astype(np.float32).sum(3)
    rows, _ = frames()(batch)
    batch[...] = 0
    np.testing.assert_array_equal(rows, expected)


def test_a_size_is_recorded_only_when_it_keeps_coming(replayed: Any) -> None:
    run = frames()
    for height in range(8, 8 * 20, 8):
        run(images(height))
    assert run.captures == 0
    for _ in range(CAPTURE_AFTER):
        run(images(8))
    assert run.captures == 1


def test_the_graph_used_longest_ago_is_given_up(replayed: Any) -> None:
    made: list[Shape] = []

    def bound(shape: Shape) -> Work:
        made.append(shape)
        return Work()

    run = frames(bound=bound)
    heights = [8 * number for number in range(1, GRAPHS + 2)]
    for height in heights:
        for _ in range(CAPTURE_AFTER + 1):
            run(images(height))
    assert run.captures == GRAPHS + 1
    run(images(heights[1]))  # is still there
    assert run.captures == GRAPHS + 1
    run(images(heights[0]))  # is not, but is known to keep coming
    assert made == [(1, height, 24) for height in [*heights, heights[0]]]


def test_graphs_share_one_pool(cuda_on_cpu: Any) -> None:
    run = frames()
    for height in (8, 16):
        for _ in range(CAPTURE_AFTER + 1):
            run(images(height))
    (first, *_), (second, *_) = cuda_on_cpu.captures
    assert first is second


def test_a_graph_is_recorded_on_a_stream_of_its_own_after_warming_up(cuda_on_cpu: Any) -> None:
    work = Work()
    run = frames(bound=lambda shape: work)
    for _ in range(CAPTURE_AFTER + 1):
        run(images())
    ((_, stream, mode),) = cuda_on_cpu.captures
    assert stream is not cuda_on_cpu.default
    assert mode == "thread_local"
    assert work.runs == cuda.WARM_UP + 1
    assert "capture_error_mode" in inspect.signature(torch.cuda.graph.__init__).parameters


def test_the_default_stream_waits_for_the_answer(replayed: Any) -> None:
    seen: list[Any] = []

    def work(there: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(replayed.current)
        return there.float(), there.float()

    run = Frames("cpu:0", work, lambda shape: work)
    run(images())
    assert seen[0] is not replayed.default
    assert seen[0].waited_for == [replayed.default]
    assert replayed.default.waited_for == [seen[0]]


def test_a_stream_of_the_callers_is_used_as_it_is(replayed: Any) -> None:
    seen: list[Any] = []

    def work(there: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(replayed.current)
        return there.float(), there.float()

    mine = replayed.Stream()
    with replayed.stream(mine):
        Frames("cpu:0", work, lambda shape: work)(images())
    assert seen == [mine]
    assert mine.waited_for == []


def test_without_room_on_the_gpu_one_frame_fails_and_the_next_goes_on(replayed: Any) -> None:
    full = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")

    def work(there: Tensor) -> tuple[Tensor, Tensor]:
        if there.shape[1] > 16:
            raise full
        return there.float(), there.float()

    run = Frames("cpu:0", work, lambda shape: work)
    with pytest.raises(MemoryError, match=r"too little memory for a batch of 1 x 32x24; take a smaller input_size"):
        run(images(32))
    assert replayed.freed == 1
    run(images(16))


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory\nmore"), r"memory for this frame; .*\(CUDA out of memory\)$"),
        (MemoryError("T4 has too little memory for 3 MiB more"), "^T4 has too little memory for 3 MiB more$"),
    ],
)
def test_whatever_runs_out_of_memory_within_a_frame_is_an_error_of_that_frame(
    replayed: Any, failure: Exception, told: str
) -> None:
    run = frames()

    def frame() -> None:
        with run.queue():
            run(images())
            raise failure

    with pytest.raises(MemoryError, match=told):
        frame()
    assert replayed.freed == 1
    assert run.page_locked == 0
    with run.queue():
        run(images())
    assert replayed.current is replayed.default


def test_when_it_is_closed_the_network_is_gone_before_memory_is_given_back(replayed: Any) -> None:
    class Network(torch.nn.Module):
        def forward(self, there: Tensor) -> tuple[Tensor, Tensor]:
            return there.float(), there.float()

    network = Network()
    there = weakref.ref(network)
    run = Frames("cpu:0", network, lambda shape: Work())
    for _ in range(CAPTURE_AFTER + 1):
        run(images())
    del network
    left: list[bool] = []
    replayed.empty_cache = lambda: left.append(there() is not None)
    run.close()
    assert left == [False]


def test_a_batch_within_the_queue_is_timed_together_with_what_else_is_done_there(replayed: Any) -> None:
    run = frames()
    run(images())
    with run.queue():
        for _ in range(3):
            run(images())
    assert run.clock.milliseconds() == {"upload": 4.5, "network": 4.5}
    run(torch.from_numpy(images()))  # which lies on the GPU already
    assert run.clock.milliseconds() == {"network": 1.5}


def test_what_cannot_be_recorded_runs_on_without_graphs(replayed: Any, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(shape: Shape) -> Work:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    run = frames(bound=refuse)
    for _ in range(CAPTURE_AFTER + 5):
        rows, _ = run(images())
    np.testing.assert_array_equal(rows, images().astype(np.float32).sum(3))
    assert [record.getMessage() for record in caplog.records] == [
        "frames run without CUDA graphs, slower: operation not permitted when stream is capturing"
    ]


def test_graphs_can_be_left_out(replayed: Any) -> None:
    run = frames(graphs=False)
    for _ in range(CAPTURE_AFTER + 3):
        run(images())
    assert run.captures == 0


def test_staging_memory_is_bounded_by_the_largest_batch(replayed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(staging, "pinned", lambda size: taken.append(size) or torch.empty(size, dtype=torch.uint8))
    run = frames()
    for height in (16, 64, 32, 64, 16, 8, 48):
        run(images(height))
    assert len(taken) <= 2 * staging.BUFFERS
    assert max(taken) == 64 * 24 * 3
    assert run.page_locked <= staging.BUFFERS * max(taken)


def test_the_gpus_clock_is_read_on_request(replayed: Any) -> None:
    run = frames()
    run(images())
    assert run.clock.milliseconds() == {"upload": 1.5, "network": 1.5}


def test_a_graph_reads_its_own_images() -> None:
    assert list(inspect.signature(Graph.__init__).parameters)[1:] == ["work", "shape", "device", "pool"]
