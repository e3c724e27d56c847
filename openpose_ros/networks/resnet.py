"""ResNet as a backbone: kept at an eighth of the input's size by dilations, as deep as is asked for."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from openpose_ros.networks.blocks import Convolution, initialise

BLOCKS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of each group by the number of layers (He et al., arXiv 1512.03385, table 1)."""

WIDTHS = (64, 128, 256, 512)
BOTTLENECKS = 4
"""A bottleneck's outputs are so many times as wide as what lies within; ResNet-50 and deeper have them."""


class Residual(nn.Module):
    """``near`` and ``far``, both 3x3, or ``squeeze`` 1x1, ``far`` 3x3 and ``widen`` 1x1, beside a short cut.

    The short cut is a 1x1 convolution, ``match``, where the shape changes.
    """

    def __init__(
        self, inputs: int, width: int, *, bottleneck: bool, stride: int, dilation: tuple[int, int], norm: bool
    ) -> None:
        super().__init__()
        outputs = width * (BOTTLENECKS if bottleneck else 1)
        before, after = dilation
        if bottleneck:
            self.body = nn.Sequential()
            self.body.add_module("squeeze", Convolution(inputs, width, 1, norm=norm))
            self.body.add_module("far", Convolution(width, width, stride=stride, dilation=before, norm=norm))
            self.body.add_module("widen", Convolution(width, outputs, 1, norm=norm, activation=None))
        else:
            self.body = nn.Sequential()
            self.body.add_module("near", Convolution(inputs, width, stride=stride, dilation=before, norm=norm))
            self.body.add_module("far", Convolution(width, width, dilation=after, norm=norm, activation=None))
        self.match = None
        if stride > 1 or inputs != outputs:
            self.match = Convolution(inputs, outputs, 1, stride=stride, norm=norm, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        short: Tensor = x if self.match is None else self.match(x)
        return functional.relu(self.body(x) + short)


class ResNet(nn.Module):
    """(B, 3, H, W) -> (B, 256, H / 8, W / 8) with the defaults, (B, 1024, ...) with 50 layers.

    torchvision's ``layer1.0`` is ``groups.0.0`` here. Its normalisations add 1e-5 to the variance, not 1e-3: folding
    is exact, and so is a variance of 1e-5 - 1e-3 more.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    def __init__(self, *, batch_norm: bool = False, layers: int = 18, groups: int = 3, stride: int = 8) -> None:
        """Build with weights as He et al. draw them.

        Args:
            batch_norm: normalise batches, as for training.
            layers: one of ``BLOCKS``.
            groups: how many of the classifier's four.
            stride: 4 to 32. Where the classifier would go beyond it, the size stays and what follows is dilated.

        Raises:
            ValueError: there is no such ResNet.
        """
        super().__init__()
        if layers not in BLOCKS or not 1 <= groups <= len(WIDTHS) or stride not in (4, 8, 16, 32):
            raise ValueError(
                f"no ResNet of layers {layers}, groups {groups} and stride {stride}; expected layers of "
                f"{', '.join(map(str, BLOCKS))}, groups from 1 to {len(WIDTHS)} and stride 4, 8, 16 or 32"
            )
        bottleneck = layers >= 50
        self.stem = Convolution(3, WIDTHS[0], 7, stride=2, norm=batch_norm)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.groups = nn.Sequential()
        inputs, reached, dilation = WIDTHS[0], 4, 1
        for number in range(groups):
            blocks = nn.Sequential()
            for block in range(BLOCKS[layers][number]):
                wanted = 2 if number and block == 0 else 1
                taken = wanted if reached * wanted <= stride else 1
                further = dilation * wanted // taken
                blocks.append(
                    Residual(
                        inputs,
                        WIDTHS[number],
                        bottleneck=bottleneck,
                        stride=taken,
                        dilation=(dilation, further),
                        norm=batch_norm,
                    )
                )
                inputs = WIDTHS[number] * (BOTTLENECKS if bottleneck else 1)
                reached, dilation = reached * taken, further
            self.groups.append(blocks)
        self.channels = inputs
        self.stride = reached
        initialise(self, partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu"))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), H and W multiples of ``stride`` -> (B, channels, H / stride, W / stride)."""
        features: Tensor = self.groups(self.pool(self.stem(x)))
        return features
