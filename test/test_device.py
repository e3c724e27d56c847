"""The GPU's half of the device, as far as it goes without one: what is said, and whose memory CuPy takes."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openpose_ros import device
from openpose_ros.device import Cuda, GpuError


@pytest.fixture
def no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.mark.usefixtures("no_cupy")
def test_without_cupy_there_is_no_gpu_and_the_reason_says_what_to_install() -> None:
    assert not device.has_gpu()
    with pytest.raises(GpuError, match="CuPy cannot be imported .*pip install cupy-cuda13x"):
        Cuda(0)


def test_a_driver_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(index: int) -> None:
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    fake = SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceProperties=refuse)))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    with pytest.raises(GpuError, match="cannot use GPU 2: .*driver version is insufficient"):
        Cuda(2)


def test_arrays_on_the_host_lie_on_no_gpu() -> None:
    assert device.gpu_index(np.zeros(3)) is None
    torch = pytest.importorskip("torch")
    assert device.gpu_index(torch.zeros(3)) is None


class FullOfCuPyError(MemoryError):
    """As CuPy's."""


class FullOfPyTorchError(RuntimeError):
    """As PyTorch's."""


@pytest.mark.parametrize("full", [FullOfCuPyError, FullOfPyTorchError])
def test_memory_that_is_used_up_is_one_sentence(monkeypatch: pytest.MonkeyPatch, full: type[Exception]) -> None:
    def zeros(size: int, kind: Any) -> Any:
        raise full("out of memory\nand much more")

    monkeypatch.setattr(device, "_share_memory", lambda cupy: (FullOfCuPyError, FullOfPyTorchError))
    properties = {"name": b"NVIDIA T4", "multiProcessorCount": 40}
    fake = SimpleNamespace(
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceProperties=lambda index: properties)), zeros=zeros
    )
    monkeypatch.setitem(sys.modules, "cupy", fake)
    with pytest.raises(MemoryError, match=r"^NVIDIA T4 has too little memory for 3.0 MiB more.*\(out of memory\)$"):
        Cuda(0).zeros(3 * 2**20)


def test_a_gpus_memory_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[str] = []
    cuda = SimpleNamespace(
        memory_reserved=lambda name: 7 * 2**20,
        max_memory_allocated=lambda name: 5 * 2**20,
        mem_get_info=lambda name: (100 * 2**20, 200 * 2**20),
        reset_peak_memory_stats=reset.append,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert device.gpu_memory("cuda:1") == (7, 5, 100)
    assert device.gpu_memory("cpu") is None
    device.forget_peak("cuda:1")
    device.forget_peak("cpu")
    assert reset == ["cuda:1"]
    torch = pytest.importorskip("torch", reason="the stand-in is compared with PyTorch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert all(hasattr(torch.cuda, name) for name in vars(cuda))


def test_cupy_takes_its_memory_from_pytorch_where_that_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[int, tuple[int, int, int]] = {}

    def take(size: int, index: int, stream: int) -> int:
        given[4096] = size, index, stream
        return 4096

    torch = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            caching_allocator_alloc=take,
            caching_allocator_delete=given.pop,
            OutOfMemoryError=FullOfPyTorchError,
        )
    )
    allocators: list[Any] = []
    cuda = SimpleNamespace(
        set_allocator=allocators.append,
        PythonFunctionAllocator=lambda take, give_back: SimpleNamespace(malloc=(take, give_back)),
        get_current_stream=lambda: SimpleNamespace(ptr=77),
        memory=SimpleNamespace(OutOfMemoryError=FullOfCuPyError),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert device._share_memory(SimpleNamespace(cuda=cuda)) == (FullOfCuPyError, FullOfPyTorchError)
    ((allocate, give_back),) = allocators
    assert allocate(1000, 1) == 4096
    assert given == {4096: (1000, 1, 77)}
    give_back(4096, 1)
    assert not given


def test_all_that_is_asked_of_cupy_is_there() -> None:
    cupy = pytest.importorskip("cupy", reason="needs CuPy")
    for name in (
        "alloc_pinned_memory", "Device", "Event", "get_current_stream", "get_elapsed_time", "is_available",
        "PythonFunctionAllocator", "set_allocator", "Stream", "runtime.getDeviceProperties", "runtime.memcpyAsync",
        "runtime.memcpyDeviceToHost", "runtime.memcpyHostToDevice", "compiler.CompileException",
        "memory.OutOfMemoryError", "Event.done", "Event.synchronize",
    ):  # fmt: skip
        found = cupy.cuda
        for part in name.split("."):
            found = getattr(found, part)
    assert hasattr(cupy.cuda.Stream, "from_external") or hasattr(cupy.cuda, "ExternalStream")
    if hasattr(cupy.cuda.Stream, "from_external"):
        assert cupy.cuda.Stream.from_external(device._Stream(94112)).ptr == 94112
    assert "non_blocking" in str(inspect.signature(cupy.cuda.Stream.__init__))
    module = cupy.RawModule(code='extern "C" __global__ void f() {}', options=("--std=c++17", "--fmad=false"))
    assert callable(module.compile) and callable(module.get_function)
    for pool in (cupy.get_default_memory_pool(), cupy.get_default_pinned_memory_pool()):
        assert callable(pool.free_all_blocks)
