"""A GPU that is none: the kernels' own source, compiled by g++ and run on the CPU. No test, but what tests load.

Run as a program, it repeats the comparison on small fields with whatever library is given: for sanitizers.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.decode import kernels
from openpose_ros.device import Memory

HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror")
SANITIZED = (
    "1 x 1 cells", "2 x 2 cells", "5 x 33 cells of ties", "a plateau", "no heat", "padding", "cells of nan", "a batch",
    "200 people",
)  # fmt: skip
REAL = "as a network answers photos"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def build(folder: Path, *flags: str, source: str | None = None, names: Sequence[str] = kernels.NAMES) -> Path:
    """The shared library of kernels.cu, or of other kernels, behind shim.h."""
    exports = "\n".join(f"SHIM_EXPORT({name})" for name in names)
    text, library = folder / "kernels.cpp", folder / "kernels.so"
    text.write_text(f'#include "{HERE / "shim.h"}"\n{source or kernels.source()}\n{exports}\n')
    done = subprocess.run(["g++", *FLAGS, *(flags or ("-O2",)), str(text), "-o", str(library)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return library


class Shim:
    """The CPU in the place of openpose_ros.device.Cuda. New memory is full of rubbish, but for what must be zero.

    Attributes:
        launched: names of the kernels, in order.
        downloaded: bytes of each copy to the host.
        streams: of each launch and each copy to the host, in order.
    """

    processors = 1

    def __init__(self, library: Path, backwards: bool = False) -> None:
        self._library = ctypes.CDLL(str(library))
        self._backwards = backwards
        self.launched: list[str] = []
        self.downloaded: list[int] = []
        self.taken = 0
        self.given_back = 0
        self.stream = 0
        self.streams: list[int] = []

    def compile(self, source: str, names: Sequence[str], options: Sequence[str]) -> list[Any]:
        return [getattr(self._library, f"launch_{name}") for name in names]

    def stream_of(self, array: Any) -> int:
        return 7

    def new_stream(self) -> int:
        return 8

    def pointer(self, array: Any) -> int:
        if hasattr(array, "data_ptr"):  # PyTorch's
            assert array.is_contiguous()
            return int(array.data_ptr())
        assert array.flags.c_contiguous and array.dtype == np.float32
        return int(array.ctypes.data)

    @contextmanager
    def on(self, stream: int) -> Iterator[None]:
        assert stream in (7, 8)
        before, self.stream = self.stream, stream
        yield
        self.stream = before

    def zeros(self, size: int) -> Memory:
        self.taken += 1
        array = np.zeros(size, np.uint8)
        return Memory(array.ctypes.data, size, array)

    def pinned(self, size: int) -> Any:
        return np.full(size, 0xA5, np.uint8)

    def launch(self, kernel: Any, blocks: int, threads: int, arguments: Sequence[Any]) -> None:
        values = [np.array(a, np.uint64 if isinstance(a, int) else a.dtype) for a in arguments]
        places = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        sizes = (ctypes.c_size_t * len(values))(*(value.nbytes for value in values))
        self._library.shim_backwards(int(self._backwards))
        wrong = kernel(ctypes.c_uint(blocks), ctypes.c_uint(threads), places, sizes, len(values))
        assert wrong == 0, f"{kernel.__name__}: argument {wrong} has another size, or their number is another (-1)"
        assert self.stream, "a launch on the stream of nobody"
        self.streams.append(self.stream)
        self.launched.append(kernel.__name__.removeprefix("launch_"))

    def upload(self, memory: Memory, values: Any) -> None:
        assert values.flags.c_contiguous and values.nbytes <= memory.size
        ctypes.memmove(memory.pointer, values.ctypes.data, values.nbytes)

    def download(self, values: Any, memory: Memory, first: int, last: int) -> None:
        assert 0 <= first < last <= memory.size and last <= len(values)
        ctypes.memmove(values.ctypes.data + first, memory.pointer + first, last - first)
        self.streams.append(self.stream)
        self.downloaded.append(last - first)

    def event(self) -> list[float]:
        return [0.0]

    def record(self, event: list[float]) -> None:
        event[0] = time.perf_counter()

    def happened(self, event: list[float]) -> bool:
        return bool(event[0])

    def wait(self, event: list[float]) -> None:
        assert event[0]

    def milliseconds(self, first: list[float], last: list[float]) -> float:
        return 1e3 * (last[0] - first[0])

    def give_back(self) -> None:
        self.given_back += 1


def sanitizer_runtimes() -> list[str]:
    """Libraries that must be loaded before anything else for ``SANITIZERS``; none where g++ does not have them."""
    asked = (["g++", f"-print-file-name=lib{name}.so"] for name in ("asan", "ubsan"))
    runtimes = [subprocess.run(words, capture_output=True, text=True).stdout.strip() for words in asked]
    return runtimes if all(os.path.isabs(path) for path in runtimes) else []


def load(name: str) -> Any:
    """A file beside this one, as a module."""
    spec = importlib.util.spec_from_file_location(f"openpose_ros_test_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Some scenes through the given library, with few candidates: a sanitizer makes everything slow. A second argument
    is a file of fields, as ``numpy.savez(file, heatmaps=..., pafs=...)`` writes them."""
    scenes = load("kernel_scenes")
    on_cpu = kernels.Kernels(Shim(Path(sys.argv[1])), threads=32, pair_threads=32)
    every = [scene for scene in (*scenes.small_scenes(), *scenes.scenes()) if scene[0] in SANITIZED]
    for file in sys.argv[2:]:
        with np.load(file) as real:
            grids = scenes.noise(*real["heatmaps"].shape[2:], len(real["heatmaps"])).grids
            fields = replace(every[0][1], heatmaps=real["heatmaps"], pafs=real["pafs"], grids=grids)
        every.append((REAL, fields, scenes.DEFAULTS))
    for name, fields, options in every:
        few = replace(options, max_candidates=min(options.max_candidates, 8))
        scenes.check(on_cpu, fields, few, lambda array: array)
        print(f"{name}: as the array form")


if __name__ == "__main__":
    main()
