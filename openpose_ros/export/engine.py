"""Exported file -> TensorRT engine for a GPU of this machine, compared with PyTorch like everything before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openpose_ros.backends import BackendError, make
from openpose_ros.backends.tensorrt_build import build
from openpose_ros.backends.tensorrt_engine import EngineFile, profiles_for
from openpose_ros.backends.tensorrt_library import Gpu, check_gpu, library
from openpose_ros.export import ExportError
from openpose_ros.export.run import Exported, Judge, Order, check_accuracy, measured_ap
from openpose_ros.options import BackendOptions


def gpu_here(device: str) -> tuple[str, Gpu]:
    """The GPU to build for, as ``cuda:N`` and as TensorRT knows it: asked before the work begins.

    Raises:
        BackendError: there is no TensorRT, no such GPU, or the one does not know the other.
    """
    found = library()
    try:
        from openpose_ros.backends.tensorrt import gpu_of
        from openpose_ros.backends.torch import named_device
    except ImportError as error:
        raise BackendError(f"an engine needs the Python package {error.name}: pip install {error.name}") from None
    where = named_device(device)
    if where == "cpu":
        raise BackendError("an engine is built on the GPU that will run it, and PyTorch finds no NVIDIA GPU here")
    gpu = gpu_of(where)
    check_gpu(found, gpu)
    return where, gpu


def build_engine(
    exported: Exported,
    order: Order,
    sizes: Sequence[tuple[int, int]],
    most: int,
    device: str,
    say: Callable[[str], None],
) -> EngineFile:
    """Build the engine that the tensorrt backend takes for the order's card.

    Args:
        exported: what ``export(order)`` wrote; its network takes float32, because the backend normalises on the GPU.
        order: of it.
        sizes: (height, width) of the network's input that are expected, the usual one first.
        most: images at once.
        device: ``auto``, ``cuda`` or ``cuda:N``.
        say: hears a line after each step.

    Raises:
        ExportError: the engine answers otherwise than PyTorch, or loses AP where that is measured; it is removed.
        BackendError: there is no TensorRT or no GPU, or it cannot build the engine.
        OSError: the engine cannot be written.
    """
    where, gpu = gpu_here(device)
    profiles = profiles_for(sizes, order.card.stride, most)
    engine = build(exported.card.verified_weights(), order.card, order.precision, profiles, gpu)
    say(f"engine: {engine.path} ({engine.path.stat().st_size / 1e6:.1f} MB)")
    options = BackendOptions(backend="tensorrt", device=where, precision=order.precision)
    try:
        name = f"{order.precision} in TensorRT"
        Judge(order, say)(name, make("tensorrt", order.card, options), order.precision)
        if exported.ap is not None:
            found = measured_ap(order, make("tensorrt", order.card, options))
            check_accuracy(order, name, (exported.ap[0], found), say)
    except ExportError:
        engine.path.unlink(missing_ok=True)
        raise
    return engine
