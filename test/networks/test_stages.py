"""The stages: what sees what, which says what, and that they go with any backbone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card, CardError
from openpose_ros.networks import build
from openpose_ros.networks.dense import DenseStages
from openpose_ros.networks.stages import Answer
from openpose_ros.networks.two_branch import TwoBranchStages
from openpose_ros.networks.unet import UNet, UNetStages
from openpose_ros.skeleton import COCO_18

CARD = Card("test", {"type": "openpose", "backbone": {"type": "vgg19", "width": 0.0625}}, COCO_18)


def with_settings(**settings: Any) -> Card:
    return replace(CARD, network={**CARD.network, **settings})


@pytest.mark.parametrize("stages", ["two_branch", "dense", "unet", "lightweight"])
@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet", "efficientnet_lite0", "mobilenet_thin", "vgg16"])
def test_any_stages_go_with_any_backbone(stages: str, backbone: str) -> None:
    with torch.device("meta"):
        network = build(with_settings(backbone=backbone, stages=stages)).eval()
        heatmaps, pafs = network(torch.zeros(1, 3, 40, 72))[-1].both()
    assert (heatmaps.shape, pafs.shape) == ((1, 19, 5, 9), (1, 38, 5, 9))


@pytest.mark.parametrize(("stride", "doublings"), [(32, 2), (32, 3), (16, 1)])
def test_stages_may_answer_on_finer_cells_than_the_features(stride: int, doublings: int) -> None:
    settings = {"backbone": {"type": "resnet", "groups": 4, "stride": stride}}
    settings["stages"] = {"type": "attention", "channels": 8, "doublings": doublings}
    card = replace(with_settings(**settings), stride=stride // 2**doublings)
    with torch.device("meta"):
        network = build(card).eval()
        for rows, columns in ((8, 8), (5, 9), (1, 3)):
            image = torch.zeros(1, 3, rows * card.stride, columns * card.stride)
            heatmaps, pafs = network(image)[-1].both()
            assert (heatmaps.shape, pafs.shape) == ((1, 19, rows, columns), (1, 38, rows, columns))


def test_stages_cannot_be_finer_than_pixels() -> None:
    with pytest.raises(CardError, match="the stages want 16 cells of one, but the backbone's stride is 8"):
        build(with_settings(stages={"type": "attention", "doublings": 4}))


def test_stages_of_ones_own_are_named_by_their_path() -> None:
    card = with_settings(stages={"type": "openpose_ros.networks.dense.DenseStages", "width": 0.0625})
    assert isinstance(build(card).stages, DenseStages)


def test_lightweight_takes_a_backbone_with_settings() -> None:
    network = build(replace(CARD, network={"type": "lightweight", "backbone": CARD.network["backbone"], "channels": 8}))
    assert network.backbone.channels == 8


def test_each_branch_of_2017_sees_pafs_then_heatmaps_then_features() -> None:
    """concat_stage2 of CMU's prototxt: L1, L2 and conv4_4_CPM."""
    torch.manual_seed(0)
    stages = TwoBranchStages(4, 3, 2, refinements=1, width=0.0625).eval()
    features = torch.randn(1, 4, 6, 6)
    first, second = stages(features)
    seen = torch.cat([first.pafs, first.heatmaps, features], 1)
    torch.testing.assert_close(second.pafs, stages[1].pafs(seen))
    torch.testing.assert_close(second.heatmaps, stages[1].heatmaps(seen))


def test_the_stages_of_2018_see_what_is_known_so_far_and_say_everything_once() -> None:
    """concat_stage1_L2, concat_stage0_L1 and concat_stage1_L1 of CMU's prototxt."""
    torch.manual_seed(0)
    stages = DenseStages(4, 3, 2, paf_stages=2, heatmap_stages=2, width=0.0625).eval()
    features = torch.randn(1, 4, 6, 6)
    first, second, third = stages(features)
    assert first.heatmaps is None
    assert second.pafs is None
    torch.testing.assert_close(third.pafs, stages.pafs[1](torch.cat([features, first.pafs], 1)))
    torch.testing.assert_close(second.heatmaps, stages.heatmaps[0](torch.cat([features, third.pafs], 1)))
    known = torch.cat([features, second.heatmaps, third.pafs], 1)
    torch.testing.assert_close(third.heatmaps, stages.heatmaps[1](known))


def test_a_dense_block_shows_all_three_of_its_layers() -> None:
    torch.manual_seed(0)
    block = DenseStages(4, 3, 2, width=0.0625).pafs[0][0]
    x = torch.randn(1, 4, 5, 5)
    shown = block(x).chunk(3, 1)
    for layer, seen in zip(block, shown, strict=True):
        x = layer(x)
        torch.testing.assert_close(seen, x)


def test_nobody_asks_a_stage_for_what_it_does_not_say() -> None:
    with pytest.raises(AssertionError):
        Answer(None, torch.zeros(1, 2, 3, 3)).both()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9), (3, 2), (1, 1)])
@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_a_u_net_answers_for_every_cell_of_any_size(height: int, width: int, levels: int) -> None:
    net = UNet(6, 4, levels=levels, growth=2.0, squeeze=1 / 3, norm=False).eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 6, height, width)).shape == (1, 4, height, width)


def test_a_u_nets_last_row_of_an_odd_size_counts() -> None:
    torch.manual_seed(0)
    stages = UNetStages(2, 3, 2).eval()
    features = torch.randn(1, 2, 5, 5)
    with torch.inference_mode():
        before = stages(features)[-1].both()
        features[..., 4, 4] += 10.0
        after = stages(features)[-1].both()
    for one, other in zip(before, after, strict=True):
        assert float((one - other).abs().max()) > 0.0


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        ("hourglass", "no stages 'hourglass'; expected one of two_branch, dense, lightweight, unet, attention"),
        ({"type": "two_branch", "kernel": 4}, "kernel 4.*an odd number"),
        ({"type": "two_branch", "separable": "some"}, "separable is 'some'; expected one of none, wide, all"),
        ({"type": "dense", "paf_stages": 0}, "paf_stages is 0"),
        ({"type": "dense", "prelu": "yes"}, "stages dense setting prelu is 'yes'"),
        ({"type": "unet", "growths": []}, r"growths is \[\]"),
        ({"type": "unet", "growths": ["a"]}, r"growths is \['a'\]"),
        ({"type": "unet", "levels": -1}, "levels is -1"),
        ({"type": "attention", "doublings": 0}, "doublings is 0"),
        ({"type": "two_branch", "prelu": True, "separable": "all"}, "prelu goes with separable 'none'"),
        (3, "network openpose setting stages is 3; expected one like 'two_branch'"),
    ],
)
def test_stages_that_cannot_be_built_say_why(stages: Any, text: str) -> None:
    with pytest.raises(CardError, match=text):
        build(with_settings(stages=stages))
