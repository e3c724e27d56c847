"""The alternate stack on which a thread's signal handlers run, kept as it was around libraries that replace it.

OpenVINO puts one of its own in place when it compiles a network, and unmaps it later, whatever stands there then. The
next signal, a Ctrl-C or the end of a child process, would end the process with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class SignalStack(ctypes.Structure):
    """stack_t of Linux."""

    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SignalStack) and bytes(self) == bytes(other)


def signal_stack() -> SignalStack:
    """The calling thread's."""
    found = SignalStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Puts the calling thread's alternate stack back at the end of the block."""
    if not sys.platform.startswith("linux"):
        yield
        return
    before = signal_stack()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
