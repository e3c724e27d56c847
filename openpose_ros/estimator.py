"""Estimator: image -> People. The one facade that the node, predict, evaluate and benchmark call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_api_compat import is_numpy_array

from openpose_ros.average import Pass, average, forget_tables
from openpose_ros.backends import Backend, at_once, choose, frames_of, synthetic_card, takes
from openpose_ros.backends.tensorrt_progress import heard
from openpose_ros.card import Card
from openpose_ros.decode import (
    Candidates,
    PersonScore,
    Underway,
    begin,
    candidates,
    forget_memory,
    load_person_score,
    page_locked,
    people,
)
from openpose_ros.device import gpu_memory
from openpose_ros.fields import Fields
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Batch, Image, Pictures, check_image, plan
from openpose_ros.skeleton import Skeleton
from openpose_ros.weights.catalogue import find_card
from openpose_ros.weights.default import default_model


class Answer(NamedTuple):
    """What the network's thread hands over: fields, milliseconds spent, and candidates where the fields are on a GPU.

    On a CPU they are left to whoever asks for the people: that is when the network may begin with the next batch. On a
    GPU they are queued behind the network, and nobody has waited for either yet.
    """

    fields: Fields
    spent: dict[str, float]
    found: Candidates | Underway | None
    clock: Callable[[], dict[str, float]] = dict
    """Milliseconds by a GPU's clock, once it has answered."""


class Job:
    """A submitted batch. ``result()`` waits for the network and finds the people in its fields.

    Attributes:
        milliseconds: after ``result()``, wall time of preprocess, network, peaks, limbs and assemble. On a GPU network,
            peaks, limbs, and with them upload, resize and copy, are by its clock, and preprocess is what the host did.
        found: after ``result()``, what the people were made of: the fields, and the candidates for joints and limbs.
    """

    def __init__(self, future: Future[Answer], options: DecodeOptions, person_score: PersonScore) -> None:
        self._future = future
        self._options = options
        self._person_score = person_score
        self.milliseconds: dict[str, float] = {}
        self.found: Candidates | None = None

    def wait(self) -> None:
        """Wait until the network is free for another batch. What went wrong, if anything, is told by ``result()``."""
        wait([self._future])
        if self._future.cancelled() or self._future.exception() is not None:
            return
        found = self._future.result().found
        if isinstance(found, Underway):
            with suppress(RuntimeError):  # CUDA tells it again
                found.wait()

    def result(self, timeout: float | None = None) -> list[People]:
        """The people of each image of the batch, best first.

        Raises:
            TimeoutError: the network did not answer within ``timeout`` seconds.
            Exception: what the backend raised for this batch.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            fields, spent, found, clock = self._future.result(timeout)
        except FutureTimeoutError:  # before Python 3.11 not the built-in one
            raise TimeoutError(f"no answer from the network within {timeout} seconds") from None
        if isinstance(found, Underway):
            found.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
            found = self.found or found.candidates()
        found = found or candidates(fields, self._options)
        began = time.perf_counter()
        results = people(found, self._options, self._person_score)
        self.found = found
        self.milliseconds = {**spent, **clock(), **found.milliseconds, "assemble": 1e3 * (time.perf_counter() - began)}
        return results


class Estimator:
    """A network and a decoder, ready.

    ``inputs`` and ``decode`` may be replaced between frames. The network runs in a thread of its own (in several where
    the backend works on several batches at once), so that the next batch can be submitted while the people of this one
    are found; use one Estimator from one thread.
    """

    def __init__(
        self, backend: Backend, inputs: InputOptions | None = None, decode: DecodeOptions | None = None
    ) -> None:
        self.backend = backend
        self.inputs = inputs or InputOptions()
        self.decode = decode or DecodeOptions()
        self.person_score = load_person_score(backend.card)
        self._frames = frames_of(backend)
        self._worker = ThreadPoolExecutor(at_once(backend), thread_name_prefix="openpose_ros network")

    @classmethod
    def load(
        cls,
        model: str | Path = "",
        backend: str = "auto",
        device: str = "auto",
        *,
        precision: str = "auto",
        threads: int = 0,
        hint: str = "latency",
        inputs: InputOptions | None = None,
        decode: DecodeOptions | None = None,
    ) -> Estimator:
        """Card -> network and decoder.

        Args:
            model: path of a card or of a weight file beside its card, or the name of an installed model; empty takes
                the bundled one, and none with the synthetic backend.
            backend, device, precision, threads, hint: see :class:`~openpose_ros.options.BackendOptions`.

        Raises:
            CardError: the card or its weights are missing, torn or not what they say.
            BackendError: the backend cannot run here or cannot run this card.
        """
        options = BackendOptions.from_mapping(
            {"backend": backend, "device": device, "precision": precision, "threads": threads, "hint": hint}
        )
        if backend == "synthetic" and not str(model):
            card = synthetic_card()
        else:
            card = Card.load(find_card(model) if str(model) else default_model())
        estimator = cls(choose(card, options), inputs, decode)
        # The first frame must not pay for the compilation of the decoder's loops.
        estimator(np.zeros((64, 64, 3), np.uint8))
        return estimator

    @property
    def card(self) -> Card:
        return self.backend.card

    @property
    def skeleton(self) -> Skeleton:
        return self.card.skeleton

    def __call__(self, image: Image) -> People:
        """The people of one (H, W, 3) uint8 BGR image, in its own pixels."""
        return self.submit([image]).result()[0]

    def submit(self, images: Sequence[Image]) -> Job:
        """Start on a batch of (H, W, 3) uint8 BGR images, of any sizes.

        Raises:
            ValueError: an image is not of that form; nothing was started.
        """
        for image in images:
            check_image(image)
        if not images:
            raise ValueError("a batch needs at least one image")
        decode = self.decode
        return Job(self._worker.submit(self._answer, list(images), self.inputs, decode), decode, self.person_score)

    def fields(self, images: Sequence[Image], inputs: InputOptions | None = None) -> Fields:
        """Heatmaps and PAFs of a batch, averaged over the scales and the mirrored pass that the options ask for."""
        return self._worker.submit(self._only_fields, list(images), inputs or self.inputs).result()

    def about_gpu(self) -> dict[str, int | str]:
        """What there is to tell of a GPU, by what it is: memory in MiB, and an engine that somebody builds just now.
        Empty on a CPU."""
        device, frames = self.backend.device, self._frames
        used = gpu_memory(device)
        if used is None:
            return {}
        # PyTorch does not count what a TensorRT engine takes for its weights.
        weights = int(getattr(self.backend, "engine_mib", 0))
        locked = page_locked(device) + (0 if frames is None else frames.page_locked)
        about: dict[str, int | str] = {
            "GPU memory (MiB)": used.taken + weights,
            "GPU memory, most in use (MiB)": used.most + weights,
            "GPU memory, free (MiB)": used.free,
            "page-locked memory (MiB)": locked // 2**20,
        }
        return about | ({"TensorRT engine": word} if (word := heard(self.card.name)) else {})

    def close(self) -> None:
        """Wait for the batch in progress and give everything back."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._forget()
        self.backend.close()

    def _answer(self, images: list[Image], inputs: InputOptions, options: DecodeOptions) -> Answer:
        try:
            with nullcontext() if self._frames is None else self._frames.queue():
                fields, spent = self._fields(images, inputs)
                found = None if is_numpy_array(fields.heatmaps) else begin(fields, options)
        except MemoryError:  # an error of this batch, and no reason to keep from the next what they need
            self._forget()
            raise
        return Answer(fields, spent, found, dict if self._frames is None else self._frames.clock.milliseconds)

    def _forget(self) -> None:
        """Give back what averaging and decoding keep from frame to frame."""
        forget_tables()
        forget_memory(self.backend.device)

    def _only_fields(self, images: list[Image], inputs: InputOptions) -> Fields:
        with nullcontext() if self._frames is None else self._frames.queue():
            return self._fields(images, inputs)[0]

    def _fields(self, images: list[Image], inputs: InputOptions) -> tuple[Fields, dict[str, float]]:
        spent = {"preprocess": 0.0, "network": 0.0}
        passes: list[Pass] = []
        began = time.perf_counter()
        pictures = Pictures(images) if self._frames is None else self._frames.pictures(images)
        spent["preprocess"] += 1e3 * (time.perf_counter() - began)
        for scale in inputs.scale_list():
            began = time.perf_counter()
            grids = [plan((image.shape[0], image.shape[1]), inputs, self.card.stride, scale) for image in images]
            batch = pictures.batch(grids * (2 if inputs.flip else 1), self.card.pad_value)
            ready = time.perf_counter()
            passes += self._looks(batch, len(images))
            spent["preprocess"] += 1e3 * (ready - began)
            spent["network"] += 1e3 * (time.perf_counter() - ready)
        return average(passes), spent

    def _looks(self, batch: Batch, images: int) -> list[Pass]:
        """The looks at so many images, of a batch that holds all of them as they are and then, perhaps, mirrored.

        Both go through the network together, where the backend takes so many.
        """
        parts = range(0, len(batch.grids), images)
        if takes(self.backend, batch):
            fields = self.backend(batch)
            return [Pass(fields.of(first, first + images), first > 0) for first in parts]
        return [Pass(self.backend(batch.of(first, first + images)), first > 0) for first in parts]
