"""The backbones: published sizes of the classifiers that they come from, and that settings do what they say."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from openpose_ros.networks.backbones import BACKBONES, backbone
from openpose_ros.networks.blocks import Convolution, TensorFlowPad, enlarged
from openpose_ros.networks.densenet import DenseNet, Normalised
from openpose_ros.networks.inception import InceptionV4
from openpose_ros.networks.mobilenet_fine import MobileNetFine
from openpose_ros.networks.mobilenet_v2 import MobileNetV2, rounded
from openpose_ros.networks.resnet import ResNet
from openpose_ros.networks.vgg import LAYERS, VGG19
from openpose_ros.networks.vgg16 import VGG16


def parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"timm"}))
@pytest.mark.parametrize("batch_norm", [True, False])
def test_every_backbone_keeps_what_it_says_of_channels_and_stride(name: str, batch_norm: bool) -> None:
    with torch.device("meta"):
        made = backbone(name, batch_norm=batch_norm).eval()
        image = torch.zeros(1, 3, 5 * made.stride, 9 * made.stride)
    assert made(image).shape == (1, made.channels, 5, 9)
    assert batch_norm or not any(part.endswith("running_mean") for part in made.state_dict())


@pytest.mark.parametrize(("layers", "published"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_the_whole_resnet_has_the_published_number_of_parameters(layers: int, published: int) -> None:
    """As torchvision counts them, its classifier of 1000 classes included."""
    with torch.device("meta"):
        whole = ResNet(batch_norm=True, layers=layers, groups=4, stride=32)
    assert parameters(whole) + whole.channels * 1000 + 1000 == published


@pytest.mark.parametrize(("layers", "published"), [(121, 7_978_856), (169, 14_149_480), (201, 20_013_928)])
def test_the_whole_densenet_has_the_published_number_of_parameters(layers: int, published: int) -> None:
    """As torchvision counts them, its classifier of 1000 classes included."""
    with torch.device("meta"):
        whole = DenseNet(batch_norm=True, layers=layers)
    # What stands before a convolution has a factor here, too, which its normalisation makes idle.
    idle = sum(part.conv.weight.numel() for part in whole.modules() if isinstance(part, Normalised))
    assert parameters(whole) - idle + whole.channels * 1000 + 1000 == published


def test_vgg_16_has_the_published_number_of_parameters_in_its_first_three_blocks() -> None:
    """torchvision's vgg16 has 14,714,688 in its features; two more blocks are of 512 channels."""
    with torch.device("meta"):
        made = VGG16()
    first = sum(parameters(part) for name, part in made.named_children() if name.startswith("block"))
    assert first == 14_714_688 - (256 * 512 * 9 + 512) - 5 * (512 * 512 * 9 + 512)


def test_the_whole_inception_v4_has_the_published_number_of_parameters() -> None:
    """42,679,816 as timm counts them, its classifier of 1000 classes included."""
    with torch.device("meta"):
        whole = InceptionV4(batch_norm=True, groups=3)
    assert (whole.channels, whole.stride) == (1536, 32)
    assert parameters(whole) + 1536 * 1000 + 1000 == 42_679_816


def test_vgg_has_the_published_number_of_parameters_before_the_layers_of_openpose() -> None:
    """torchvision's vgg19 has 20,024,384 in its features; from conv4_3 on there are six layers of 512 channels."""
    with torch.device("meta"):
        made = VGG19()
    classifier = sum(parameters(made[LAYERS.index((name, outputs))]) for name, outputs in LAYERS[:13])
    assert classifier == 20_024_384 - 6 * (512 * 512 * 9 + 512)


def test_mobilenet_v2_has_the_published_number_of_parameters_up_to_its_fifth_stage() -> None:
    """torchvision's whole one has 3,504,872; the rest of it is computed here."""
    with torch.device("meta"):
        made = MobileNetV2(batch_norm=True)

    def block(inputs: int, outputs: int) -> int:
        wide = 6 * inputs
        return inputs * wide + 9 * wide + wide * outputs + 2 * (2 * wide + outputs)

    last = block(96, 160) + 2 * block(160, 160) + block(160, 320) + 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert parameters(made) + last == 3_504_872


def test_channels_are_rounded_as_the_published_widths_are() -> None:
    """Widths 0.5 and 1.4 of the layers, as the graph of mobilenet_v2_small and TensorFlow's library have them."""
    wide = (32, 16, 24, 32, 64, 96)
    assert [rounded(0.5 * channels) for channels in wide] == [16, 8, 16, 16, 32, 48]
    assert [rounded(1.4 * channels) for channels in wide] == [48, 24, 32, 48, 88, 136]


@pytest.mark.parametrize("layers", [18, 50])
def test_resnets_dilations_look_as_far_as_the_strides_did(layers: int) -> None:
    torch.manual_seed(0)
    fine = ResNet(layers=layers, groups=4, stride=8).eval()
    coarse = ResNet(layers=layers, groups=4, stride=32).eval()
    coarse.load_state_dict(fine.state_dict())
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        seen, wanted = fine(image), coarse(image)
    assert float(wanted.std()) > 0.0
    torch.testing.assert_close(seen[..., ::4, ::4], wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("size", [(6, 9), (7, 8), (1, 2)])
def test_tensorflows_padding_is_reckoned_as_tensorflow_does(size: tuple[int, int]) -> None:
    """SAME: ceil(n / 2) outputs, as much padding as they need, the smaller half of it before."""
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(2, 3, 3, stride=2)
    ours = Convolution(2, 3, stride=2, activation=None, tensorflow=True)
    assert isinstance(ours.pad, TensorFlowPad)
    ours.conv.load_state_dict(plain.state_dict())
    image = torch.randn(1, 2, *size)
    needed = [max((-(-n // 2) - 1) * 2 + 3 - n, 0) for n in size]
    sides = [side for total in reversed(needed) for side in (total // 2, total - total // 2)]
    torch.testing.assert_close(ours(image), plain(torch.nn.functional.pad(image, sides)))


@pytest.mark.parametrize(("few", "many"), [(4, 8), (3, 5), (2, 3)])
def test_a_map_is_enlarged_from_the_corner_as_tensorflow_does(few: int, many: int) -> None:
    row = torch.randn(1, 1, 1, few, generator=torch.Generator().manual_seed(1))
    found = enlarged(row, torch.zeros(1, 7, 1, many), tensorflow=True)[0, 0, 0]
    for cell, value in enumerate(found):
        place = cell * few / many
        low, share = int(place), place - int(place)
        expected = (1 - share) * row[..., low] + share * row[..., min(low + 1, few - 1)]
        assert float(value) == pytest.approx(float(expected), abs=1e-5)


def test_a_map_is_enlarged_by_its_centres_otherwise() -> None:
    row = torch.tensor([[[[0.0, 1.0]]]])
    found = enlarged(row, torch.zeros(1, 1, 1, 4))[0, 0, 0]
    assert found.tolist() == [0.0, 0.25, 0.75, 1.0]


def test_an_image_normalised_by_itself_does_not_see_its_batch() -> None:
    torch.manual_seed(0)
    made = MobileNetV2(width=0.25, per_image=True)
    images = torch.randn(2, 3, 64, 64)
    alone, together = made.train()(images[:1]), made.eval()(images)[:1]
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)


def test_three_depths_of_the_fine_mobilenet_stand_side_by_side() -> None:
    torch.manual_seed(0)
    made = MobileNetFine(width=0.25).eval()
    image = torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        features = made(image)
        shallow = made.shallow(made.stem(image))
        middle = made.middle(shallow)
        torch.testing.assert_close(features[:, :16], torch.nn.functional.max_pool2d(shallow, 2))
        torch.testing.assert_close(features[:, 16:48], middle)
        deep = torch.nn.functional.interpolate(made.deep(middle), scale_factor=2, mode="bilinear")
        torch.testing.assert_close(features[:, 48:], deep)


def test_vggs_slopes_stand_where_the_network_of_2018_has_them() -> None:
    with torch.device("meta"):
        made = VGG19(prelu=True)
    slopes = {name.removesuffix(".activation.weight") for name in made.state_dict() if "activation" in name}
    assert slopes == {"conv4_2", "conv4_3_CPM", "conv4_4_CPM"}


def test_weights_begin_as_they_were_published() -> None:
    torch.manual_seed(0)
    made = VGG19(width=0.5)
    last, early = made.conv4_4_CPM.conv.weight.detach(), made.conv3_2.conv.weight.detach()
    assert float(last.std()) == pytest.approx(0.01, rel=0.05)
    assert float(early.std()) == pytest.approx((2 / (9 * early.shape[1])) ** 0.5, rel=0.05)
    assert not made.conv1_1.conv.bias.any()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"type": "resnet", "layers": 19}, "no ResNet of layers 19.*18, 34, 50"),
        ({"type": "resnet", "stride": 2}, "stride 2; expected"),
        ({"type": "resnet", "depth": 18}, "backbone resnet has no setting 'depth'.*layers"),
        ({"type": "inception_v4", "groups": 4}, "groups is 4.*1 to 3"),
        ({"type": "inception_v4", "width": "wide"}, "width is 'wide'; expected one like 1.0"),
        ({"layers": 18}, "expected a name, or a table with an entry 'type'"),
        ({"type": "squeezenet"}, "no backbone 'squeezenet'; expected one of mobilenet_v1"),
        ({"type": "nowhere.Net"}, "'nowhere.Net' cannot be imported"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        backbone(given, batch_norm=False)
