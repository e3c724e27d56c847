"""Source images -> one batch for the network: resized once, padded with grey, still uint8 and BGR.

Normalisation and colour order belong to the network and are applied by the backend on its own device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.grid import Grid, common_input
from openpose_ros.options import InputOptions

Image = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B pictures on the network's input.

    Attributes:
        images: (B, H, W, 3) uint8, BGR, C-contiguous.
        grids: B grids that say where each picture lies in it.
    """

    images: Image
    grids: tuple[Grid, ...]

    def of(self, first: int, last: int) -> Batch:
        """Some of its pictures, the last one excluded."""
        return Batch(self.images[first:last], self.grids[first:last])


def plan(image_size: tuple[int, int], options: InputOptions, stride: int, scale: float = 1.0) -> Grid:
    """Grid of one image (height, width) under the options, the input size multiplied by ``scale``."""
    size = options.size()
    height, width = image_size
    if isinstance(size, int):
        return Grid.short_side(
            height, width, max(stride, round(size * scale)), stride, round(options.max_long_side * scale)
        )
    fixed = [max(1, round(side * scale / stride)) * stride for side in size]
    return Grid.fit(height, width, fixed[0], fixed[1], stride)


def prepare(images: Sequence[Image], grids: Sequence[Grid], pad_value: int) -> Batch:
    """Resize each image as its grid says and pad to one common input size.

    Raises:
        ValueError: an image is not (H, W, 3) uint8 or not of its grid's size.
    """
    height, width = common_input(grids)
    shared = tuple(grid.within(height, width) for grid in grids)
    batch = np.full((len(images), height, width, 3), pad_value, np.uint8)
    for image, grid, room in zip(images, shared, batch, strict=True):
        check_image(image)
        if image.shape[:2] != (grid.image_height, grid.image_width):
            raise ValueError(f"an image of {image.shape[:2]} pixels on a grid for {grid}")
        target = room[
            grid.pad_top : grid.pad_top + grid.resized_height, grid.pad_left : grid.pad_left + grid.resized_width
        ]
        _resize(image, target)
    return Batch(batch, shared)


def _resize(image: Image, target: Image) -> None:
    """Fill a picture (h, w, 3), which may be part of a larger one, with an image.

    Linear, as the training's crops are, which looks at four pixels for one: a picture that shrinks to half or less is
    averaged before over whole blocks of pixels. OpenCV's averaging over parts of pixels does the same at ten times
    the cost; it is left for sizes that no such block divides.
    """
    (height, width), (rows, columns) = target.shape[:2], image.shape[:2]
    down, across = rows / height, columns / width
    fitting = range(max(1, int(min(down, across))), 0, -1)
    block = next(side for side in fitting if rows % side == 0 and columns % side == 0)
    way = cv2.INTER_LINEAR if max(down, across) / block < 2.0 else cv2.INTER_AREA
    if way == cv2.INTER_LINEAR and block > 1:
        image = np.asarray(cv2.resize(image, (columns // block, rows // block), interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(image, (width, height), dst=target, interpolation=way)


def check_image(image: Image) -> None:
    """Raise a ValueError that says what is wrong with an image, if anything is."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        found = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"an image must be a uint8 array of shape (height, width, 3) in BGR; got {found}")
    if image.size == 0:
        raise ValueError(f"an image of shape {image.shape} has no pixels")
