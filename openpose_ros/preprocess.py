"""Source images -> one batch for the network: resized once, padded with grey, still uint8 and BGR.

Normalisation and colour order belong to the network and are applied by the backend on its own device. A backend on a
GPU resizes there, too (``backends/lens.py``): what a pixel is made of stands in :func:`taps`, for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

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
        images: (B, H, W, 3) uint8, BGR, C-contiguous: of NumPy, or of PyTorch where it lies on the backend's GPU.
        grids: B grids that say where each picture lies in it.
    """

    images: Any
    grids: tuple[Grid, ...]

    def of(self, first: int, last: int) -> Batch:
        """Some of its pictures, the last one excluded."""
        return Batch(self.images[first:last], self.grids[first:last])


def plan(image_size: tuple[int, int], options: InputOptions, stride: int, scale: float = 1.0) -> Grid:
    """Grid of one image (height, width) under the options, the input size multiplied by ``scale``."""
    size = options.size()
    height, width = image_size
    bound = round(options.max_long_side * scale)
    if isinstance(size, int):
        return Grid.short_side(height, width, max(stride, round(size * scale)), stride, bound)
    if 0 in size:
        tall, wide = (max(stride, round(side * scale)) if side else 0 for side in size)
        return Grid.one_side(height, width, (tall, wide), stride, bound)
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
        check_grid((image.shape[0], image.shape[1]), grid)
        target = room[
            grid.pad_top : grid.pad_top + grid.resized_height, grid.pad_left : grid.pad_left + grid.resized_width
        ]
        _resize(image, target)
    return Batch(batch, shared)


class Pictures:
    """Source images on the host, of which several batches are made: one for each scale."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images

    def batch(self, grids: Sequence[Grid], pad_value: int) -> Batch:
        """The images on their grids; where there are twice as many grids, all of them mirrored after that.

        Raises:
            ValueError: as :func:`prepare`.
        """
        shown = (
            self._images if len(grids) == len(self._images) else [*self._images, *(i[:, ::-1] for i in self._images)]
        )
        return prepare(shown, grids, pad_value)


class Sampling(NamedTuple):
    """How a picture changes its size.

    Attributes:
        block: side of the blocks of pixels that are averaged first; 1 is none.
        linear: then a new pixel is read between four, else it averages what it covers, parts of pixels as well.
    """

    block: int
    linear: bool


def sampling(image_size: tuple[int, int], size: tuple[int, int]) -> Sampling:
    """The way from one size (height, width) to another.

    Linear, as the training's crops are, which looks at four pixels for one: a picture that shrinks to half or less is
    averaged before over whole blocks of pixels. OpenCV's averaging over parts of pixels does the same at ten times
    the cost; it is left for sizes that no such block divides.
    """
    (rows, columns), (height, width) = image_size, size
    down, across = rows / height, columns / width
    fitting = range(max(1, int(min(down, across))), 0, -1)
    block = next(side for side in fitting if rows % side == 0 and columns % side == 0)
    linear = max(down, across) / block < 2.0
    return Sampling(block if linear else 1, linear)


class Taps(NamedTuple):
    """What each pixel of a resized line is made of: K pixels of the source from ``first`` (n,) on, int32, with the
    ``weights`` (n, K), float32, that sum up to 1."""

    first: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


@lru_cache(maxsize=64)
def taps(source: int, target: int, way: Sampling, mirrored: bool = False) -> Taps:
    """The line of ``target`` pixels out of ``source`` ones, which are read from the end where ``mirrored``."""
    places = np.arange(target)
    if way.linear or target > source:
        cells = source // way.block
        between = (places + 0.5) * (cells / target) - 0.5
        low = np.clip(np.floor(between), 0, max(cells - 2, 0)).astype(np.int64)
        part = np.clip(between - low, 0.0, 1.0)[:, None]
        weights = np.repeat(np.hstack([1.0 - part, part])[:, : min(cells, 2)], way.block, axis=1) / way.block
        weights = weights if cells > 1 else np.full_like(weights, 1.0 / way.block)
        first = low * way.block
    else:
        scale = source / target
        reach = min(int(np.ceil(scale)) + 1, source)
        begin = places * scale
        first = np.minimum(np.floor(begin).astype(np.int64), source - reach)
        pixels = first[:, None] + np.arange(reach)
        weights = np.minimum(pixels + 1, begin[:, None] + scale) - np.maximum(pixels, begin[:, None])
        weights = np.maximum(weights, 0.0)
        weights /= weights.sum(1, keepdims=True)
    if mirrored:
        first, weights = source - first - weights.shape[1], weights[:, ::-1]
    return Taps(first.astype(np.int32), np.ascontiguousarray(weights, np.float32))


def _resize(image: Image, target: Image) -> None:
    """Fill a picture (h, w, 3), which may be part of a larger one, with an image."""
    height, width = target.shape[:2]
    block, linear = sampling((image.shape[0], image.shape[1]), (height, width))
    if block > 1:
        size = image.shape[1] // block, image.shape[0] // block
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(image, (width, height), dst=target, interpolation=cv2.INTER_LINEAR if linear else cv2.INTER_AREA)


def check_grid(image_size: tuple[int, int], grid: Grid) -> None:
    """Raise a ValueError when an image (height, width) is not the one that the grid was planned for."""
    if image_size != (grid.image_height, grid.image_width):
        raise ValueError(f"an image of {image_size} pixels on a grid for {grid}")


def check_image(image: Image) -> None:
    """Raise a ValueError that says what is wrong with an image, if anything is."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        found = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"an image must be a uint8 array of shape (height, width, 3) in BGR; got {found}")
    if image.size == 0:
        raise ValueError(f"an image of shape {image.shape} has no pixels")
