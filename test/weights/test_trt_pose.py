"""trt_pose's checkpoints, written here by torchvision's and its own names, against the network they come from."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn
from torch.nn import functional

from openpose_ros.card import Card
from openpose_ros.weights import WeightsError
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network

Norm = nn.BatchNorm2d


class Basic(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), Norm(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), Norm(outputs)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), Norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's ResNet-18."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), Norm(64)
        widths = (64, 64, 128, 256, 512)
        for group, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True), 1):
            blocks = nn.Sequential(Basic(before, after, 1 if group == 1 else 2), Basic(after, after, 1))
            setattr(self, f"layer{group}", blocks)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for group in range(1, 5):
            x = getattr(self, f"layer{group}")(x)
        return x


class DenseLayer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs), nn.Conv2d(inputs, 128, 1, bias=False)
        self.norm2, self.conv2 = Norm(128), nn.Conv2d(128, 32, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(y)))], 1)


class DenseNet(nn.Module):
    """torchvision's DenseNet-121: its features end with a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["conv0"], parts["norm0"] = nn.Conv2d(3, 64, 7, 2, 3, bias=False), Norm(64)
        parts["relu0"], parts["pool0"] = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        channels = 64
        for block, layers in enumerate((6, 12, 24, 16), 1):
            made: OrderedDict[str, nn.Module] = OrderedDict()
            for number in range(1, layers + 1):
                made[f"denselayer{number}"] = DenseLayer(channels)
                channels += 32
            parts[f"denseblock{block}"] = nn.Sequential(made)
            if block < 4:
                between: OrderedDict[str, nn.Module] = OrderedDict()
                between["norm"], between["relu"] = Norm(channels), nn.ReLU()
                between["conv"] = nn.Conv2d(channels, channels // 2, 1, bias=False)
                between["pool"] = nn.AvgPool2d(2, 2)
                parts[f"transition{block}"] = nn.Sequential(between)
                channels //= 2
        parts["norm5"] = Norm(channels)
        self.features = nn.Sequential(parts)
        self.classifier = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.features(x)
        return features


class Head(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()

        def up() -> nn.Sequential:
            layers: list[nn.Module] = []
            for before in (inputs, 256, 256):
                layers += [nn.ConvTranspose2d(before, 256, 4, 2, 1), Norm(256), nn.ReLU()]
            return nn.Sequential(*layers)

        self.cmap_up, self.paf_up = up(), up()
        self.cmap_att, self.paf_att = nn.Conv2d(256, 256, 3, 1, 1), nn.Conv2d(256, 256, 3, 1, 1)
        self.cmap_conv, self.paf_conv = nn.Conv2d(256, 18, 1), nn.Conv2d(256, 42, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        parts, links = self.cmap_up(x), self.paf_up(x)
        parts = self.cmap_conv(parts * torch.sigmoid(self.cmap_att(parts)))
        return parts, self.paf_conv(links * torch.tanh(self.paf_att(links)))


class Backbone(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        setattr(self, kind, ResNet() if kind == "resnet" else DenseNet())
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = getattr(self, self.kind)(x)
        return features


def published(kind: str) -> nn.Sequential:
    """With weights that let a picture through and statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    network = nn.Sequential(Backbone(kind), Head(512 if kind == "resnet" else 1024)).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
            elif isinstance(part, Norm):
                for table, low, high in ((part.running_var, 0.5, 1.5), (part.weight, 0.3, 0.6)):
                    assert table is not None
                    nn.init.uniform_(table, low, high)
                for table in (part.running_mean, part.bias):
                    assert table is not None
                    nn.init.normal_(table, std=0.1)
    return network


@pytest.mark.parametrize(("kind", "layers"), [("resnet", 18), ("densenet", 121)])
def test_a_checkpoint_answers_as_the_network_it_comes_from(tmp_path: Path, kind: str, layers: int) -> None:
    network = published(kind)
    torch.save(network.state_dict(), tmp_path / f"{kind}_baseline_att_224x224_A_epoch_249.pth")
    card = convert(next(tmp_path.glob("*.pth")), tmp_path / "new")
    assert (card.name, card.stride, card.channels) == (f"trt_pose_{kind}{layers}", 4, "RGB")
    assert card.mean[0] == pytest.approx(123.675)
    assert card.scale[0] == pytest.approx(0.01712475)
    assert card.licence.startswith("MIT")
    assert card.path is not None
    assert Card.load(card.path) == card
    image = torch.rand(1, 3, 64, 96) - 0.5
    with torch.inference_mode():
        parts, links = network(image)
        heatmaps, pafs = load_network(card)(image)[-1].both()
    assert float(parts.std()) > 1e-3
    torch.testing.assert_close(heatmaps[:, :18], parts, rtol=1e-3, atol=1e-4 * float(parts.abs().max()))
    assert not heatmaps[:, 18].any()
    # y stands before x in its files.
    swapped = links.unflatten(1, (21, 2)).flip(2).flatten(1, 2)
    torch.testing.assert_close(pafs, swapped, rtol=1e-3, atol=1e-4 * float(links.abs().max()))


def test_a_picture_of_any_size_is_answered_where_it_is(tmp_path: Path) -> None:
    """Sizes between multiples of 32: the same cells as when the picture is padded to such a multiple with zeros."""
    network = published("resnet")
    torch.save(network.state_dict(), tmp_path / "a.pth")
    ours = load_network(convert(tmp_path / "a.pth", tmp_path / "new"))
    image = torch.rand(1, 3, 164, 228) - 0.5
    with torch.inference_mode():
        parts, _ = network(functional.pad(image, (0, 28, 0, 28)))
        heatmaps, _ = ours(image)[-1].both()
    assert heatmaps.shape[2:] == (41, 57)
    # Away from the edge, which the padding changes.
    torch.testing.assert_close(heatmaps[0, :18, :4, :4], parts[0, :, :4, :4], rtol=0.1, atol=0.05 * float(parts.std()))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("0.resnet.layer2.0.bn2.running_var", None, r"unused 0\.resnet\.layer2\.0\.bn2\.weight"),
        ("1.paf_up.3.weight", None, r"missing 1\.paf_up\.3/weight"),
        ("1.cmap_conv.bias", torch.ones(5), r"cmap_conv/bias has shape \(5,\); the network needs \(19,\)"),
        ("1.more.weight", torch.ones(1), r"unused 1\.more\.weight"),
        ("0.resnet.conv1.weight", None, "neither a ResNet nor a DenseNet of 121, 169, 201 layers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, name: str, value: Tensor | None, reason: str) -> None:
    state = published("resnet").state_dict()
    state.pop(name, None)
    if value is not None:
        state[name] = value
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=reason):
        convert(tmp_path / "a.pth", tmp_path / "new")
    assert not (tmp_path / "new").exists()
