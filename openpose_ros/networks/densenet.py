"""DenseNet as a backbone: every layer sees all layers of its block before it."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, initialise

BLOCKS: dict[int, tuple[int, int, int, int]] = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
"""Layers of each block by the number of layers (Huang et al., arXiv 1608.06993, table 1)."""

STEM, GROWTH, SQUEEZE = 64, 32, 128
"""Output channels of the stem, of each layer, and of the 1x1 convolution within a layer."""


class Normalised(Convolution):
    """What stands before a convolution there, a normalisation and a ReLU: a factor and an offset a channel.

    It is a depthwise 1x1 convolution, normalised in training, so that it folds like any other.
    """

    def __init__(self, channels: int, *, norm: bool, activation: type[nn.ReLU] | None = nn.ReLU) -> None:
        super().__init__(channels, channels, 1, groups=channels, norm=norm, activation=activation)
        for name, parameter in self.named_parameters():
            if name.startswith("conv."):
                nn.init.constant_(parameter, float(name.endswith("weight")))


class DenseLayer(nn.Module):
    """``before``, then ``squeeze`` 1x1, then ``grow`` 3x3, whose output stands beside the input."""

    def __init__(self, inputs: int, *, norm: bool) -> None:
        super().__init__()
        self.before = Normalised(inputs, norm=norm)
        self.squeeze = Convolution(inputs, SQUEEZE, 1, norm=norm)
        self.grow = Convolution(SQUEEZE, GROWTH, bias=False, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, inputs + GROWTH, H, W)."""
        # The ReLUs of this package work in place, and x is needed again.
        grown: Tensor = self.grow(self.squeeze(self.before(x)))
        return torch.cat([x, grown], 1)


class DenseNet(nn.Module):
    """(B, 3, H, W) -> (B, 1024, H / 32, W / 32) with the defaults.

    torchvision's ``features.denseblock1.denselayer1`` is ``blocks.0.0`` here, ``features.transition1`` ``between.0``.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    def __init__(self, *, batch_norm: bool = False, layers: int = 121, groups: int = 4) -> None:
        """Build with weights as He et al. draw them.

        Args:
            batch_norm: normalise batches, as for training.
            layers: one of ``BLOCKS``.
            groups: how many of the classifier's four blocks; each one more halves the size, from a quarter on.

        Raises:
            ValueError: there is no such DenseNet.
        """
        super().__init__()
        if layers not in BLOCKS or not 1 <= groups <= 4:
            raise ValueError(
                f"no DenseNet of layers {layers} and groups {groups}; expected layers of "
                f"{', '.join(map(str, BLOCKS))} and groups from 1 to 4"
            )
        self.stem = Convolution(3, STEM, 7, stride=2, norm=batch_norm)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks, self.between = nn.ModuleList(), nn.ModuleList()
        channels = STEM
        for group in range(groups):
            made = nn.Sequential()
            for _ in range(BLOCKS[layers][group]):
                made.append(DenseLayer(channels, norm=batch_norm))
                channels += GROWTH
            self.blocks.append(made)
            if group + 1 < groups:
                squeeze = Convolution(channels, channels // 2, 1, bias=False, activation=None)
                self.between.append(
                    nn.Sequential(Normalised(channels, norm=batch_norm), squeeze, nn.AvgPool2d(2, ceil_mode=True))
                )
                channels //= 2
        for part in (self.stem, *self.blocks.modules(), *self.between.modules()):
            if isinstance(part, Convolution) and not isinstance(part, Normalised):
                initialise(part, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
        self.last = Normalised(channels, norm=batch_norm, activation=None)
        self.channels = channels
        self.stride = 4 * 2 ** (groups - 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of ``stride`` -> (B, channels, H / stride, W / stride)."""
        x = self.pool(self.stem(x))
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number < len(self.between):
                x = self.between[number](x)
        features: Tensor = self.last(x)
        return features
