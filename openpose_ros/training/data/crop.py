"""A crop: one affine warp of the photo, its people and its mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.grid import Grid
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton
from openpose_ros.training.config import ConfigError, CropConfig
from openpose_ros.training.data.centres import Centre
from openpose_ros.training.data.picture import PhotoError, decode, size_of
from openpose_ros.training.data.regions import box_region, paint
from openpose_ros.training.data.sample import Floats, Sample
from openpose_ros.training.plugin import build

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.uint8]

NEAR = 64.0
"""People whose joints all lie more than so many pixels outside, on one side, leave no trace in a crop."""


@dataclass(frozen=True, eq=False)
class Crop:
    """What the training device gets to see of one crop.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        joints: (P, J, 2) float32 crop pixels, centres at integers; NaN where not labelled. May lie outside.
        mask: (h, w) float32 in 0..1, the share of each cell that carries the labels' loss.
        labelled: (J,) bool.
    """

    image: Image
    joints: Floats
    mask: Floats
    labelled: npt.NDArray[np.bool_]


Donor = Callable[[np.random.Generator], "tuple[Sample, int] | None"]
"""Another photo and the index of a person in it, to be pasted; None where none can be had."""


class Cropper:
    """Cuts crops, a pure function of sample, centre and generator.

    The photo is resampled once, linearly. Linear interpolation of a photo that shrinks to less than half would skip
    pixels and alias, so such photos are decoded at a half, a quarter or an eighth (JPEG's own averaging, which saves
    most of the decoding too) or, where they are no JPEG, averaged by area first.
    """

    def __init__(
        self, crop: CropConfig, skeleton: Skeleton, stride: int, pad_value: int, *, augmented: bool = True
    ) -> None:
        """``augmented`` False: the whole photo, fitted into the crop as a fixed input size has it, and nothing random.

        Raises:
            ConfigError: the crop's size is no multiple of the stride, a range is wrong or an augmentation of the
                user's own cannot be made.
        """
        check(crop, stride)
        self.crop = crop
        self.stride = stride
        self.pad = (pad_value,) * 3
        self.mirrored = np.array(skeleton.mirrored)
        self.augmented = augmented
        self.extra: list[Callable[..., Any]] = [build(entry, "augmentation") for entry in crop.extra]

    def __call__(
        self, sample: Sample, centre: Centre, generator: np.random.Generator, donor: Donor | None = None
    ) -> Crop:
        """Cut one crop.

        Raises:
            PhotoError: the photo is missing, unreadable, or not of the size that its annotations state.
        """
        data = sample.picture.read()
        size = checked_size(sample, data)
        matrix, flipped = self.placement(size, centre, generator)
        image = self.warped(data, matrix)
        joints, mask = self.people_and_mask(sample, matrix, flipped)
        labelled = sample.labelled[self.mirrored] if flipped else sample.labelled
        if self.augmented:
            if donor is not None and generator.random() < self.crop.occlusion:
                from openpose_ros.training.data.occlusion import paste

                image, joints, mask = paste(self, image, joints, mask, centre, matrix, donor, generator)
            for change in self.extra:
                image, joints, mask = change(image, joints, mask, generator)
        return Crop(image, near(joints, mask.shape), by_cell(mask, self.stride), labelled)

    def placement(self, size: tuple[int, int], centre: Centre, generator: np.random.Generator) -> tuple[Matrix, bool]:
        """(2, 3) source -> crop pixels, and whether it mirrors.

        Args:
            size: height and width of the photo.
            centre: what the crop is cut around.
            generator: drawn from in the same order, whatever the settings.
        """
        crop = self.crop
        height, width = size
        short = min(crop.height, crop.width)
        if not self.augmented:
            return self._fitted(size), False
        low, high = crop.whole if centre.whole else crop.scale
        share = generator.uniform(low, high)
        aspect = math.exp(generator.uniform(-1.0, 1.0) * math.log1p(crop.stretch) / 2.0)
        angle = math.radians(generator.uniform(-1.0, 1.0) * crop.rotation)
        shift = generator.uniform(-1.0, 1.0, 2)
        flipped = bool(generator.random() < crop.flip)
        if centre.whole:
            scale = share * short / min(height, width)
            x, y = (width - 1) / 2.0, (height - 1) / 2.0
            # The crop's frame slides over all of a larger photo, a smaller photo over all of the frame.
            room = np.abs([width * scale - crop.width, height * scale - crop.height]) / 2.0
            move = shift * np.maximum(room, crop.shift)
        else:
            scale = share * crop.person * crop.height / centre.height
            x, y = centre.x, centre.y
            move = shift * crop.shift
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = turn @ np.diag([scale * aspect, scale / aspect])
        middle = np.array([(crop.width - 1) / 2.0, (crop.height - 1) / 2.0]) + move
        matrix = np.column_stack([linear, middle - linear @ (x, y)])
        if flipped:
            matrix[0] = -matrix[0]
            matrix[0, 2] += crop.width - 1
        return matrix, flipped

    def _fitted(self, size: tuple[int, int]) -> Matrix:
        """All of the photo where the Estimator would have it."""
        grid = Grid.fit(*size, self.crop.height, self.crop.width, self.stride)
        scales = np.array([grid.resized_width / grid.image_width, grid.resized_height / grid.image_height])
        # Pixel centres are at whole numbers, so that both pictures' left and upper edges lie at -0.5.
        return np.column_stack([np.diag(scales), (scales - 1.0) / 2.0])

    def people_and_mask(self, sample: Sample, matrix: Matrix, flipped: bool) -> tuple[Floats, Mask]:
        """People (P, J, 2) and mask (H, W, 1 where loss counts) under a placement."""
        joints = sample.people @ matrix[:, :2].T + matrix[:, 2]
        if flipped:
            joints = joints[:, self.mirrored]
        mask = np.full((self.crop.height, self.crop.width), int(sample.confined is None), np.uint8)
        if sample.confined is not None:
            paint(mask, box_region(sample.confined), matrix, 1)
        for region in sample.ignored:
            paint(mask, region, matrix, 0)
        return joints.astype(np.float32), mask

    def warped(self, data: bytes, matrix: Matrix) -> Image:
        """The photo's pixels under a placement."""
        shrink = shrinking(matrix)
        return self.warp(decode(data, shrink), shrink, matrix)

    def warp(self, image: Image, shrink: int, matrix: Matrix) -> Image:
        """A photo that was decoded smaller by ``shrink``, under the placement of the stored one."""
        # Pixel p of the smaller photo has its centre at p * shrink + (shrink - 1) / 2 of the stored one.
        linear = matrix[:, :2] * shrink
        offset = matrix[:, 2] + matrix[:, :2] @ np.full(2, (shrink - 1) / 2.0)
        moved = cv2.warpAffine(
            image, np.column_stack([linear, offset]), (self.crop.width, self.crop.height),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=self.pad,
        )  # fmt: skip
        return np.asarray(moved, np.uint8)


def shrinking(matrix: Matrix) -> int:
    """1, 2, 4 or 8: how much smaller a photo may be decoded so that the placement does not enlarge it."""
    smallest = float(np.linalg.svd(matrix[:, :2], compute_uv=False)[-1])
    return next(factor for factor in (8, 4, 2, 1) if smallest * factor <= 1.0 or factor == 1)


def checked_size(sample: Sample, data: bytes) -> tuple[int, int]:
    """Height and width of a photo.

    Raises:
        PhotoError: unreadable, or another size than stated.
    """
    size = size_of(data)
    if sample.size is not None and size != sample.size:
        (height, width), (stated_height, stated_width) = size, sample.size
        raise PhotoError(f"photo of {width}x{height} pixels, annotated as {stated_width}x{stated_height}")
    return size


def check(crop: CropConfig, stride: int) -> None:
    """Raise a ConfigError that names the setting of a crop that cannot work."""
    for name in ("height", "width"):
        if getattr(crop, name) < 1 or getattr(crop, name) % stride:
            raise ConfigError(f"data.crop.{name} is {getattr(crop, name)}; expected a multiple of the stride {stride}")
    for name in ("scale", "whole"):
        limits = getattr(crop, name)
        if len(limits) != 2 or not 0.0 < limits[0] <= limits[1]:
            raise ConfigError(f"data.crop.{name} is {limits}; expected two positive numbers, the smaller one first")
    for name in ("flip", "occlusion", "empty"):
        if not 0.0 <= getattr(crop, name) <= 1.0:
            raise ConfigError(f"data.crop.{name} is {getattr(crop, name)}; expected a number from 0 to 1")
    for name in ("stretch", "rotation", "shift", "apart", "views"):
        if getattr(crop, name) < 0:
            raise ConfigError(f"data.crop.{name} is {getattr(crop, name)}; expected 0 or more")
    if crop.person <= 0:
        raise ConfigError(f"data.crop.person is {crop.person}; expected more than 0")


def near(joints: Floats, shape: tuple[int, ...]) -> Floats:
    """Those of (P, J, 2) people that leave a trace in a crop of (H, W) pixels: their joints or limbs reach into it."""
    if not len(joints):
        return joints
    known = np.isfinite(joints)
    low = np.where(known, joints, np.inf).min(1)
    high = np.where(known, joints, -np.inf).max(1)
    room = np.array([shape[1], shape[0]], np.float32) + NEAR
    seen = ((high > -NEAR) & (low < room) & (low <= high)).all(-1)
    return np.compress(seen, joints, axis=0)


def by_cell(mask: Mask, stride: int) -> Floats:
    """(H, W) of 0 and 1 -> (H / stride, W / stride) shares of 1."""
    height, width = mask.shape
    size = width // stride, height // stride
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
