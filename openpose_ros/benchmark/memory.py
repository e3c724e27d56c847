"""``benchmark memory``: does the resident size grow with the frames?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from openpose_ros.estimator import Estimator

SETTLE = 200
"""Frames after which caches are full and the first size is read."""


def resident_megabytes() -> float:
    """Resident size of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def rows(estimator: Estimator, frames: int) -> list[dict[str, Any]]:
    """Resident megabytes after a few frames, half way and at the end, images of changing sizes."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (height, width, 3), np.uint8) for height, width in ((480, 640), (640, 480))]
    at = {min(SETTLE, frames), frames // 2, frames}
    found = []
    for frame in tqdm(range(1, frames + 1), unit="frame", leave=False, disable=not sys.stderr.isatty()):
        estimator(pictures[frame % len(pictures)])
        if frame in at:
            found.append({"frames": frame, "resident_mb": round(resident_megabytes(), 1)})
    return found
