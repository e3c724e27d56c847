"""VGG-16 as a backbone: its first three blocks and four 1x1 convolutions, as the TensorFlow 2 implementation has it."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from openpose_ros.networks.blocks import Convolution, initialise

BLOCKS: tuple[tuple[int, int], ...] = ((2, 64), (2, 128), (3, 256))
"""Convolutions and their output channels of each block; a pool of 2 follows each."""

FINAL = (512, 512, 256, 256)
"""Output channels of the 1x1 convolutions, its stage0_final_conv1 to 4, each with a PReLU."""


class VGG16(nn.Sequential):
    """(B, 3, H, W) -> (B, 256, H / 8, W / 8).

    ``block1_conv1`` and so on are named as Keras names them, ``final1`` to ``final4`` follow.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    stride = 8

    def __init__(self, *, batch_norm: bool = False, width: float = 1.0) -> None:
        """Build with weights as He et al. draw them (arXiv 1502.01852).

        Args:
            batch_norm: normalise batches, as for training; the published network did not.
            width: multiple of the layers' channels.
        """
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 3
        for block, (count, channels) in enumerate(BLOCKS, 1):
            for number in range(1, count + 1):
                outputs = max(1, round(width * channels))
                layers[f"block{block}_conv{number}"] = Convolution(inputs, outputs, norm=batch_norm)
                inputs = outputs
            layers[f"block{block}_pool"] = nn.MaxPool2d(2)
        for number, channels in enumerate(FINAL, 1):
            outputs = max(1, round(width * channels))
            layers[f"final{number}"] = Convolution(inputs, outputs, 1, norm=batch_norm, activation=nn.PReLU)
            inputs = outputs
        super().__init__(layers)
        self.channels = inputs
        initialise(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
