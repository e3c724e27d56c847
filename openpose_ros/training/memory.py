"""The C library's memory, kept by a training process on a CPU."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Numbers of mallopt's settings (glibc, malloc.h)."""


def keep_memory() -> bool:
    """Let glibc keep what is freed, for the next step; returns whether it could be told.

    By default every tensor above 32 MiB is mapped anew and given back to the system when it is freed, so that a
    step's tensors are cleared page by page by the kernel, again and again: ten times slower.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
