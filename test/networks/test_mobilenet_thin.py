"""The trunk of mobilenet_thin: its shapes, and that three depths of it stand side by side."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from openpose_ros.networks.mobilenet_thin import MobileNetThin


@pytest.mark.parametrize(("height", "width"), [(256, 456), (8, 8), (72, 200)])
def test_features_have_one_cell_for_eight_pixels(height: int, width: int) -> None:
    with torch.inference_mode():
        features = MobileNetThin().eval()(torch.zeros(1, 3, height, width))
    assert features.shape == (1, MobileNetThin.channels, height // 8, width // 8) == (1, 864, height // 8, width // 8)


def test_three_depths_stand_side_by_side() -> None:
    torch.manual_seed(0)
    network = MobileNetThin().eval()
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        features = network(image)
        shallow = network.shallow(network.stem(image))
        middle = network.middle(shallow)
        torch.testing.assert_close(features[:, :96], torch.nn.functional.max_pool2d(shallow, 2))
        torch.testing.assert_close(features[:, 96:480], middle)
        torch.testing.assert_close(features[:, 480:], network.deep(middle))


def test_nothing_stands_between_the_two_halves_of_its_separable_convolutions() -> None:
    network = MobileNetThin(batch_norm=True)
    assert list(dict(network.deep[0].depthwise.named_children())) == ["conv"]
    assert list(dict(network.deep[0].pointwise.named_children())) == ["conv", "norm", "activation"]
