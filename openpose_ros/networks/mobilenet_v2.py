"""MobileNet v2 as a backbone, as tf-pose cuts it: an eighth of the input's size beside a sixteenth, enlarged."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, InvertedBottleneck, enlarged, initialise

STAGES: tuple[tuple[int, int, int, int], ...] = (
    (1, 1, 1, 16),
    (2, 2, 6, 24),
    (3, 2, 6, 32),
    (4, 2, 6, 64),
    (3, 1, 6, 96),
    (3, 2, 6, 160),
    (1, 1, 6, 320),
)
"""Blocks, stride of the first block, expansion and output channels at width 1 (arXiv 1801.04381, table 2)."""

STEM = 32
SHALLOW, DEEP = 3, 5
"""Stages that end with TensorFlow's expanded_conv_5 and expanded_conv_12, the layers 7 and 14 of its listing."""


class MobileNetV2(nn.Module):
    """(B, 3, H, W) -> (B, 128 width, H / 8, W / 8): the third stage, and the fifth enlarged to its size.

    Module ``blocks.N`` is TensorFlow's ``expanded_conv_N``.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    stride = 8

    def __init__(
        self, *, batch_norm: bool = False, width: float = 1.0, per_image: bool = False, tensorflow: bool = False
    ) -> None:
        """Build with weights as TensorFlow's library draws them for this network.

        Args:
            batch_norm: normalise batches, as for training.
            width: multiple of the layers' channels: 0.5 in mobilenet_v2_small, 1.4 in mobilenet_v2_large.
            per_image: normalise each image by its own statistics instead, which is what the published graph of
                mobilenet_v2_small does: it was frozen in training mode.
            tensorflow: lay out pixels as TensorFlow does, for weights that were trained there.
        """
        super().__init__()
        inputs = rounded(STEM * width)
        norms = {"norm": batch_norm, "per_image": per_image, "tensorflow": tensorflow}
        self.stem = Convolution(3, inputs, stride=2, activation=nn.ReLU6, **norms)
        self.blocks = nn.ModuleList()
        ends, outputs = [], []
        for blocks, first, expansion, channels in STAGES[:DEEP]:
            for block in range(blocks):
                made = InvertedBottleneck(
                    inputs, rounded(channels * width), stride=first if block == 0 else 1, expansion=expansion, **norms
                )
                self.blocks.append(made)
                inputs = rounded(channels * width)
            ends.append(len(self.blocks))
            outputs.append(inputs)
        self.fine = ends[SHALLOW - 1]
        self.tensorflow = tensorflow
        self.channels = outputs[SHALLOW - 1] + outputs[DEEP - 1]
        initialise(self, partial(nn.init.trunc_normal_, std=0.09, a=-0.18, b=0.18))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 8 -> (B, channels, H / 8, W / 8)."""
        x = self.stem(x)
        fine = x
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number == self.fine:
                fine = x
        return torch.cat([fine, enlarged(x, fine, tensorflow=self.tensorflow)], 1)


def rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and never less than nine tenths of what was asked for."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
