"""OpenVINO: the network on a CPU, several times faster than PyTorch where the CPU has AMX.

Runs the torch networks, which it reads in this process, and files that carry their own network (``graph`` cards), among
them those that ``export`` writes in int8.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.backends import BackendError, openvino_cache
from openpose_ros.backends.openvino_cache import Compiled
from openpose_ros.backends.openvino_graph import Part, fed_with_bytes, ov, read, reason
from openpose_ros.backends.signal_stack import kept_signal_stack
from openpose_ros.card import Card
from openpose_ros.fields import Fields
from openpose_ros.machine import LIMIT, fast_bfloat16, without_bfloat16
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch, Image

Floats = npt.NDArray[np.float32]

HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""Our precisions as OpenVINO's hints."""

NAMES = {hint: name for name, hint in HINTS.items()}

REMEMBERED_SIZES = 1000
"""Capacity of OpenVINO's cache of prepared layers, one entry a layer and input size: some fifteen sizes."""


class OpenVINOBackend:
    """A card's network in OpenVINO; see :class:`~openpose_ros.backends.Backend`.

    Bytes go in; normalisation and colour order are part of the compiled network. Its answers are written into the very
    arrays that the caller gets. Any sizes and batches work, a new one costs a little more once.

    Attributes:
        at_once: images that are worked on together, of one batch or of calls from several threads: 1 with the hint
            ``latency``, with ``throughput`` what OpenVINO finds best.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, card: Card, options: BackendOptions) -> None:
        """Read and compile the network, or take it from the cache.

        Raises:
            BackendError: OpenVINO cannot run the network, or not as the options ask.
            CardError: the card's weights are missing or not what the card says.
        """
        if options.device not in ("auto", "cpu"):
            raise BackendError(f"device is {options.device!r}, but the openvino backend runs on the CPU")
        self.card = card
        with kept_signal_stack():
            self._prepare(card, options)

    def _prepare(self, card: Card, options: BackendOptions) -> None:
        # What a file has in int8 is computed in int8; this is about the rest of it: a few layers, the last ones among
        # them, which take as long in float32 and cost 0.2 AP in bfloat16 (docs/speed.md).
        in_int8 = card.network.get("precision") == "int8"
        wanted = "float32" if in_int8 and options.precision in ("int8", "auto") else options.precision
        automatic = wanted == "auto"
        if automatic:
            wanted = "bfloat16" if fast_bfloat16() else "float32"
        if wanted == "bfloat16" and without_bfloat16():  # OpenVINO 2026.4 would end the process
            raise BackendError(f"precision is bfloat16, but {LIMIT}={os.environ[LIMIT]} forbids it")
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": options.hint.upper(),
            "INFERENCE_PRECISION_HINT": HINTS[wanted],
            "CPU_RUNTIME_CACHE_CAPACITY": REMEMBERED_SIZES,
        }
        if options.threads:
            settings["INFERENCE_NUM_THREADS"] = options.threads
        compiled = _compiled(card, settings)
        self._model, self._parts = compiled.model, (compiled.heatmaps, compiled.pafs)
        taken = NAMES[self._model.get_property("INFERENCE_PRECISION_HINT").get_type_name()]
        if not automatic and taken != wanted:
            raise BackendError(f"precision is {wanted}, but OpenVINO computes in {taken} on this CPU")
        self.precision = "int8" if in_int8 else taken
        best = int(self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.at_once = best if options.hint == "throughput" else 1
        self._shapes: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.at_once):
            self._free.put(self._model.create_infer_request())

    def __call__(self, batch: Batch) -> Fields:
        answers = self._answers(batch.images)
        heatmaps, pafs = (_channels(answers[part.output], part) for part in self._parts)
        return Fields(
            heatmaps,
            pafs.reshape(len(pafs), -1, 2, *pafs.shape[2:]),
            batch.grids,
            self.card.skeleton,
            self.card.paf_offset,
            self.card.heat_offset,
        )

    def close(self) -> None:
        with kept_signal_stack():
            del self._free, self._model

    def _answers(self, images: Image) -> list[Floats]:
        """What the network answers to a batch, output by output, whole (B, channels, h, w)."""
        pieces = [images[row : row + 1] for row in range(len(images))] if self.at_once > 1 else [images]
        shape = pieces[0].shape
        if shape not in self._shapes:
            first = self._first(pieces[0])
            if len(pieces) == 1:
                return first
        whole = [np.empty((len(images), *answer[1:]), np.float32) for answer in self._shapes[shape]]
        working: deque[Any] = deque()
        try:
            for row, piece in enumerate(pieces):
                working.append(self._idle(working))
                for number, answer in enumerate(whole):
                    place = answer[row : row + 1] if len(pieces) > 1 else answer
                    working[-1].set_output_tensor(number, ov.Tensor(place, shared_memory=True))
                working[-1].start_async([piece], share_inputs=True)
            while working:
                self._finish(working)
        finally:
            for _ in working:  # what an exception has left may still be busy
                self._free.put(self._model.create_infer_request())
        return whole

    def _first(self, images: Image) -> list[Floats]:
        """The answers to images of a size that is new: only they tell what room the next ones need."""
        request = self._model.create_infer_request()
        request.infer([images], share_inputs=True)
        # The request's own memory goes with it.
        answers = [np.array(request.get_output_tensor(n).data, np.float32) for n in range(len(self._model.outputs))]
        self._shapes[images.shape] = [answer.shape for answer in answers]
        return answers

    def _idle(self, working: deque[Any]) -> Any:
        """A request that does nothing. Whoever holds some waits for those first: others may be waiting for them."""
        while True:
            try:
                return self._free.get(block=not working)
            except Empty:
                self._finish(working)

    def _finish(self, working: deque[Any]) -> None:
        """Wait for the oldest request."""
        working[0].wait()
        self._free.put(working.popleft())


def _compiled(card: Card, settings: Mapping[str, Any]) -> Compiled:
    """The network, ready to run."""
    path = openvino_cache.place(card, settings)
    kept = openvino_cache.load(path, settings)
    if kept is not None:
        return kept
    graph = read(card)
    try:
        model = ov.Core().compile_model(fed_with_bytes(graph, card), "CPU", dict(settings))
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot run {card.name}: {reason(error)}") from None
    made = Compiled(model, graph.heatmaps, graph.pafs)
    openvino_cache.keep(path, made)
    return made


def _channels(answer: Floats, part: Part) -> Floats:
    """(B, channels, h, w), contiguous: nothing is copied where the part is all of the answer."""
    return np.ascontiguousarray(answer[:, part.first : part.last])
