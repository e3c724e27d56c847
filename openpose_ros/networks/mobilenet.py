"""MobileNet v1 as a backbone: up to its conv5_5, kept at an eighth of the input's size by a dilation."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution

LAYERS: tuple[tuple[str, int, int, int], ...] = (
    ("conv2_1", 64, 1, 1),
    ("conv2_2", 128, 2, 1),
    ("conv3_1", 128, 1, 1),
    ("conv3_2", 256, 2, 1),
    ("conv4_1", 256, 1, 1),
    ("conv4_2", 512, 1, 1),  # stride 2 in the classifier
    ("conv5_1", 512, 1, 2),  # looks as far as it would behind that stride
    ("conv5_2", 512, 1, 1),
    ("conv5_3", 512, 1, 1),
    ("conv5_4", 512, 1, 1),
    ("conv5_5", 512, 1, 1),
)
"""Name, output channels, stride and dilation of the separable convolutions (arXiv 1811.12004, 3.2)."""


class MobileNetV1(nn.Sequential):
    """(B, 3, H, W) -> (B, 512, H / 8, W / 8).

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    channels = 512
    stride = 8

    def __init__(self, *, batch_norm: bool = False) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = Convolution(3, 32, stride=2, norm=batch_norm)
        inputs = 32
        for name, outputs, stride, dilation in LAYERS:
            layers[name] = SeparableConvolution(inputs, outputs, stride=stride, dilation=dilation, norm=batch_norm)
            inputs = outputs
        super().__init__(layers)
