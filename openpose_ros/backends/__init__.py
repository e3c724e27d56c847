"""Backends: a batch of images -> Fields. One of them is chosen when the estimator is loaded."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from openpose_ros.backends.synthetic import SyntheticBackend as SyntheticBackend
from openpose_ros.backends.synthetic import synthetic_card as synthetic_card
from openpose_ros.card import Card, CardError
from openpose_ros.fields import Fields
from openpose_ros.machine import gpu_driver
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch
from openpose_ros.weights.catalogue import int8_card

if TYPE_CHECKING:
    from openpose_ros.backends.cuda import Frames

_log = logging.getLogger(__name__)


class BackendError(ValueError):
    """A backend that does not work here or cannot run the card; the text says why, in one sentence."""


class Backend(Protocol):
    """Runs one card's network. To be called from one thread at a time, or from :func:`at_once` threads.

    One that runs on an NVIDIA GPU also has ``frames`` (:func:`frames_of`).

    Attributes:
        name: as in :class:`~openpose_ros.options.BackendOptions`.
        device: ``cpu`` or ``cuda:N``, where the network runs and its fields lie.
        precision: arithmetic of the network: ``float32``, ``bfloat16``, ``float16`` or ``int8``.
        card: what it runs.
    """

    name: str
    device: str
    precision: str
    card: Card

    def __call__(self, batch: Batch) -> Fields:
        """Fields of a batch, float32: NumPy arrays on the CPU, torch tensors on a GPU. They are the caller's."""
        ...

    def close(self) -> None:
        """Give memory back; the backend is not called again."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A backend that does not take batches of every shape."""

    def takes(self, shape: tuple[int, int, int]) -> bool:
        """Whether a batch of so many images of a height and width can be given."""
        ...


def takes(backend: Backend, batch: Batch) -> bool:
    """Whether the backend can be given a batch at once."""
    count, height, width, _ = batch.images.shape
    return not isinstance(backend, Limited) or backend.takes((count, height, width))


def frames_of(backend: Backend) -> Frames | None:
    """What a backend's frames go through on an NVIDIA GPU; None where it runs on a CPU."""
    frames: Frames | None = getattr(backend, "frames", None)
    return frames


def at_once(backend: Backend) -> int:
    """How many calls of a backend may be under way: those of one that works on several images together are counted by
    its ``at_once``."""
    return int(getattr(backend, "at_once", 1))


class Source(NamedTuple):
    """Where a backend is implemented, and the package that it needs."""

    module: str
    implementation: str
    package: str


SOURCES = {
    "tensorrt": Source("openpose_ros.backends.tensorrt", "TensorRTBackend", "torch"),
    "torch": Source("openpose_ros.backends.torch", "TorchBackend", "torch"),
    "torch_compile": Source("openpose_ros.backends.torch", "CompiledTorchBackend", "torch"),
    "openvino": Source("openpose_ros.backends.openvino", "OpenVINOBackend", "openvino"),
}


def choose(card: Card, options: BackendOptions) -> Backend:
    """The backend that the options name, or for ``auto`` the fastest that works; one log line says which.

    On a GPU ``auto`` takes a TensorRT engine that ``export --engine`` has built, but builds none, which would take
    minutes: without one it takes PyTorch, and the line says the command.

    Raises:
        BackendError: the backend, its device or its precision does not work here, or not for this card.
        CardError: the card's weights are missing or not what the card says.
    """
    kind = card.network["type"]
    refusals: list[str] = []
    if options.backend == "auto" and kind != "synthetic":
        backend = _first_that_works(card, options, refusals)
    else:
        backend = make("synthetic" if options.backend == "auto" else options.backend, card, options)
    why = f" ({'; '.join(refusals)})" if refusals else ""
    _log.info("%s runs %s on %s in %s%s", backend.name, card.name, backend.device, backend.precision, why)
    return backend


def make(name: str, card: Card, options: BackendOptions) -> Backend:
    """The named backend, its network loaded.

    Raises:
        BackendError, CardError: as :func:`choose`.
    """
    if name == "synthetic":
        return SyntheticBackend(card)
    if name not in SOURCES:
        raise BackendError(f"unknown backend {name!r}; expected one of auto, {', '.join(SOURCES)}, synthetic")
    if options.precision in ("auto", "int8") and card.network.get("precision") != "int8":
        card, options = _in_int8(name, card, options)
    source = SOURCES[name]
    try:
        module = import_module(source.module)
    except (ImportError, OSError) as error:  # OSError: a library of its own is missing
        raise BackendError(
            f"the {name} backend needs the Python package {source.package}, which cannot be imported ({error}): "
            f"pip install {source.package}"
        ) from None
    backend: Backend = getattr(module, source.implementation)(card, options)
    return backend


def _in_int8(name: str, card: Card, options: BackendOptions) -> tuple[Card, BackendOptions]:
    """The card of the network's file in int8, for the backend that reads it; ``auto`` takes one that is there."""
    if name != "openvino":  # TensorRT makes its own
        if options.precision == "int8" and name != "tensorrt":
            raise BackendError(f"precision int8 is for the openvino and tensorrt backends; {name} has none")
        return card, options
    try:
        found = int8_card(card)
        if options.precision == "auto":
            found.verified_weights()
    except CardError as error:
        if options.precision == "int8":
            raise BackendError(str(error)) from None
        return card, options
    return found, replace(options, precision="int8")


def _first_that_works(card: Card, options: BackendOptions, refusals: list[str]) -> Backend:
    """The best backend that works; why those before it do not goes into ``refusals``."""
    order = ("tensorrt", "torch", "openvino") if _gpu_wanted(card, options) else ("openvino", "torch")
    for name in order:
        try:
            return make(name, card, options)
        except BackendError as error:
            refusals.append(str(error))
    raise BackendError(f"nothing here can run {card.name}: {'; '.join(refusals)}")


def _gpu_wanted(card: Card, options: BackendOptions) -> bool:
    """Whether the network can and may run on a GPU that PyTorch sees."""
    if options.device == "cpu" or card.network["type"] == "graph":
        return False
    if options.device.startswith("cuda"):
        return True
    if not gpu_driver():
        return False
    try:
        from openpose_ros.backends.torch import has_cuda
    except (ImportError, OSError):
        return False
    return has_cuda()
