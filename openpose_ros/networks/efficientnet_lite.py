"""EfficientNet-Lite0 as a backbone: its first five stages, kept at an eighth of the input's size by dilations."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from openpose_ros.networks.blocks import Convolution, InvertedBottleneck

STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and output channels of the classifier's stages: those of
EfficientNet-B0 (arXiv 1905.11946, table 1); Lite has ReLU6 for Swish and no squeeze-and-excitation."""

STEM = 32


class EfficientNetLite0(nn.Sequential):
    """(B, 3, H, W) -> (B, 112, H / 8, W / 8) with the defaults: 0.7 M parameters, 2.8 GFLOPs at 256x456.

    The two stages left out would bring 2.2 M parameters and, at this stride, 8.2 GFLOPs more.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    def __init__(self, *, batch_norm: bool = False, stages: int = 5, stride: int = 8) -> None:
        """Build with random weights.

        Args:
            batch_norm: normalise batches, as for training.
            stages: how many of the classifier's seven.
            stride: 2 to 32. Where the classifier would go beyond it, the size stays and what follows is dilated, so
                that it looks as far as it would behind that stride.
        """
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["stem"] = Convolution(3, STEM, stride=2, norm=batch_norm, activation=nn.ReLU6)
        inputs, reached, dilation = STEM, 2, 1
        for number, (blocks, kernel, first, expansion, outputs) in enumerate(STAGES[:stages], start=1):
            for block in range(blocks):
                wanted = first if block == 0 else 1
                taken = wanted if reached * wanted <= stride else 1
                layers[f"stage{number}_{block + 1}"] = InvertedBottleneck(
                    inputs, outputs, kernel, stride=taken, dilation=dilation, expansion=expansion, norm=batch_norm
                )
                inputs, reached, dilation = outputs, reached * taken, dilation * wanted // taken
        super().__init__(layers)
        self.channels = inputs
        self.stride = reached
