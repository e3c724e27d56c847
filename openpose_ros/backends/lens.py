"""Source images onto the network's input on an NVIDIA GPU: bytes go up once, and every look at them is made there.

``lens.cu`` is what runs there; what each pixel is made of is decided by ``preprocess.taps``, for the host as well.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from openpose_ros.backends.clock import Clock
from openpose_ros.backends.staging import Staging
from openpose_ros.device import Cuda, Gpu, GpuError, Memory
from openpose_ros.grid import Grid, common_input
from openpose_ros.preprocess import Batch, Image, Taps, check_grid, sampling, taps

_log = logging.getLogger(__name__)

NAMES = ("show",)

OPTIONS = ("--std=c++17",)
"""Of NVRTC and nvcc."""

THREADS = 256
BLOCKS_PER_PROCESSOR = 8

TABLES = 64
"""Tables that are kept on the GPU; a size of images needs two, or three where it is mirrored, for every scale."""


def source() -> str:
    """lens.cu, for any compiler."""
    return '#line 1 "lens.cu"\n' + (files("openpose_ros.backends") / "lens.cu").read_text()


class Lens:
    """The kernel of one GPU, and what it is fed with. To be called from one thread, on one stream.

    Memory: the images of a batch on the GPU and, page-locked and twice, on the host; ``TABLES`` tables of some 20 kB.
    """

    def __init__(self, gpu: Gpu, device: torch.device) -> None:
        """Compile.

        Raises:
            GpuError: that is not possible here.
        """
        self._gpu = gpu
        self._device = device
        (self._show,) = gpu.compile(source(), NAMES, OPTIONS)
        self._staging = Staging()
        self._tables: OrderedDict[Any, tuple[Memory, Memory, int]] = OrderedDict()

    @property
    def page_locked(self) -> int:
        """Bytes of the host that the GPU reads from."""
        return self._staging.size

    def __call__(self, images: Sequence[Image], clock: Clock) -> PicturesOnGpu:
        """Queue the upload of a batch's images; they may change afterwards.

        Args:
            images: (H, W, 3) uint8 each, of any sizes.
            clock: gets to know ``upload`` and, for each batch that is made of them, ``resize``.
        """
        clock.mark()
        there = torch.empty(sum(image.size for image in images), dtype=torch.uint8, device=self._device)
        self._staging.upload(images, there)
        clock.mark("upload")
        ends = np.cumsum([image.size for image in images])[:-1].tolist()
        return PicturesOnGpu(self, clock, images, there.tensor_split(ends))

    def forget(self) -> None:
        """Give back what is kept from batch to batch, when the GPU no longer works with it."""
        self._tables.clear()
        self._staging.forget()

    def show(self, pictures: Sequence[tuple[Tensor, Grid, bool]], size: tuple[int, int], pad_value: int) -> Tensor:
        """Queue a batch (B, H, W, 3) uint8 of that size: source pixels, where they go, and whether mirrored."""
        batch = torch.empty((len(pictures), *size, 3), dtype=torch.uint8, device=self._device)
        stream, integer = self._gpu.stream_of(batch), np.int32
        with self._gpu.on(stream):
            for (pixels, grid, mirrored), target in zip(pictures, batch, strict=True):
                image, shown = (grid.image_height, grid.image_width), (grid.resized_height, grid.resized_width)
                way = sampling(image, shown)
                rows, row_weights, down = self._table(image[0], shown[0], way, False)
                columns, column_weights, across = self._table(image[1], shown[1], way, mirrored)
                self._gpu.launch(self._show, BLOCKS_PER_PROCESSOR * self._gpu.processors, THREADS, (
                    self._gpu.pointer(pixels), integer(image[1]), rows.pointer, row_weights.pointer, integer(down),
                    columns.pointer, column_weights.pointer, integer(across), integer(grid.pad_top),
                    integer(grid.pad_left), integer(shown[0]), integer(shown[1]), integer(pad_value),
                    integer(size[0]), integer(size[1]), self._gpu.pointer(target),
                ))  # fmt: skip
        return batch

    def _table(self, *line: Any) -> tuple[Memory, Memory, int]:
        """A line's taps on the GPU, and how many pixels each is made of."""
        if line in self._tables:
            self._tables.move_to_end(line)
            return self._tables[line]
        while len(self._tables) >= TABLES:
            self._tables.popitem(last=False)
        own: Taps = taps(*line)
        first, weights = (self._brought(values) for values in own)
        self._tables[line] = first, weights, own.weights.shape[1]
        return self._tables[line]

    def _brought(self, values: npt.NDArray[Any]) -> Memory:
        memory = self._gpu.zeros(values.nbytes)
        self._gpu.upload(memory, values)
        return memory


class PicturesOnGpu:
    """Source images on the GPU; as :class:`~openpose_ros.preprocess.Pictures`."""

    def __init__(self, lens: Lens, clock: Clock, images: Sequence[Image], pixels: Sequence[Tensor]) -> None:
        self._lens, self._clock, self._pixels = lens, clock, pixels
        self._sizes = [(image.shape[0], image.shape[1]) for image in images]

    def batch(self, grids: Sequence[Grid], pad_value: int) -> Batch:
        """The images on their grids; where there are twice as many grids, all of them mirrored after that.

        Raises:
            ValueError: an image is not of its grid's size.
        """
        count = len(self._sizes)
        size = common_input(grids)
        shown = []
        for number, grid in enumerate(grids):
            check_grid(self._sizes[number % count], grid)
            shown.append((self._pixels[number % count], grid, number >= count))
        self._clock.mark()
        images = self._lens.show(shown, size, pad_value)
        self._clock.mark("resize")
        return Batch(images, tuple(grid.within(*size) for grid in grids))


def lens_for(device: torch.device) -> Lens | None:
    """A lens for ``cuda:N``; None, and said once, where images have to be resized on the host."""
    try:
        return Lens(Cuda(device.index or 0), device)
    except GpuError as error:
        _log.warning("images are resized on the host, not on the GPU: %s", error)
        return None
