"""Fields that show a given number of people, with a little of the murmur that real networks add."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.backends.synthetic import STANDING
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, Skeleton

MURMUR = 0.004
"""Standard deviation of the noise: with it a photo's fields hold as many weak candidates as those of real photos."""


def crowd(count: int, height: int, width: int, skeleton: Skeleton = COCO_18, seed: int = 0) -> npt.NDArray[np.float64]:
    """(count, J, 2) source pixels of people of various sizes and arms, spread over a picture."""
    random = np.random.default_rng(seed)
    rows = max(1, round(float(np.sqrt(count * height / width / 2.5))))
    columns = -(-count // rows)
    people = np.full((count, len(skeleton.joints), 2), np.nan)
    for index, person in enumerate(people):
        row, column = divmod(index, columns)
        size = random.uniform(0.75, 0.95) * min(height / rows, 2.8 * width / columns)
        middle = (column + random.uniform(0.45, 0.55)) * width / columns
        top = (row + 0.5) * height / rows - 0.5 * size
        for joint, name in enumerate(skeleton.joints):
            if name in STANDING:
                x, y = STANDING[name]
                x, y = x + random.normal(0.0, 0.012), y + random.normal(0.0, 0.012)
                person[joint] = middle + x * size, top + y * size
    return people


def crowd_fields(count: int, height: int, width: int, skeleton: Skeleton = COCO_18, seed: int = 0) -> Fields:
    """Fields of such a crowd on a network input of height x width, stride 8."""
    grid = Grid.fit(height, width, height, width, 8)
    fields = render(crowd(count, height, width, skeleton, seed), grid, skeleton)
    random = np.random.default_rng(seed)

    def noisy(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        flat = random.standard_normal((int(np.prod(maps.shape[:-2])), *maps.shape[-2:])).astype(np.float32)
        smooth = np.stack([cv2.GaussianBlur(m, (0, 0), 1.0) for m in flat])
        return np.asarray(maps + (MURMUR / smooth.std() * smooth).reshape(maps.shape), np.float32)

    return replace(fields, heatmaps=noisy(fields.heatmaps), pafs=noisy(fields.pafs))
