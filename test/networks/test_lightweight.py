"""The lightweight network: its size, its shapes, its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card, CardError
from openpose_ros.networks import build
from openpose_ros.networks.frozen import LastAnswer, frozen
from openpose_ros.networks.lightweight import LightweightOpenPose
from openpose_ros.networks.mobilenet import MobileNetV1
from openpose_ros.skeleton import BODY_25, COCO_18

CARD = Card("test", {"type": "lightweight"}, COCO_18)


def with_settings(**settings: Any) -> Card:
    return replace(CARD, network={"type": "lightweight", **settings})


def test_it_has_the_published_number_of_parameters() -> None:
    counts = [tensor.numel() for tensor in build(CARD).parameters()]
    assert sum(counts) == 4_099_058
    assert sum(tensor.numel() for tensor in build(CARD).parameters() if tensor.ndim == 4) == 4_086_848


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 256, 456), (2, 64, 96), (3, 8, 8), (1, 72, 200)])
def test_each_stage_answers_one_cell_for_eight_pixels(batch: int, height: int, width: int) -> None:
    network = build(with_settings(channels=16, refinements=2)).eval()
    with torch.inference_mode():
        answers = network(torch.zeros(batch, 3, height, width))
    assert len(answers) == 3
    for answer in answers:
        assert answer.heatmaps.shape == (batch, 19, height // 8, width // 8)
        assert answer.pafs.shape == (batch, 38, height // 8, width // 8)


def test_the_skeleton_decides_the_channels() -> None:
    network = build(replace(CARD, skeleton=BODY_25, network={"type": "lightweight", "channels": 16})).eval()
    answer = network(torch.zeros(1, 3, 16, 16))[-1]
    assert answer.heatmaps.shape[1] == 26
    assert answer.pafs.shape[1] == 52


def test_without_refinements_the_initial_stage_is_the_answer() -> None:
    assert len(build(with_settings(channels=16, refinements=0))(torch.zeros(1, 3, 16, 16))) == 1


def test_batches_are_normalised_where_it_was_trained_so_and_the_rest_has_a_bias() -> None:
    network = build(with_settings(batch_norm=True))
    normalised = {name.rsplit(".", 2)[0] for name in network.state_dict() if name.endswith("running_mean")}
    assert len(normalised) == 23 + 10  # the backbone's convolutions and two in each refinement block
    biased = {name.rsplit(".", 2)[0] for name in network.state_dict() if name.endswith("conv.bias")}
    assert not biased & normalised
    assert len(biased) + len(normalised) == 58


def test_freezing_folds_batch_normalisation_and_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = build(with_settings(channels=16, batch_norm=True))
    for _ in range(2):
        network(torch.rand(2, 3, 64, 64))  # statistics other than the first ones
    module = LastAnswer(network)
    graph = frozen(module, torch.zeros(1, 3, 32, 32))
    assert "batch_norm" not in str(graph.graph)
    image = torch.rand(2, 3, 48, 72)
    with torch.inference_mode():
        for expected, found in zip(module(image), graph(image), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_backbone_reaches_as_far_as_its_dilation() -> None:
    """A pixel changes the cells up to 77 pixels from it, 8 more than without the dilation of conv5_1."""
    backbone = MobileNetV1().eval()
    torch.manual_seed(1)
    for parameter in backbone.parameters():
        torch.nn.init.uniform_(parameter, 0.01, 0.1)  # positive, so that nothing cancels
    image = torch.zeros(1, 3, 512, 512)
    with torch.inference_mode():
        before = backbone(image)
        image[0, :, 256, 256] = 100.0
        changed = (backbone(image) - before).abs().amax((0, 1)) > 0
    rows = torch.nonzero(changed.any(1)).flatten()
    assert (int(rows[0]), int(rows[-1])) == (23, 41)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ({"type": "resnet"}, "no network of type 'resnet'.*lightweight"),
        ({"type": "lightweight", "depth": 3}, "no setting 'depth'.*channels"),
        ({"type": "lightweight", "channels": "wide"}, "channels is 'wide'.*128"),
        ({"type": "lightweight", "refinements": True}, "refinements is True"),
        ({"type": "lightweight", "refinements": -1}, "refinements is -1"),
        ({"type": "lightweight", "backbone": "vgg"}, "no backbone 'vgg'.*mobilenet_v1"),
    ],
)
def test_a_setting_that_does_not_exist_is_named(network: dict[str, Any], text: str) -> None:
    with pytest.raises(CardError, match=text):
        build(replace(CARD, network=network))


def test_a_card_with_another_stride_is_refused() -> None:
    with pytest.raises(CardError, match="stride is 4.*has 8"):
        build(replace(CARD, stride=4))


def test_a_backbone_of_ones_own_is_named_by_its_path() -> None:
    path = "openpose_ros.networks.mobilenet.MobileNetV1"
    own = LightweightOpenPose(18, 19, backbone=path, channels=16)
    assert isinstance(own.backbone, MobileNetV1)
    with pytest.raises(ValueError, match=r"backbone 'nowhere\.Trunk' cannot be imported"):
        LightweightOpenPose(18, 19, backbone="nowhere.Trunk")
    with pytest.raises(ValueError, match="no backbone 'vgg'; expected one of mobilenet_v1"):
        LightweightOpenPose(18, 19, backbone="vgg")
