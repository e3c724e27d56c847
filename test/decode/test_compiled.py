"""The compiled loops where they are more than the same sums, done faster; the sums are compared in the other files."""

from __future__ import annotations

import signal

import pytest

pytest.importorskip("numba")

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import decode
from openpose_ros.options import DecodeOptions


def test_ctrl_c_within_a_compiled_loop_is_ctrl_c() -> None:
    fields = crowd_fields(50, 368, 656)
    decode(fields, DecodeOptions())  # compiles

    def decode_until_interrupted(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        while True:
            decode(fields, DecodeOptions())

    before = signal.signal(signal.SIGVTALRM, signal.default_int_handler)
    try:
        for number in range(20):
            with pytest.raises(KeyboardInterrupt):
                decode_until_interrupted(0.02 + 0.001 * number)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)
