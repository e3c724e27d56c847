"""Convolutions with what follows them: the bricks of every network here."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class Convolution(nn.Sequential):
    """``conv``, then ``norm`` where it is asked for, then ``activation``. Keeps the size, but for the stride.

    A network is trained with batch normalisation and may be run with it; published weights often have it folded
    into weight and bias, and then ``norm`` is left out and ``conv`` has the bias.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: bool = False,
        activation: type[nn.ReLU] | type[nn.ELU] | None = nn.ReLU,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        padding = dilation * (kernel // 2)
        layers["conv"] = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation=dilation, groups=groups, bias=not norm
        )
        if norm:
            layers["norm"] = nn.BatchNorm2d(outputs, eps=1e-3)
        if activation is not None:
            layers["activation"] = activation(inplace=True)
        super().__init__(layers)


class SeparableConvolution(nn.Sequential):
    """``depthwise`` 3x3, then ``pointwise`` 1x1, each with its activation (MobileNet, arXiv 1704.04861, 3.1)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: bool = False,
        activation: type[nn.ReLU] | type[nn.ELU] = nn.ReLU,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["depthwise"] = Convolution(
            inputs, inputs, stride=stride, dilation=dilation, groups=inputs, norm=norm, activation=activation
        )
        layers["pointwise"] = Convolution(inputs, outputs, 1, norm=norm, activation=activation)
        super().__init__(layers)
