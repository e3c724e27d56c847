"""What this machine's processor is good at."""

from __future__ import annotations

from functools import cache
from pathlib import Path


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
