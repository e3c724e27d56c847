"""Inception v4 as a backbone: its stem and first group of blocks, an eighth of the input's size."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, initialise

STEM: tuple[tuple[str, int, int], ...] = (("1a", 32, 2), ("2a", 32, 1), ("2b", 64, 1))
"""Name, output channels and stride of the first 3x3 convolutions."""

BLOCKS: dict[str, tuple[str, ...]] = {
    "3a": ("max/2", "3x3:96/2"),
    "4a": ("1x1:64 3x3:96", "1x1:64 1x7:64 7x1:64 3x3:96"),
    "5a": ("3x3:192/2", "max/2"),
    "A": ("1x1:96", "1x1:64 3x3:96", "1x1:64 3x3:96 3x3:96", "mean 1x1:96"),
    "reduce A": ("3x3:384/2", "1x1:192 3x3:224 3x3:256/2", "max/2"),
    "B": (
        "1x1:384",
        "1x1:192 1x7:224 7x1:256",
        "1x1:192 7x1:192 1x7:224 7x1:224 1x7:256",
        "mean 1x1:128",
    ),
    "reduce B": ("1x1:192 3x3:192/2", "1x1:256 1x7:256 7x1:320 3x3:320/2", "max/2"),
    "C": ("1x1:256", "1x1:384 fork:256", "1x1:384 3x1:448 1x3:512 fork:256", "mean 1x1:256"),
}
"""Branches of each block (Szegedy et al., arXiv 1602.07261, figures 3 to 8): kernel, channels and stride of the
convolutions; ``max`` and ``mean`` of 3x3; and a ``fork`` into 1x3 and 3x1, side by side."""

GROUPS: tuple[tuple[str, ...], ...] = (
    ("3a", "4a", "5a", *["A"] * 4),
    ("reduce A", *["B"] * 7),
    ("reduce B", *["C"] * 3),
)


class SideBySide(nn.ModuleList):
    """Branches on the same input, their outputs concatenated."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, sum of the branches' channels, H / stride, W / stride)."""
        return torch.cat([branch(x) for branch in self], 1)


class InceptionV4(nn.Sequential):
    """(B, 3, H, W) -> (B, 384, H / 8, W / 8) with the defaults.

    Every convolution pads, so that the sizes are exact; the classifier's stem did not. TensorFlow's ``Conv2d_1a_3x3``
    is ``1a`` here and its ``Mixed_3a`` is ``3a``; ``Mixed_5b`` to ``5e`` are ``A1`` to ``A4``, ``Mixed_6b`` to ``6h``
    are ``B1`` to ``B7``, ``Mixed_7b`` to ``7d`` are ``C1`` to ``C3``. Module ``A1.2.1`` is the second layer of the
    third branch, pools counted; that is ``features.6.branch2.1`` in openpose-pytorch.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    def __init__(self, *, batch_norm: bool = False, groups: int = 1, width: float = 1.0) -> None:
        """Build with weights as He et al. draw them.

        Args:
            batch_norm: normalise batches, as for training.
            groups: 1 to 3, of the classifier's; each one more halves the size.
            width: multiple of all channels but the first three layers'; openpose-pytorch took a quarter.

        Raises:
            ValueError: there are no so many groups, or nothing is left of a width.
        """
        if not 1 <= groups <= len(GROUPS) or width <= 0.0:
            raise ValueError(f"groups is {groups} and width is {width:g}; expected 1 to {len(GROUPS)}, and more than 0")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 3
        for name, outputs, stride in STEM:
            layers[name] = Convolution(inputs, outputs, stride=stride, norm=batch_norm)
            inputs = outputs
        for group in GROUPS[:groups]:
            for index, kind in enumerate(group):
                number = group[: index + 1].count(kind)
                name = {"reduce A": "6a", "reduce B": "7a"}.get(kind, f"{kind}{number}" if len(kind) == 1 else kind)
                layers[name], inputs = _block(BLOCKS[kind], inputs, width, batch_norm)
        super().__init__(layers)
        self.channels = inputs
        self.stride = 8 * 2 ** (groups - 1)
        initialise(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))


def _block(branches: tuple[str, ...], inputs: int, width: float, norm: bool) -> tuple[SideBySide, int]:
    """The block and its output channels."""
    made, total = [], 0
    for branch in branches:
        layers: list[nn.Module] = []
        channels = inputs
        for word in branch.split():
            what, _, stride = word.partition("/")
            kernel, _, outputs = what.partition(":")
            if kernel == "max":
                layers.append(nn.MaxPool2d(3, int(stride), 1))
            elif kernel == "mean":
                layers.append(nn.AvgPool2d(3, 1, 1, count_include_pad=False))
            elif kernel == "fork":
                each = max(1, int(int(outputs) * width))
                shapes = ((1, 3), (3, 1))
                layers.append(SideBySide(Convolution(channels, each, shape, norm=norm) for shape in shapes))
                channels = 2 * each
            else:
                each = max(1, int(int(outputs) * width))
                high, wide = map(int, kernel.split("x"))
                layers.append(Convolution(channels, each, (high, wide), stride=int(stride or 1), norm=norm))
                channels = each
        made.append(nn.Sequential(*layers))
        total += channels
    return SideBySide(made), total
