"""Batches of images for the backends' tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openpose_ros.grid import Grid
from openpose_ros.preprocess import Batch

MakeBatch = Callable[..., Batch]


@pytest.fixture
def noise() -> MakeBatch:
    """Makes random images of exactly the network's input size."""

    def make(height: int, width: int, count: int = 1, seed: int = 0) -> Batch:
        images = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
        return Batch(images, (Grid(height, width, height, width, height, width, 8),) * count)

    return make
