"""The .cu files in NVIDIA's own compilers, for every generation of GPUs that is in use. Needs no GPU."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from openpose_ros.decode import kernels

PROGRAMS = ["decode.kernels", "backends.lens"]

GENERATIONS = (75, 80, 86, 87, 89, 90, 120)
"""T4, A100, RTX 30, Orin, RTX 40, H100, RTX 50."""


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Any:
    """A module with the ``source()`` of a .cu file, the ``NAMES`` of its kernels and the compiler's ``OPTIONS``."""
    return pytest.importorskip(f"openpose_ros.{request.param}")


@pytest.fixture(scope="session")
def nvrtc() -> ctypes.CDLL:
    """The library that CuPy compiles with: PyTorch for CUDA and the CUDA toolkit bring it, too."""
    package = importlib.util.find_spec("nvidia")
    places = [] if package is None else [Path(place) for place in package.submodule_search_locations or ()]
    found = [path for place in places for path in sorted(place.glob("*/lib/libnvrtc.so*"))]
    found += sorted(Path(os.environ.get("CUDA_PATH", "/usr/local/cuda")).glob("lib*/libnvrtc.so*"))
    if not found:
        pytest.skip("needs NVRTC: pip install nvidia-cuda-nvrtc")
    for beside in found[0].parent.glob("libnvrtc-builtins.so*"):  # it looks for this one by name alone
        ctypes.CDLL(str(beside), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(found[0]))


def compiled(nvrtc: ctypes.CDLL, text: str, options: Sequence[str], generation: int) -> bytes:
    """The machine code; empty text is a failure that shows the compiler's words."""
    program = ctypes.c_void_p()
    given = [option.encode() for option in (*options, f"--gpu-architecture=sm_{generation}")]
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None) == 0
    failed = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if failed:
        raise ValueError(log.value.decode())
    assert not log.value, log.value.decode()
    assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
    code = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetCUBIN(program, code) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return code.raw


def supported(nvrtc: ctypes.CDLL) -> set[int]:
    count = ctypes.c_int()
    nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    every = (ctypes.c_int * count.value)()
    nvrtc.nvrtcGetSupportedArchs(every)
    return set(every)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_nvrtc_compiles_it_without_a_word(nvrtc: ctypes.CDLL, program: Any, generation: int) -> None:
    if generation not in supported(nvrtc):
        pytest.skip(f"this NVRTC does not compile for sm_{generation}")
    code = compiled(nvrtc, program.source(), program.OPTIONS, generation)
    assert all(name.encode() in code for name in program.NAMES)


def test_an_error_names_its_line_in_the_file(nvrtc: ctypes.CDLL) -> None:
    lines = kernels.source().splitlines()
    place = next(number for number, line in enumerate(lines) if "float score = total" in line)
    line = place - next(number for number, line in enumerate(lines) if line.startswith("#line"))
    lines[place] = "int score = nothing;"
    with pytest.raises(ValueError, match=rf"kernels.cu\({line}\): error"):
        compiled(nvrtc, "\n".join(lines), kernels.OPTIONS, 90)


@pytest.mark.long
def test_no_register_spills_to_memory(tmp_path: Path, program: Any) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("needs nvcc, which says what spills")
    known = subprocess.run(["nvcc", "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    wanted = [generation for generation in GENERATIONS if f"sm_{generation}" in known]
    file = tmp_path / "kernels.cu"
    file.write_text(program.source())
    targets = [part for g in wanted for part in ("-gencode", f"arch=compute_{g},code=sm_{g}")]
    done = subprocess.run(
        ["nvcc", *program.OPTIONS, *targets, "--threads=2", "-Xptxas=-v", "-fatbin", str(file),
         "-o", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spilled = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
    assert len(spilled) == len(wanted) * len(program.NAMES)
    assert set(spilled) == {("0", "0", "0")}, done.stderr
