"""trt_pose's checkpoints (resnet18_baseline_att, densenet121_baseline_att) as networks of ours.

Of a limb's two fields the first there is y, the second x, and nothing says what is background.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openpose_ros.card import Card
from openpose_ros.networks.densenet import BLOCKS as DENSENET_BLOCKS
from openpose_ros.networks.resnet import BLOCKS as RESNET_BLOCKS
from openpose_ros.skeleton import TRT_POSE_18
from openpose_ros.weights import WeightsError
from openpose_ros.weights.layer_names import torchvision_resnet
from openpose_ros.weights.names import Table
from openpose_ros.weights.placing import placed
from openpose_ros.weights.store import parameter_shapes
from openpose_ros.weights.torch_layers import Layer, folded, where

FIRST = "1.cmap_up.0.weight"
"""The tensor by which such a checkpoint is known."""

LICENCE = "MIT (NVIDIA-AI-IOT/trt_pose) if these are the published weights; else ask who trained them"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, in 0..1."""

CLASSIFIER = ("0.resnet.fc.", "0.densenet.classifier.")
"""What the checkpoints carry along and never use."""

BRANCHES = {"cmap": "heatmaps", "paf": "pafs"}
NOTES = (
    "Normalisation is folded into the convolutions. Nothing there says what is background; its channel here is 0. It "
    "was trained on photos stretched to a square of 224 or 256 pixels: take an input size near that."
)


def converted(state: Mapping[str, torch.Tensor], source: Path) -> tuple[Card, Table]:
    """The card and the parameters of a checkpoint.

    Args:
        state: its tensors by name.
        source: the file, for the card and the text of errors.

    Raises:
        WeightsError: it is none of these networks, or a weight is missing, unused or of another shape.
    """
    backbone, layers = _resnet(state) if "0.resnet.conv1.weight" in state else _densenet(state, source)
    doublings = sum(f"1.cmap_up.{3 * number}.weight" in state for number in range(8))
    for theirs, ours in BRANCHES.items():
        for number in range(doublings):
            at, norm = f"1.{theirs}_up.{3 * number}", f"1.{theirs}_up.{3 * number + 1}"
            layers.append(Layer(at, f"stages.{ours}.up.{number}", norm, transposed=True))
        layers += [
            Layer(f"1.{theirs}_att", f"stages.{ours}.attention"),
            Layer(f"1.{theirs}_conv", f"stages.{ours}.output"),
        ]
    channels = state[FIRST].shape[1]
    card = Card(
        name=f"trt_pose_{backbone['type']}{backbone['layers']}",
        network={
            "type": "openpose",
            "backbone": backbone,
            "stages": {"type": "attention", "channels": channels, "doublings": doublings},
        },
        skeleton=TRT_POSE_18,
        stride=32 // 2**doublings,
        channels="RGB",
        mean=_three(255 * value for value in MEAN),
        scale=_three(1 / (255 * value) for value in DEVIATION),
        licence=LICENCE,
        source=f"NVIDIA-AI-IOT/trt_pose, read from {source.name}",
        notes=NOTES,
    )
    shapes = parameter_shapes(card)
    places = where(layers, shapes)
    left = {name: tensor for name, tensor in state.items() if not name.startswith(CLASSIFIER)}
    tables = folded(left, layers, places)
    for part in ("weight", "bias"):
        heat, pafs = f"1.cmap_conv/{part}", f"1.paf_conv/{part}"
        if heat in tables and len(tables[heat]) == len(TRT_POSE_18.joints):
            tables[heat] = np.concatenate([tables[heat], np.zeros_like(tables[heat][:1])])
        if pafs in tables and len(tables[pafs]) == 2 * len(TRT_POSE_18.limbs):
            pairs = tables[pafs].reshape(-1, 2, *tables[pafs].shape[1:])
            tables[pafs] = pairs[:, ::-1].reshape(tables[pafs].shape)
    return card, placed(tables, places, shapes, source)


def _resnet(state: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], list[Layer]]:
    """The backbone as a card has it, and its layers."""

    def is_it(layers: int) -> bool:
        deep = "0.resnet.layer1.0.conv3.weight" in state
        blocks = RESNET_BLOCKS[layers]
        last = all(f"0.resnet.layer{group}.{count - 1}.conv1.weight" in state for group, count in enumerate(blocks, 1))
        more = any(f"0.resnet.layer{group}.{count}.conv1.weight" in state for group, count in enumerate(blocks, 1))
        return last and not more and deep == (layers >= 50)

    layers = next((layers for layers in RESNET_BLOCKS if is_it(layers)), 18)
    names = torchvision_resnet(layers, groups=4)
    made = []
    for theirs, ours in names.items():
        norm = (
            theirs.replace("downsample.0", "downsample.1") if "downsample" in theirs else theirs.replace("conv", "bn")
        )
        made.append(Layer(f"0.resnet.{theirs}", ours, f"0.resnet.{norm}"))
    return {"type": "resnet", "layers": layers, "groups": 4, "stride": 32}, made


def _densenet(state: Mapping[str, torch.Tensor], source: Path) -> tuple[dict[str, Any], list[Layer]]:
    """The backbone as a card has it, and its layers."""
    prefix = "0.densenet.features"

    def count(block: int) -> int:
        number = 0
        while f"{prefix}.denseblock{block}.denselayer{number + 1}.conv1.weight" in state:
            number += 1
        return number

    blocks = tuple(count(block) for block in range(1, 5))
    layers = next((layers for layers, known in DENSENET_BLOCKS.items() if known == blocks), None)
    if layers is None:
        raise WeightsError(
            f"{source} is a checkpoint of trt_pose whose backbone is neither a ResNet nor a DenseNet of "
            f"{', '.join(map(str, DENSENET_BLOCKS))} layers"
        )
    made = [Layer(f"{prefix}.conv0", "backbone.stem", f"{prefix}.norm0")]
    for block, number in enumerate(blocks):
        for index in range(number):
            theirs, ours = f"{prefix}.denseblock{block + 1}.denselayer{index + 1}", f"backbone.blocks.{block}.{index}"
            made += [
                Layer(f"{theirs}.norm1", f"{ours}.before", f"{theirs}.norm1"),
                Layer(f"{theirs}.conv1", f"{ours}.squeeze", f"{theirs}.norm2"),
                Layer(f"{theirs}.conv2", f"{ours}.grow"),
            ]
        if block < 3:
            theirs, ours = f"{prefix}.transition{block + 1}", f"backbone.between.{block}"
            made += [Layer(f"{theirs}.norm", f"{ours}.0", f"{theirs}.norm"), Layer(f"{theirs}.conv", f"{ours}.1")]
    made.append(Layer(f"{prefix}.norm5", "backbone.last", f"{prefix}.norm5"))
    return {"type": "densenet", "layers": layers, "groups": 4}, made


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue
