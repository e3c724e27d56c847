"""Changes of light and quality, on the training device; what a crop gets depends on its seed alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from openpose_ros.training.config import PhotometricConfig
from openpose_ros.training.plugin import build

GREY = (0.299, 0.587, 0.114)
"""Red, green and blue in the brightness of a pixel (ITU-R BT.601)."""

LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Steps of an 8x8 block's coefficients at quality 50 (ITU-T T.81, table K.1)."""


class Photometric(nn.Module):
    """Crops in other light: (B, 3, H, W) values in 0..255 -> the same, clipped."""

    weights: Tensor
    waves: Tensor
    steps: Tensor

    def __init__(self, config: PhotometricConfig, channels: str) -> None:
        """``channels`` is ``BGR`` or ``RGB``, the order of what comes."""
        super().__init__()
        self.config = config
        self.red_first = channels == "RGB"
        order = GREY if self.red_first else GREY[::-1]
        self.register_buffer("weights", torch.tensor(order).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("waves", _cosines(), persistent=False)
        self.register_buffer("steps", torch.tensor(LUMINANCE, dtype=torch.float32).reshape(8, 8), persistent=False)
        self.extra = nn.ModuleList(build(entry, "photometric augmentation") for entry in config.extra)

    @torch.no_grad()
    def forward(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..255 of any type and seeds (B,) -> float32 of the same shape."""
        x = images.float()
        if not self.config.enabled:
            return x
        dice = [np.random.default_rng(int(seed)) for seed in seeds.tolist()]
        x = self._light(x, dice)
        # The seldom changes are made one crop at a time.
        for index, random in enumerate(dice):
            x[index : index + 1] = self._quality(x[index : index + 1], random)
        x = x.clamp_(0.0, 255.0)
        for module in self.extra:
            x = module(x)
        return x

    def _light(self, x: Tensor, dice: list[np.random.Generator]) -> Tensor:
        c = self.config

        def drawn(low: float, high: float) -> Tensor:
            values = [random.uniform(low, high) for random in dice]
            return torch.tensor(values, dtype=x.dtype).to(x.device).reshape(-1, 1, 1, 1)

        brightness, contrast = drawn(-c.brightness, c.brightness), drawn(1.0 - c.contrast, 1.0 + c.contrast)
        saturation = drawn(1.0 - c.saturation, 1.0 + c.saturation)
        saturation = torch.where(drawn(0.0, 1.0) < c.grey, 0.0, saturation)
        angle = drawn(-c.hue, c.hue) * 2.0 * math.pi
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * contrast + mean + brightness * 255.0
        grey = (x * self.weights).sum(1, keepdim=True)
        return grey + self._turned(x - grey, angle) * saturation

    def _turned(self, colour: Tensor, angle: Tensor) -> Tensor:
        """Colours without brightness, turned about the grey axis (Rodrigues)."""
        cosine, sine = angle.cos(), angle.sin()
        after, before = colour.roll(-1, 1), colour.roll(1, 1)
        along = colour.mean(1, keepdim=True) * (1.0 - cosine)
        across = (before - after) * (sine / math.sqrt(3.0)) * (1.0 if self.red_first else -1.0)
        return colour * cosine + across + along

    def _quality(self, x: Tensor, random: np.random.Generator) -> Tensor:
        c = self.config
        chances = random.random(3)
        sigma, strength, quality = random.uniform(0.3, 2.0), random.uniform(0.0, 0.05), random.uniform(20.0, 80.0)
        if chances[0] < c.blur:
            x = _blurred(x, sigma)
        if chances[1] < c.noise:
            generator = torch.Generator(x.device).manual_seed(int(random.integers(2**62)))
            x = x + torch.randn(x.shape, generator=generator, device=x.device) * (255.0 * strength)
        if chances[2] < c.jpeg:
            x = self._compressed(x, quality)
        return x

    def _compressed(self, x: Tensor, quality: float) -> Tensor:
        """What JPEG's steps leave of (1, 3, H, W), all channels treated as its brightness."""
        height, width = x.shape[2:]
        padded = nn.functional.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
        rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
        blocks = padded.reshape(1, 3, rows, 8, columns, 8).transpose(3, 4) - 128.0
        waves = self.waves.to(x.dtype)
        factor = 50.0 / quality if quality < 50.0 else 2.0 - quality / 50.0
        steps = (self.steps * factor).clamp(min=1.0)
        coefficients = torch.round(waves @ blocks @ waves.T / steps) * steps
        back = (waves.T @ coefficients @ waves + 128.0).transpose(3, 4).flatten(4, 5).flatten(2, 3)
        return back[..., :height, :width]


def _blurred(x: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(2.5 * sigma)
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-places.square() / (2.0 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = nn.functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    across = nn.functional.conv2d(padded, kernel, groups=3)
    return nn.functional.conv2d(across, kernel.transpose(2, 3), groups=3)


def _cosines() -> Tensor:
    """The orthonormal 8-point DCT-II."""
    wave, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    matrix = torch.cos(math.pi * (2.0 * place + 1.0) * wave / 16.0) / 2.0
    matrix[0] /= math.sqrt(2.0)
    return matrix
