"""Convolutions with what follows them: the bricks of every network here."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

EPSILON = 1e-3
"""What every batch normalisation here adds to the variance, as MobileNet's and EfficientNet's authors do."""

Activation = type[nn.ReLU] | type[nn.ReLU6] | type[nn.ELU]


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
        activation: Activation | None = nn.ReLU,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        padding = dilation * (kernel // 2)
        layers["conv"] = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation=dilation, groups=groups, bias=not norm
        )
        if norm:
            layers["norm"] = nn.BatchNorm2d(outputs, eps=EPSILON)
        if activation is not None:
            layers["activation"] = activation(inplace=True)
        super().__init__(layers)


class SeparableConvolution(nn.Sequential):
    """``depthwise`` 3x3, then ``pointwise`` 1x1, each with its activation (MobileNet, arXiv 1704.04861, 3.1).

    Without ``between`` nothing is done between the two, neither normalised nor activated, as in TensorFlow's layer.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: bool = False,
        activation: Activation = nn.ReLU,
        between: bool = True,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["depthwise"] = Convolution(
            inputs,
            inputs,
            stride=stride,
            dilation=dilation,
            groups=inputs,
            norm=norm and between,
            activation=activation if between else None,
        )
        layers["pointwise"] = Convolution(inputs, outputs, 1, norm=norm, activation=activation)
        super().__init__(layers)
