"""Batches on a GPU: queued by the network's thread, waited for by whoever asks, and out of memory for one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from openpose_ros import estimator as module
from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.decode.decoder import Underway, array_candidates
from openpose_ros.device import GpuMemory
from openpose_ros.estimator import Estimator
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.preprocess import Batch, Image, Pictures

PICTURE = np.full((96, 128, 3), 90, np.uint8)
INPUTS = InputOptions(input_size="96x128")


class Search:
    """Kernels at work until ``done`` is set; ``failure`` is what the GPU says then."""

    def __init__(self, fields: Fields, options: DecodeOptions) -> None:
        self.fields, self.options = fields, options
        self.done = threading.Event()
        self.failure: Exception | None = None
        self.waiting = threading.Event()
        self.fetched = False

    def wait(self, timeout: float | None = None) -> None:
        self.waiting.set()
        if not self.done.wait(10.0 if timeout is None else timeout):
            raise TimeoutError("no answer from the GPU")
        if self.failure is not None:
            raise self.failure

    def result(self) -> Any:
        self.wait()
        assert not self.fetched, "another frame has this memory by now"
        self.fetched = True
        found = array_candidates(self.fields, self.options)
        return found.peaks, found.connections, {"peaks": 1.0, "limbs": 2.0, "copy": 3.0, "wait": 4.0}


class Frames:
    """As backends.cuda.Frames, on the CPU: notes what happens within its queue."""

    def __init__(self) -> None:
        self.queueing = False
        self.uploads: list[int] = []
        self.clock = self
        self.page_locked = 0

    @contextmanager
    def queue(self) -> Iterator[None]:
        self.queueing = True
        yield
        self.queueing = False

    def pictures(self, images: list[Image]) -> Pictures:
        assert self.queueing
        self.uploads.append(len(images))
        return Pictures(images)

    def milliseconds(self) -> dict[str, float]:
        return {"upload": 0.25, "resize": 0.125, "network": 5.0}


class OnGpu(SyntheticBackend):
    """The synthetic backend, as if on a GPU."""

    def __init__(self) -> None:
        super().__init__(synthetic_card())
        self.frames = Frames()
        self.calls: list[int] = []
        self.failure: Exception | None = None
        self.engine_mib = 0

    def __call__(self, batch: Batch) -> Fields:
        assert self.frames.queueing
        self.calls.append(len(batch.grids))
        if self.failure is not None:
            raise self.failure
        return super().__call__(batch)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[Search]:
    """Fields count as lying on a GPU, and what its kernels are asked for is kept here."""
    asked: list[Search] = []

    def begin(fields: Fields, options: DecodeOptions) -> Underway:
        asked.append(Search(fields, options))
        return Underway(asked[-1], fields)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "is_numpy_array", lambda array: False)
    monkeypatch.setattr(module, "begin", begin)
    return asked


def until(condition: Any) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen")


def test_the_next_batch_is_queued_before_anybody_waits_for_this_one(searches: list[Search]) -> None:
    backend = OnGpu()
    running = Estimator(backend, INPUTS)
    first, second = running.submit([PICTURE]), running.submit([PICTURE, PICTURE])
    until(lambda: len(searches) == 2)  # with nobody waiting, and the first one not done
    assert backend.frames.uploads == [1, 2]
    for search in searches:
        search.done.set()
    assert [len(people) for people in second.result()] == [3, 3]
    for _ in range(2):  # it may be asked for again
        assert len(first.result()[0]) == 3
    running.close()


def test_the_network_is_free_when_the_gpu_is_done(searches: list[Search]) -> None:
    running = Estimator(OnGpu(), INPUTS)
    job = running.submit([PICTURE])
    waiter = threading.Thread(target=job.wait)
    waiter.start()
    until(lambda: searches and searches[0].waiting.is_set())
    assert waiter.is_alive()
    searches[0].done.set()
    waiter.join(10)
    assert not waiter.is_alive()
    assert len(job.result()[0]) == 3
    running.close()


def test_what_the_gpu_complains_of_is_told_by_the_result_and_not_by_the_waiting(searches: list[Search]) -> None:
    running = Estimator(OnGpu(), INPUTS)
    job = running.submit([PICTURE])
    until(lambda: searches)
    searches[0].failure = RuntimeError("an illegal memory access was encountered")
    searches[0].done.set()
    job.wait()
    with pytest.raises(RuntimeError, match="illegal memory access"):
        job.result()
    running.close()


def test_a_gpu_that_does_not_answer_in_time_is_not_waited_for(searches: list[Search]) -> None:
    running = Estimator(OnGpu(), INPUTS)
    job = running.submit([PICTURE])
    with pytest.raises(TimeoutError):
        job.result(timeout=0.05)
    searches[0].done.set()
    running.close()


def test_times_are_by_the_gpus_clock(searches: list[Search]) -> None:
    running = Estimator(OnGpu(), INPUTS)
    job = running.submit([PICTURE])
    until(lambda: searches)
    searches[0].done.set()
    job.result()
    told = job.milliseconds
    assert {name: told[name] for name in ("upload", "resize", "network", "peaks", "limbs", "copy")} == {
        "upload": 0.25, "resize": 0.125, "network": 5.0, "peaks": 1.0, "limbs": 2.0, "copy": 3.0,
    }  # fmt: skip
    assert told["preprocess"] > 0 and told["assemble"] > 0
    running.close()


def test_images_go_up_once_for_all_looks(searches: list[Search]) -> None:
    backend = OnGpu()
    running = Estimator(backend, InputOptions(input_size="96x128", scales="1,0.5", flip=True))
    job = running.submit([PICTURE, PICTURE])
    until(lambda: searches)
    searches[0].done.set()
    assert len(job.result()) == 2
    assert backend.frames.uploads == [2]
    assert backend.calls == [4, 4]  # as they are and mirrored, at two scales
    running.close()


def test_fields_alone_are_asked_for_within_the_queue_too() -> None:
    backend = OnGpu()
    running = Estimator(backend, INPUTS)
    assert len(running.fields([PICTURE])) == 1
    assert backend.frames.uploads == [1] and not backend.frames.queueing
    running.close()


@pytest.mark.usefixtures("searches")
def test_out_of_memory_is_an_error_of_that_batch_and_spare_memory_is_given_back(
    searches: list[Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[str] = []
    monkeypatch.setattr(module, "forget_memory", given_back.append)
    backend = OnGpu()
    running = Estimator(backend, INPUTS)
    backend.failure = MemoryError("the GPU has too little memory for this frame")
    with pytest.raises(MemoryError, match="too little memory"):
        running.submit([PICTURE]).result()
    assert given_back == [backend.device]
    backend.failure = None
    job = running.submit([PICTURE])
    until(lambda: searches)
    searches[0].done.set()
    assert len(job.result()[0]) == 3
    running.close()
    assert given_back == 2 * [backend.device]


def test_a_gpus_memory_and_the_engine_that_is_being_built_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = OnGpu()
    running = Estimator(backend, INPUTS)
    assert running.about_gpu() == {}
    monkeypatch.setattr(module, "gpu_memory", lambda device: GpuMemory(taken=300, most=200, free=1000))
    monkeypatch.setattr(module, "page_locked", lambda device: 2 * 2**20)
    monkeypatch.setattr(module, "heard", lambda card: f"being built: step 1, {card}")
    backend.frames.page_locked = 3 * 2**20
    assert running.about_gpu() == {
        "GPU memory (MiB)": 300, "GPU memory, most in use (MiB)": 200, "GPU memory, free (MiB)": 1000,
        "page-locked memory (MiB)": 5, "TensorRT engine": f"being built: step 1, {backend.card.name}",
    }  # fmt: skip
    backend.engine_mib = 50
    monkeypatch.setattr(module, "heard", lambda card: "")
    about = running.about_gpu()
    assert (about["GPU memory (MiB)"], "TensorRT engine" in about) == (350, False)
    running.close()
