"""The order of colours reaches the network whatever else it asks of its input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from openpose_ros.backends import make
from openpose_ros.card import Card, file_digest
from openpose_ros.networks import build
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.preprocess import plan, prepare
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.store import save_tensors

ATTENTION = {
    "type": "openpose",
    "backbone": {"type": "resnet", "groups": 1, "stride": 4},
    "stages": {"type": "attention", "channels": 8, "doublings": 1},
}
PLAIN = {"type": "lightweight", "backbone": "mobilenet_thin", "channels": 8}


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
@pytest.mark.parametrize(("network", "stride"), [(ATTENTION, 2), (PLAIN, 8)], ids=["asks for its size", "does not"])
def test_openvino_answers_as_pytorch(tmp_path: Path, network: dict[str, Any], stride: int, channels: str) -> None:
    means: tuple[float, float, float] = (124.0, 116.0, 103.0)
    card = Card("a", network, COCO_18, stride=stride, channels=channels, mean=means, scale=(1 / 58, 1 / 57, 1 / 56))
    torch.manual_seed(0)
    weights = tmp_path / "a.safetensors"
    save_tensors({name: tensor.numpy() for name, tensor in build(card).state_dict().items()}, weights, {})
    card = replace(card, weights=weights, sha256=file_digest(weights))
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    batch = prepare([image], [plan((60, 90), InputOptions(input_size="60"), stride, 1.0)], card.pad_value)
    heatmaps = []
    for name in ("torch", "openvino"):
        backend = make(name, card, BackendOptions(backend=name, device="cpu", precision="float32"))
        heatmaps.append(backend(batch).heatmaps)
        backend.close()
    spread = float(np.abs(heatmaps[0]).max())
    np.testing.assert_allclose(heatmaps[1], heatmaps[0], rtol=0.0, atol=1e-4 * spread)
