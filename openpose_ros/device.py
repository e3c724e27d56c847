"""GPUs: through CuPy, and how much memory this process takes on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from array_api_compat import is_cupy_array, is_torch_array

Bytes = npt.NDArray[np.uint8]


class GpuMemory(NamedTuple):
    """Memory of a GPU in MiB.

    Attributes:
        taken: what this process has taken through PyTorch, CuPy's part included; what is in use and what is kept.
        most: the most that was in use at once since :func:`forget_peak`, or since the start.
        free: what nobody has taken. On a Jetson that is the main memory, too.
    """

    taken: int
    most: int
    free: int


def gpu_memory(device: str) -> GpuMemory | None:
    """How a GPU's memory is used; None where this process uses none.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    torch = sys.modules.get("torch")  # whoever uses a GPU has imported it
    if torch is None or not device.startswith("cuda"):
        return None
    cuda = torch.cuda
    return GpuMemory(
        *(int(count) // 2**20 for count in (
            cuda.memory_reserved(device), cuda.max_memory_allocated(device), cuda.mem_get_info(device)[0],
        ))
    )  # fmt: skip


def forget_peak(device: str) -> None:
    """Count the most GPU memory in use anew from now on."""
    if device.startswith("cuda"):
        sys.modules["torch"].cuda.reset_peak_memory_stats(device)


class GpuError(RuntimeError):
    """CuPy cannot work on a GPU; the text says why and what to do."""


@dataclass(frozen=True, eq=False)
class Memory:
    """Bytes of a GPU: where they begin and how many they are. They are given back with ``owner``."""

    pointer: int
    size: int
    owner: Any


class Gpu(Protocol):
    """What kernels ask of a GPU; :class:`Cuda` says what each one does."""

    processors: int

    def compile(self, source: str, names: Sequence[str], options: Sequence[str]) -> list[Any]: ...
    def stream_of(self, array: Any) -> int: ...
    def pointer(self, array: Any) -> int: ...
    def new_stream(self) -> int: ...
    def on(self, stream: int) -> Any: ...
    def zeros(self, size: int) -> Memory: ...
    def pinned(self, size: int) -> Bytes: ...
    def launch(self, kernel: Any, blocks: int, threads: int, arguments: Sequence[Any]) -> None: ...
    def upload(self, memory: Memory, values: npt.NDArray[Any]) -> None: ...
    def download(self, values: Bytes, memory: Memory, first: int, last: int) -> None: ...
    def event(self) -> Any: ...
    def record(self, event: Any) -> None: ...
    def happened(self, event: Any) -> bool: ...
    def wait(self, event: Any) -> None: ...
    def milliseconds(self, first: Any, last: Any) -> float: ...
    def give_back(self) -> None: ...


class Cuda:
    """One NVIDIA GPU through CuPy: memory, copies, kernels and clocks, all on a stream of the caller.

    Where PyTorch is in use, CuPy takes its memory from PyTorch's pool, so that neither hoards what the other lacks.
    """

    def __init__(self, index: int) -> None:
        """Take the GPU of that number.

        Raises:
            GpuError: CuPy is not installed, does not fit the driver, or sees no such GPU.
        """
        try:
            import cupy

            properties = cupy.cuda.runtime.getDeviceProperties(index)
        except ImportError as error:
            raise GpuError(
                f"CuPy cannot be imported ({error}): pip install cupy-cuda13x, or cupy-cuda12x for CUDA 12"
            ) from None
        except RuntimeError as error:
            raise GpuError(f"CuPy cannot use GPU {index}: {error}") from None
        self._cupy = cupy
        self.index = index
        self.name: str = properties["name"].decode()
        self.processors: int = properties["multiProcessorCount"]
        self._full = _share_memory(cupy)
        self._streams: list[Any] = []

    def compile(self, source: str, names: Sequence[str], options: Sequence[str]) -> list[Any]:
        """Kernels of CUDA source; CuPy keeps what it compiled in ``CUPY_CACHE_DIR`` for the next start.

        Raises:
            GpuError: NVRTC is missing, or it or the driver refuses.
        """
        cupy = self._cupy
        try:
            with cupy.cuda.Device(self.index):
                module = cupy.RawModule(code=source, options=tuple(options))
                module.compile()
                return [module.get_function(name) for name in names]
        except (RuntimeError, OSError, cupy.cuda.compiler.CompileException) as error:
            raise GpuError(f"CuPy cannot compile for {self.name}: {error}") from error

    def stream_of(self, array: Any) -> int:
        """The stream on which whoever holds this array works now."""
        if is_torch_array(array):
            return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)
        with self._cupy.cuda.Device(self.index):
            return int(self._cupy.cuda.get_current_stream().ptr)

    def pointer(self, array: Any) -> int:
        """Where the elements of a contiguous array of PyTorch or CuPy begin."""
        return int(array.data_ptr() if is_torch_array(array) else array.data.ptr)

    def new_stream(self) -> int:
        """A stream that waits for no other one; it lasts as long as this."""
        with self._cupy.cuda.Device(self.index):
            self._streams.append(self._cupy.cuda.Stream(non_blocking=True))
        return int(self._streams[-1].ptr)

    @contextmanager
    def on(self, stream: int) -> Iterator[None]:
        """Within the block everything below, and what CuPy does otherwise, is queued there."""
        cuda = self._cupy.cuda
        modern = hasattr(cuda.Stream, "from_external")  # since CuPy 14
        queue = cuda.Stream.from_external(_Stream(stream)) if modern else cuda.ExternalStream(stream, self.index)
        with cuda.Device(self.index), queue:
            yield

    def zeros(self, size: int) -> Memory:
        """So many bytes of the GPU.

        Raises:
            MemoryError: there are no more so many.
        """
        try:
            array = self._cupy.zeros(size, np.uint8)
        except self._full as error:
            raise MemoryError(
                f"{self.name} has too little memory for {size / 2**20:.1f} MiB more; take a smaller input_size or "
                f"fewer candidates (max_candidates), or end what else runs there ({str(error).splitlines()[0]})"
            ) from error
        return Memory(array.data.ptr, size, array)

    def pinned(self, size: int) -> Bytes:
        """So many bytes of the host that the GPU writes to without a detour."""
        return np.frombuffer(self._cupy.cuda.alloc_pinned_memory(size), np.uint8, size)

    def launch(self, kernel: Any, blocks: int, threads: int, arguments: Sequence[Any]) -> None:
        """Queue a kernel. Arguments are NumPy scalars of the very type, and int for pointers."""
        kernel((blocks,), (threads,), tuple(arguments))

    def upload(self, memory: Memory, values: npt.NDArray[Any]) -> None:
        """Queue a copy to the front of ``memory``; ``values`` may change afterwards."""
        self._copy(memory.pointer, values.ctypes.data, values.nbytes, "memcpyHostToDevice")

    def download(self, values: Bytes, memory: Memory, first: int, last: int) -> None:
        """Queue a copy of the bytes from ``first`` to before ``last`` to the same place in pinned ``values``."""
        source, target = memory.pointer + first, values.ctypes.data + first
        self._copy(target, source, last - first, "memcpyDeviceToHost")

    def event(self) -> Any:
        """Something to wait for without keeping a core busy, and to read the time from."""
        return self._cupy.cuda.Event(block=True)

    def record(self, event: Any) -> None:
        """Queue that it happens."""
        event.record()

    def happened(self, event: Any) -> bool:
        """Whether it has happened; returns at once."""
        return bool(event.done)

    def wait(self, event: Any) -> None:
        """Return when it has happened."""
        event.synchronize()

    def milliseconds(self, first: Any, last: Any) -> float:
        """Between two events that have happened."""
        return float(self._cupy.cuda.get_elapsed_time(first, last))

    def give_back(self) -> None:
        """Return memory that CuPy keeps for later and nobody uses; PyTorch's is PyTorch's to return."""
        self._cupy.get_default_memory_pool().free_all_blocks()
        self._cupy.get_default_pinned_memory_pool().free_all_blocks()

    def _copy(self, target: int, source: int, size: int, kind: str) -> None:
        runtime = self._cupy.cuda.runtime
        runtime.memcpyAsync(target, source, size, getattr(runtime, kind), self._cupy.cuda.get_current_stream().ptr)


@dataclass(frozen=True)
class _Stream:
    """What CuPy asks of a stream that is not its own."""

    pointer: int

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.pointer


def gpu_index(array: Any) -> int | None:
    """The number of the NVIDIA GPU on which an array of PyTorch or CuPy lies; None for any other array."""
    if is_torch_array(array):
        return int(array.device.index) if array.device.type == "cuda" else None
    return int(array.device.id) if is_cupy_array(array) else None


def has_gpu() -> bool:
    """Whether CuPy is installed and sees an NVIDIA GPU."""
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def on_gpu(array: npt.NDArray[Any]) -> Any:
    """A copy on the first GPU: PyTorch's where that sees one, else CuPy's."""
    try:
        import torch
    except ImportError:
        torch = None  # type: ignore[assignment]
    if torch is not None and torch.cuda.is_available():
        return torch.from_numpy(array).cuda()
    import cupy

    return cupy.asarray(array)


def _share_memory(cupy: Any) -> tuple[type[Exception], ...]:
    """Let CuPy allocate from PyTorch's pool, where PyTorch is in use; what is raised where memory is used up."""
    torch = sys.modules.get("torch")
    full: type[Exception] = cupy.cuda.memory.OutOfMemoryError
    if torch is None or not torch.cuda.is_available():
        return (full,)

    def take(size: int, device: int) -> int:
        return int(torch.cuda.caching_allocator_alloc(size, device, cupy.cuda.get_current_stream().ptr))

    def give_back(pointer: int, _device: int) -> None:
        if not sys.is_finalizing():
            torch.cuda.caching_allocator_delete(pointer)

    cupy.cuda.set_allocator(cupy.cuda.PythonFunctionAllocator(take, give_back).malloc)
    return full, torch.cuda.OutOfMemoryError
