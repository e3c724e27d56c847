"""What another process holds and has used, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

TICK = os.sysconf("SC_CLK_TCK")


class Held(NamedTuple):
    """What a process holds at one moment: resident megabytes, those of them (and of the swap) that are its own, open
    files, threads, seconds of CPU used so far.

    Its own are what a leak adds to. The others are files and the shared memory of the middleware, which counts as
    resident page by page, as it is used for the first time: with ``config/fastdds.xml`` 32 MB for every process that
    images come from, and for the process itself.
    """

    megabytes: float
    own: float
    files: int
    threads: int
    cpu: float


def held(pid: int) -> Held:
    """Look at a process.

    Raises:
        ProcessLookupError: it has ended, or this is no Linux.
    """
    folder = Path("/proc", str(pid))
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        kilobytes = {name: int(status[name].split()[0]) for name in ("VmRSS", "RssAnon", "VmSwap")}
        # The second field is the program's name in brackets and may hold anything.
        values = (folder / "stat").read_text().rpartition(")")[2].split()
        files = len(list((folder / "fd").iterdir()))
    except (FileNotFoundError, ProcessLookupError, KeyError):  # of a process that nobody waited for, little is told
        raise ProcessLookupError(f"there is no process {pid} in /proc any more") from None
    resident, own = kilobytes["VmRSS"], kilobytes["RssAnon"] + kilobytes["VmSwap"]
    cpu = (int(values[11]) + int(values[12])) / TICK
    return Held(resident * 1.024e-3, own * 1.024e-3, files, int(values[17]), cpu)


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """By how much values grow a minute (least squares); 0 for fewer than three of them.

    Args:
        times: in seconds.
    """
    if len(times) < 3:
        return 0.0
    return 60.0 * float(np.polyfit(np.asarray(times, np.float64) - times[0], np.asarray(values, np.float64), 1)[0])
