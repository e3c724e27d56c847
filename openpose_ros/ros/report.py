"""Log lines with rates and drops, every now and then while images come."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from openpose_ros.ros.stream import Stream


class Report:
    """Says what became of the images of each camera since the last time.

    Args:
        log: of the node.
        streams: of the cameras.
    """

    def __init__(self, log: Any, streams: Sequence[Stream]) -> None:
        self._log = log
        self._streams = streams
        self._then = time.monotonic()
        self._before = [stream.tally for stream in streams]

    def tell(self, period: float) -> None:
        """A line for each camera with news, if it is so many seconds since the last ones; 0 tells nothing."""
        now = time.monotonic()
        if now - self._then < (period or math.inf):
            return
        tallies = [stream.tally for stream in self._streams]
        for stream, old, new in zip(self._streams, self._before, tallies, strict=True):
            if new != old:
                where = f"{stream.camera.topic}: " if len(self._streams) > 1 else ""
                self._log.info(where + new.since(old, now - self._then))
        self._then, self._before = now, tallies
