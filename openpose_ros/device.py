"""What this machine's processors are good at, and how much memory this process takes on them."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


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
    """Whether the CPU multiplies bfloat16 in hardware (x86: AMX or AVX-512 BF16, Arm: BF16)."""
    return not cpu_features().isdisjoint({"amx_bf16", "avx512_bf16", "bf16"})


def resident_mib() -> int:
    """MiB of main memory that this process holds; 0 where it cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * PAGE // 2**20


def gpu_mib(device: str) -> int | None:
    """MiB of a GPU's memory that this process has taken through PyTorch; None where it uses none.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    torch = sys.modules.get("torch")  # whoever uses a GPU has imported it
    if torch is None or not device.startswith("cuda"):
        return None
    return int(torch.cuda.memory_reserved(device)) // 2**20
