"""Backbones by name: what makes features of an image. Any of them goes with any stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from openpose_ros.networks.densenet import DenseNet
from openpose_ros.networks.efficientnet_lite import EfficientNetLite0
from openpose_ros.networks.inception import InceptionV4
from openpose_ros.networks.mobilenet import MobileNetV1
from openpose_ros.networks.mobilenet_fine import MobileNetFine
from openpose_ros.networks.mobilenet_thin import MobileNetThin
from openpose_ros.networks.mobilenet_v2 import MobileNetV2
from openpose_ros.networks.resnet import ResNet
from openpose_ros.networks.settings import part
from openpose_ros.networks.timm import Timm
from openpose_ros.networks.vgg import VGG19
from openpose_ros.networks.vgg16 import VGG16

BACKBONES: dict[str, type[nn.Module]] = {
    "mobilenet_v1": MobileNetV1,
    "mobilenet_thin": MobileNetThin,
    "mobilenet_fine": MobileNetFine,
    "mobilenet_v2": MobileNetV2,
    "efficientnet_lite0": EfficientNetLite0,
    "vgg19": VGG19,
    "vgg16": VGG16,
    "resnet": ResNet,
    "densenet": DenseNet,
    "inception_v4": InceptionV4,
    "timm": Timm,
}
"""Each is built with ``batch_norm`` and settings of its own, and says its ``channels`` and ``stride``."""


def backbone(given: str | Mapping[str, Any], *, batch_norm: bool) -> Any:
    """A backbone with random weights.

    Args:
        given: one of ``BACKBONES``, or the dotted path of a class of your own that is built in the same way; or a
            table with this as ``type`` and its settings beside.
        batch_norm: normalise batches, as for training.

    Raises:
        ValueError: there is none, or a setting cannot be built.
    """
    kind, settings = part(given, BACKBONES, "backbone")
    return kind(**{"batch_norm": batch_norm, **settings})
