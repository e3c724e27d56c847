"""Foreign names against ours, and the published list of layers against our network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table, human_pose_estimation_0001, renamed
from openpose_ros.weights.store import parameter_shapes

CARD = Card("test", {"type": "lightweight"}, COCO_18)
SOURCE = Path("source.npz")
NAMES = {"a": "one", "b/c": "two"}
SHAPES = {"one.conv.weight": (2, 1, 3, 3), "one.conv.bias": (2,), "two.conv.weight": (1, 2, 1, 1)}


def layers() -> Table:
    return {
        "a/weight": np.ones((2, 1, 3, 3), np.float32),
        "a/bias": np.ones(2, np.float32),
        "b/c/weight": np.ones((1, 2, 1, 1), np.float32),
    }


@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_every_parameter_has_one_foreign_name(refinements: int) -> None:
    card = Card("test", {"type": "lightweight", "refinements": refinements}, COCO_18)
    own = [
        f"{name}.conv.{kind}"
        for name in human_pose_estimation_0001(refinements).values()
        for kind in ("weight", "bias")
    ]
    assert sorted(own) == sorted(parameter_shapes(card))


def test_weights_go_by_our_names() -> None:
    given = layers()
    found = renamed(given, NAMES, SHAPES, SOURCE)
    assert {name: table.shape for name, table in found.items()} == SHAPES
    assert found["two.conv.weight"] is given["b/c/weight"]


def test_a_missing_weight_is_named() -> None:
    given = layers()
    del given["a/bias"]
    with pytest.raises(WeightsError, match=r"^source\.npz does not hold this network: missing a/bias$"):
        renamed(given, NAMES, SHAPES, SOURCE)


def test_an_unused_weight_is_named() -> None:
    with pytest.raises(WeightsError, match=r"^source\.npz does not hold this network: unused d/weight, d/bias$"):
        renamed({**layers(), "d/weight": np.ones(1), "d/bias": np.ones(1)}, NAMES, SHAPES, SOURCE)


def test_a_bias_that_our_network_does_not_have_is_unused() -> None:
    with pytest.raises(WeightsError, match="unused b/c/bias"):
        renamed({**layers(), "b/c/bias": np.ones(1, np.float32)}, NAMES, SHAPES, SOURCE)


def test_long_lists_of_names_are_cut() -> None:
    with pytest.raises(WeightsError, match="missing a/weight, a/bias, b/c/weight; unused 0, 1, 2, 3, 4 and 15 more"):
        renamed({str(number): np.ones(1) for number in range(20)}, NAMES, SHAPES, SOURCE)


def test_a_weight_of_another_shape_is_named() -> None:
    with pytest.raises(WeightsError, match=r"a/weight has shape \(2, 3, 3, 1\); the network needs \(2, 1, 3, 3\)"):
        renamed({**layers(), "a/weight": np.ones((2, 3, 3, 1), np.float32)}, NAMES, SHAPES, SOURCE)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(WeightsError, match="a/bias holds numbers that are not finite"):
        renamed({**layers(), "a/bias": np.array([1.0, np.nan], np.float32)}, NAMES, SHAPES, SOURCE)


@pytest.mark.shared
def test_every_published_layer_is_built_as_it_is_described(shared: Path) -> None:
    text = (shared / "models" / "openvino-human-pose-estimation-0001" / "layers.txt").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line[:1].isdigit()]
    network, names = build(CARD), human_pose_estimation_0001()
    assert [row[1] for row in rows if row[1] not in names] == []
    assert len(rows) == len(names) == 58
    activations = {"relu": nn.ReLU, "elu": nn.ELU}
    for _, name, shape, stride, dilation, padding, groups, activation, *_ in rows:
        block = network.get_submodule(names[name])
        conv = block.get_submodule("conv")
        assert str(tuple(conv.weight.shape)) == shape, name
        assert conv.stride == (int(stride),) * 2, name
        assert conv.dilation == (int(dilation),) * 2, name
        assert conv.padding == (int(padding),) * 2, name
        assert conv.groups == int(groups), name
        follows = dict(block.named_children()).get("activation")
        assert type(follows) is activations.get(activation, type(None)), name
