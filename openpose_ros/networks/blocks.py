"""Convolutions with what follows them: the bricks of every network here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-3
"""What every normalisation here adds to the variance, as MobileNet's and EfficientNet's authors do."""

Activation = type[nn.ReLU] | type[nn.ReLU6] | type[nn.ELU] | type[nn.PReLU]


class Convolution(nn.Sequential):
    """``conv``, then ``norm`` where it is asked for, then ``activation``. Keeps the size, but for the stride.

    A network is trained with batch normalisation and may be run with it; published weights often have it folded
    into weight and bias, and then ``norm`` is left out and ``conv`` has the bias.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: bool = False,
        activation: Activation | None = nn.ReLU,
        bias: bool = True,
        per_image: bool = False,
        tensorflow: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            inputs, outputs: channels.
            kernel: height and width, odd.
            stride, dilation, groups: as PyTorch has them.
            norm: normalise batches.
            activation: None for none; a PReLU has one slope a channel.
            bias: whether ``conv`` has one where nothing normalises.
            per_image: normalise each image by its own mean and variance, in training and afterwards, whatever
                ``norm`` says.
            tensorflow: where it strides, which is by 2, pad as TensorFlow's ``SAME`` does (:class:`TensorFlowPad`).
        """
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        high, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = dilation * (high // 2), dilation * (wide // 2)
        if tensorflow and stride > 1 and padding != (0, 0):
            layers["pad"] = TensorFlowPad(*padding)
            padding = 0, 0
        layers["conv"] = nn.Conv2d(
            inputs,
            outputs,
            (high, wide),
            stride,
            padding,
            dilation=dilation,
            groups=groups,
            bias=bias and not norm and not per_image,
        )
        if per_image:
            layers["norm"] = nn.InstanceNorm2d(outputs, eps=EPSILON, affine=True)
        elif norm:
            layers["norm"] = nn.BatchNorm2d(outputs, eps=EPSILON)
        if activation is not None and issubclass(activation, nn.PReLU):
            layers["activation"] = activation(outputs)
        elif activation is not None:
            layers["activation"] = activation(inplace=True)
        super().__init__(layers)


class TensorFlowPad(nn.Module):
    """Zeros around a map as TensorFlow's ``SAME`` has them before a convolution of stride 2.

    An odd size gets as many on both sides. An even one needs one less, and it is the side on the left and above that
    goes without: there the convolution looks one pixel further right and down than PyTorch's.
    """

    def __init__(self, high: int, wide: int) -> None:
        """``high`` and ``wide``: half the size of the kernel, rounded down."""
        super().__init__()
        self.high, self.wide = high, wide

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H + 2 high, W + 2 wide); what an even size has too much stays unread."""
        above, left = self.high - 1 + x.shape[2] % 2, self.wide - 1 + x.shape[3] % 2
        return functional.pad(x, (left, 2 * self.wide - left, above, 2 * self.high - above))


class SeparableConvolution(nn.Sequential):
    """``depthwise``, then ``pointwise`` 1x1, each with its activation (MobileNet, arXiv 1704.04861, 3.1).

    Without ``between`` nothing is done between the two, neither normalised nor activated, as in TensorFlow's layer;
    that has no bias there either (``bias``).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: bool = False,
        activation: Activation | None = nn.ReLU,
        between: bool = True,
        bias: bool = True,
        tensorflow: bool = False,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["depthwise"] = Convolution(
            inputs,
            inputs,
            kernel,
            stride=stride,
            dilation=dilation,
            groups=inputs,
            norm=norm and between,
            activation=activation if between else None,
            bias=bias,
            tensorflow=tensorflow,
        )
        layers["pointwise"] = Convolution(inputs, outputs, 1, norm=norm, activation=activation)
        super().__init__(layers)


class TransposedConvolution(nn.Sequential):
    """``transposed`` of 4x4, then ``norm`` where it is asked for, then a ReLU: twice the height and width."""

    def __init__(self, inputs: int, outputs: int, *, norm: bool = False) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["transposed"] = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=not norm)
        if norm:
            layers["norm"] = nn.BatchNorm2d(outputs, eps=EPSILON)
        layers["activation"] = nn.ReLU(inplace=True)
        super().__init__(layers)


class InvertedBottleneck(nn.Module):
    """``expand`` 1x1, ``depthwise``, ``project`` 1x1 without an activation, beside a short cut where the shape allows.

    MobileNet v2's block (arXiv 1801.04381, 3.3). An expansion of 1 has no ``expand``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int,
        dilation: int = 1,
        expansion: int,
        norm: bool,
        per_image: bool = False,
        tensorflow: bool = False,
    ) -> None:
        super().__init__()
        wide = expansion * inputs
        self.expand = None
        if expansion > 1:
            self.expand = Convolution(inputs, wide, 1, norm=norm, activation=nn.ReLU6, per_image=per_image)
        self.depthwise = Convolution(
            wide,
            wide,
            kernel,
            stride=stride,
            dilation=dilation,
            groups=wide,
            norm=norm,
            activation=nn.ReLU6,
            per_image=per_image,
            tensorflow=tensorflow,
        )
        self.project = Convolution(wide, outputs, 1, norm=norm, activation=None, per_image=per_image)
        self.short_cut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        wide = x if self.expand is None else self.expand(x)
        projected: Tensor = self.project(self.depthwise(wide))
        return x + projected if self.short_cut else projected


def enlarged(x: Tensor, like: Tensor, *, tensorflow: bool = False) -> Tensor:
    """A map of fewer cells brought to the height and width of another, linearly.

    Args:
        x: (B, C, h, w).
        like: (B, D, H, W).
        tensorflow: measure places from the corner's cell, as ``tf.image.resize_bilinear`` did in TensorFlow 1: half a
            cell of ``like`` further up and left for twice the size.

    Returns:
        (B, C, H, W).
    """
    height, width = like.shape[2], like.shape[3]
    if not tensorflow:
        return functional.interpolate(x, (height, width), mode="bilinear", align_corners=False)
    # With one more cell on both sides, corner to corner steps by h / H, as TensorFlow's rule does.
    wider = functional.pad(x, (0, 1, 0, 1), mode="replicate")
    larger = functional.interpolate(wider, (height + 1, width + 1), mode="bilinear", align_corners=True)
    return larger[:, :, :-1, :-1]


def initialise(module: nn.Module, draw: Callable[[Tensor], Any]) -> None:
    """Draw the weights of every convolution in a module anew, in place, and set its biases to 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            draw(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
