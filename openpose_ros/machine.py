"""What this machine has, without asking a library that takes seconds to load."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")

LIMIT = "ONEDNN_MAX_CPU_ISA"
"""With this variable of the environment OpenVINO and PyTorch do without a CPU's better instructions."""


@cache
def cpu_features() -> frozenset[str]:
    """Names of the CPU's abilities as Linux lists them, such as ``avx512_bf16``; empty where it cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        word for line in lines if line.startswith(("flags", "Features")) for word in line.partition(":")[2].split()
    )


def fast_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (x86: AMX or AVX-512 BF16, Arm: BF16), and may do so."""
    return not (without_bfloat16() or cpu_features().isdisjoint({"amx_bf16", "avx512_bf16", "bf16"}))


def without_bfloat16() -> bool:
    """Whether ``LIMIT`` forbids the instructions for bfloat16."""
    limit = os.environ.get(LIMIT, "").upper()
    return limit not in ("", "ALL", "DEFAULT") and not any(name in limit for name in ("BF16", "FP16", "AMX", "AVX10"))


def gpu_driver() -> bool:
    """Whether this machine may have a GPU for PyTorch: its driver's files are there, or this is no Linux.

    PyTorch knows better, but takes seconds to be asked: a node on a robot without a GPU starts without it.
    """
    drivers = ("nvidiactl", "nvhost-gpu", "nvgpu", "nvmap", "dxg", "kfd")  # PCs, Jetsons, WSL, AMD
    return not sys.platform.startswith("linux") or any(Path("/dev", name).exists() for name in drivers)


def resident_mib() -> int:
    """MiB of main memory that this process holds; 0 where it cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * PAGE // 2**20
