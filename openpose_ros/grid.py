"""The one place that knows how a source pixel, a network-input pixel and a field cell relate.

All three count pixel centres at integers, so that the left edge of a picture lies at -0.5. A resize by k maps
p to (p + 0.5) * k - 0.5, and cell i of stride s lies at s * (i + 0.5) - 0.5 of the network's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Array = Any
"""An array of any namespace of the array API (NumPy, torch, CuPy)."""

MAX_INPUT_PIXELS = 4096 * 4096


@dataclass(frozen=True)
class Grid:
    """How one source image was resized and padded into the network's input, and the fields' stride.

    Attributes:
        image_height, image_width: size of the source image in pixels.
        resized_height, resized_width: size of the picture inside the network's input, in input pixels.
        pad_top, pad_left: where the picture begins inside the input, in input pixels.
        input_height, input_width: size of the network's input, multiples of ``stride``.
        stride: input pixels per field cell.
    """

    image_height: int
    image_width: int
    resized_height: int
    resized_width: int
    input_height: int
    input_width: int
    stride: int
    pad_top: int = 0
    pad_left: int = 0

    def __post_init__(self) -> None:
        if min(self.image_height, self.image_width, self.resized_height, self.resized_width, self.stride) < 1:
            raise ValueError(f"sizes and stride must be at least 1: {self}")
        if self.input_height % self.stride or self.input_width % self.stride:
            raise ValueError(
                f"network input {self.input_height}x{self.input_width} (height x width) is not a multiple of the "
                f"stride {self.stride}"
            )
        if self.pad_top < 0 or self.pad_left < 0 or self.pad_bottom < 0 or self.pad_right < 0:
            raise ValueError(f"the picture does not fit into the network's input: {self}")

    @classmethod
    def short_side(cls, image_height: int, image_width: int, side: int, stride: int, long_side: int = 0) -> Grid:
        """Scale the shorter side to ``side`` and pad right and below to multiples of ``stride``.

        ``long_side`` (0: none) bounds the longer side, so that a panorama does not ask for a gigantic input.
        """
        return cls._sized(image_height, image_width, side, min(image_height, image_width), stride, long_side)

    @classmethod
    def one_side(
        cls, image_height: int, image_width: int, size: tuple[int, int], stride: int, long_side: int = 0
    ) -> Grid:
        """The same, with the height or the width of ``size``, the other one being 0."""
        reference = image_height if size[0] else image_width
        return cls._sized(image_height, image_width, max(size), reference, stride, long_side)

    @classmethod
    def _sized(
        cls, image_height: int, image_width: int, side: int, reference: int, stride: int, long_side: int
    ) -> Grid:
        """Scale so that a length of ``reference`` source pixels becomes ``side``."""
        if min(image_height, image_width) < 1:
            raise ValueError(f"an image of {image_width}x{image_height} pixels has nothing to look at")
        scale = side / reference
        if long_side:
            scale = min(scale, long_side / max(image_height, image_width))
        height = max(1, round(image_height * scale))
        width = max(1, round(image_width * scale))
        if height * width > MAX_INPUT_PIXELS:
            raise ValueError(
                f"a side of {side} makes a network input of {height}x{width} (height x width) out of an image of "
                f"{image_width}x{image_height}; set a bound on the long side"
            )
        return cls(image_height, image_width, height, width, _up_to(height, stride), _up_to(width, stride), stride)

    @classmethod
    def fit(
        cls,
        image_height: int,
        image_width: int,
        input_height: int,
        input_width: int,
        stride: int,
        centred: bool = False,
    ) -> Grid:
        """Scale the image, its aspect kept, to fit a given input size; pad right and below, or on all sides."""
        if min(image_height, image_width) < 1:
            raise ValueError(f"an image of {image_width}x{image_height} pixels has nothing to look at")
        scale = min(input_height / image_height, input_width / image_width)
        height = min(input_height, max(1, round(image_height * scale)))
        width = min(input_width, max(1, round(image_width * scale)))
        top, left = ((input_height - height) // 2, (input_width - width) // 2) if centred else (0, 0)
        return cls(image_height, image_width, height, width, input_height, input_width, stride, top, left)

    @classmethod
    def of_pixels(cls, image_height: int, image_width: int) -> Grid:
        """Every pixel of the image is a cell."""
        return cls(image_height, image_width, image_height, image_width, image_height, image_width, 1)

    def of_input_pixels(self) -> Grid:
        """Every pixel of the network's input is a cell."""
        return replace(self, stride=1)

    def within(self, input_height: int, input_width: int) -> Grid:
        """The same picture in a larger input, padded further right and below."""
        return replace(self, input_height=input_height, input_width=input_width)

    @property
    def pad_bottom(self) -> int:
        return self.input_height - self.pad_top - self.resized_height

    @property
    def pad_right(self) -> int:
        return self.input_width - self.pad_left - self.resized_width

    @property
    def field_size(self) -> tuple[int, int]:
        """Height and width of the fields, in cells."""
        return self.input_height // self.stride, self.input_width // self.stride

    @property
    def valid_cells(self) -> tuple[float, float, float, float]:
        """First x, first y, last x, last y, in cells, of the part of the fields that shows the picture."""
        first_x, first_y = self._input_to_cell(self.pad_left - 0.5), self._input_to_cell(self.pad_top - 0.5)
        last_x = self._input_to_cell(self.pad_left + self.resized_width - 0.5)
        last_y = self._input_to_cell(self.pad_top + self.resized_height - 0.5)
        return first_x, first_y, last_x, last_y

    @property
    def pixels_per_cell(self) -> float:
        """Source pixels per field cell, the mean of both axes."""
        across = self.image_width / self.resized_width + self.image_height / self.resized_height
        return self.stride * across / 2.0

    @property
    def affine_to_image(self) -> tuple[float, float, float, float]:
        """(scale x, scale y, shift x, shift y): source pixel = cell * scale + shift."""
        per_x, per_y = self.image_width / self.resized_width, self.image_height / self.resized_height
        shift_x = (0.5 * self.stride - self.pad_left) * per_x - 0.5
        shift_y = (0.5 * self.stride - self.pad_top) * per_y - 0.5
        return self.stride * per_x, self.stride * per_y, shift_x, shift_y

    def to_image(self, cells: Array) -> Array:
        """(..., 2) x, y in cells -> the same in source pixels. Inverse of :meth:`to_cells`."""
        scale_x, scale_y, shift_x, shift_y = self.affine_to_image
        out = cells * 1.0
        out[..., 0] = cells[..., 0] * scale_x + shift_x
        out[..., 1] = cells[..., 1] * scale_y + shift_y
        return out

    def to_cells(self, pixels: Array) -> Array:
        """(..., 2) x, y in source pixels -> the same in cells."""
        scale_x, scale_y, shift_x, shift_y = self.affine_to_image
        out = pixels * 1.0
        out[..., 0] = (pixels[..., 0] - shift_x) / scale_x
        out[..., 1] = (pixels[..., 1] - shift_y) / scale_y
        return out

    def to_scale(self, pixels: Array, scale: str) -> Array:
        """(..., 2) x, y in source pixels -> the same, counted otherwise (``keypoint_scale`` of OpenPose).

        Args:
            pixels: NaN stays NaN.
            scale: ``image`` leaves them; ``input`` gives pixels of the network's input; ``unit`` runs from 0 at the
                centre of the first pixel to 1 at that of the last one, on both axes; ``signed`` from -1 to 1.
        """
        if scale == "image":
            return pixels
        if scale == "input":
            return self.of_input_pixels().to_cells(pixels)
        reach, start = {"unit": (1.0, 0.0), "signed": (2.0, -1.0)}[scale]
        out = pixels * 1.0
        for axis, size in enumerate((self.image_width, self.image_height)):
            out[..., axis] = pixels[..., axis] * (reach / max(1, size - 1)) + start
        return out

    def _input_to_cell(self, position: float) -> float:
        return (position + 0.5) / self.stride - 0.5


def common_input(grids: Sequence[Grid]) -> tuple[int, int]:
    """Height and width of the smallest input that holds every picture of a batch."""
    return max(g.input_height for g in grids), max(g.input_width for g in grids)


def _up_to(size: int, stride: int) -> int:
    return -(-size // stride) * stride
