"""What follows a backbone in OpenPose networks: features narrowed, a first answer, and answers that refine it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution


class Answer(NamedTuple):
    """What a stage says: heatmaps (B, J + 1, H, W), the last one the background, and PAFs (B, 2 L, H, W), x and y of
    one limb after the other.

    A stage of a network that finds PAFs first and heatmaps afterwards says only one of the two, an earlier stage's
    other being None. The last stage of every network says both."""

    heatmaps: Tensor | None
    pafs: Tensor | None

    def both(self) -> tuple[Tensor, Tensor]:
        """Heatmaps and PAFs of a stage that says both."""
        assert self.heatmaps is not None and self.pafs is not None
        return self.heatmaps, self.pafs


class PoseNetwork(nn.Module):
    """What every network here is: images (B, 3, H, W) -> answers, one a stage, the last one the result.

    Attributes:
        backbone: what makes features of an image.
        stride: input pixels per cell of the answers; H and W must be multiples of it.
    """

    backbone: nn.Module
    stride: int


class Narrow(nn.Module):
    """Backbone features -> the few channels that the stages work on ("cpm" in lightweight OpenPose)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.align = Convolution(inputs, channels, 1, activation=nn.ELU)
        self.reduce = Convolution(channels, channels, 1, activation=nn.ELU)
        self.trunk = nn.Sequential(*(SeparableConvolution(channels, channels, activation=nn.ELU) for _ in range(3)))
        self.output = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, channels, H, W)."""
        aligned = self.align(x)
        features: Tensor = self.output(aligned + self.trunk(self.reduce(aligned)))
        return features


class InitialStage(nn.Module):
    """Features -> the first answer: three shared convolutions and two heads."""

    def __init__(self, channels: int, heatmaps: int, pafs: int, hidden: int = 512) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*(Convolution(channels, channels) for _ in range(3)))
        self.heatmaps = _head(channels, hidden, heatmaps)
        self.pafs = _head(channels, hidden, pafs)

    def forward(self, features: Tensor) -> Answer:
        """(B, channels, H, W) -> the answer."""
        x = self.trunk(features)
        return Answer(self.heatmaps(x), self.pafs(x))


class RefinementBlock(nn.Module):
    """A 1x1 convolution, then two of 3x3, the second dilated, beside a short cut: sees as far as one of 7x7."""

    def __init__(self, inputs: int, channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.squeeze = Convolution(inputs, channels, 1)
        self.near = Convolution(channels, channels, norm=batch_norm)
        self.far = Convolution(channels, channels, dilation=2, norm=batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, channels, H, W)."""
        squeezed: Tensor = self.squeeze(x)
        seen: Tensor = self.far(self.near(squeezed))
        return squeezed + seen


class RefinementStage(nn.Module):
    """Features and the answer so far -> a better answer: five blocks and two heads."""

    def __init__(self, channels: int, heatmaps: int, pafs: int, *, batch_norm: bool) -> None:
        super().__init__()
        inputs = [pafs + heatmaps + channels, *[channels] * 4]
        self.trunk = nn.Sequential(*(RefinementBlock(wide, channels, batch_norm=batch_norm) for wide in inputs))
        self.heatmaps = _head(channels, channels, heatmaps)
        self.pafs = _head(channels, channels, pafs)

    def forward(self, features: Tensor, answer: Answer) -> Answer:
        """Features (B, channels, H, W) and the answer so far -> the next one."""
        heatmaps, pafs = answer.both()
        x = self.trunk(torch.cat([pafs, heatmaps, features], 1))
        return Answer(self.heatmaps(x), self.pafs(x))


def _head(channels: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(Convolution(channels, hidden, 1), Convolution(hidden, outputs, 1, activation=None))
