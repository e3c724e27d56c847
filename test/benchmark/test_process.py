"""What another process holds, as the kernel tells it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openpose_ros.benchmark.process import held, slope

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs Linux's /proc")


def test_own_process_is_seen_to_open_files_and_start_threads() -> None:
    before = held(os.getpid())
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    with open(os.devnull):
        during = held(os.getpid())
    ended.set()
    thread.join()
    assert (during.files, during.threads) == (before.files + 1, before.threads + 1)
    assert during.cpu >= before.cpu > 0.0


def test_memory_and_time_of_another_process_are_told_in_megabytes_and_seconds() -> None:
    code = "import sys; held = b'x' * 100_000_000; sum(range(3_000_000)); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        seen = held(process.pid)
        process.stdin.close()
    assert 100.0 < seen.own < seen.megabytes < 200.0
    assert 0.01 <= seen.cpu < 60.0


def test_process_that_has_ended_is_named() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError, match=f"no process {process.pid} in /proc"):
        held(process.pid)


def test_slope_is_a_minute_s() -> None:
    assert slope([10.0, 11.0, 12.0], [5.0, 5.5, 6.0]) == pytest.approx(30.0)
    assert slope([0.0, 1.0], [0.0, 100.0]) == 0.0
