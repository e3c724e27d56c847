"""Our weight files: what is torn, foreign or of the wrong shape does not become a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.numpy import load_file

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.weights.store import load_network, parameter_shapes, replacing, save_tensors


@pytest.fixture
def tensors(random_card: Card) -> dict[str, np.ndarray]:
    assert random_card.weights is not None
    return load_file(random_card.weights)


def stored(card: Card, tensors: dict[str, np.ndarray], folder: Path) -> Card:
    """The card with these weights, its digest right."""
    save_tensors(tensors, folder / "a.safetensors", {})
    return replace(card, weights=folder / "a.safetensors", sha256=file_digest(folder / "a.safetensors"))


def test_the_network_has_the_files_numbers_and_is_ready_to_answer(
    random_card: Card, tensors: dict[str, np.ndarray]
) -> None:
    network = load_network(random_card)
    assert not network.training
    assert set(network.state_dict()) == set(tensors)
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), tensors[name])


def test_half_precision_is_widened(random_card: Card, tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    halves = {name: table.astype(np.float16) for name, table in tensors.items()}
    network = load_network(stored(random_card, halves, tmp_path))
    weight = network.state_dict()["narrow.align.conv.weight"]
    assert weight.dtype == torch.float32
    np.testing.assert_array_equal(weight.numpy(), halves["narrow.align.conv.weight"].astype(np.float32))


def test_a_file_cut_short_is_refused_by_its_digest(random_card: Card, tmp_path: Path) -> None:
    assert random_card.weights is not None
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(random_card.weights.read_bytes()[:-100])
    with pytest.raises(CardError, match=r"torn\.safetensors are not those of .*sha256"):
        load_network(replace(random_card, weights=torn))


@pytest.mark.parametrize("kept", [0, 4, 100, -100])
def test_a_file_cut_short_is_refused_without_a_digest_too(random_card: Card, tmp_path: Path, kept: int) -> None:
    assert random_card.weights is not None
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(random_card.weights.read_bytes()[:kept])
    with pytest.raises(CardError, match=r"torn\.safetensors are not readable as safetensors"):
        load_network(replace(random_card, weights=torn, sha256=""))


def test_missing_weights_are_told(random_card: Card, tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"gone\.safetensors named by .* are missing"):
        load_network(replace(random_card, weights=tmp_path / "gone.safetensors"))


def test_a_parameter_missing_from_the_file_is_named(
    random_card: Card, tensors: dict[str, np.ndarray], tmp_path: Path
) -> None:
    del tensors["narrow.align.conv.bias"]
    with pytest.raises(CardError, match=r"do not fit the network of .*: missing narrow\.align\.conv\.bias$"):
        load_network(stored(random_card, tensors, tmp_path))


def test_a_parameter_that_the_network_has_not_is_named(
    random_card: Card, tensors: dict[str, np.ndarray], tmp_path: Path
) -> None:
    tensors["extra"] = np.ones(1, np.float32)
    with pytest.raises(CardError, match="unused extra$"):
        load_network(stored(random_card, tensors, tmp_path))


def test_a_parameter_of_another_shape_is_named(
    random_card: Card, tensors: dict[str, np.ndarray], tmp_path: Path
) -> None:
    tensors["narrow.align.conv.bias"] = np.ones(17, np.float32)
    with pytest.raises(CardError, match=r"narrow\.align\.conv\.bias has shape \(17,\), the network needs \(16,\)"):
        load_network(stored(random_card, tensors, tmp_path))


def test_weights_of_a_wider_network_do_not_fit(random_card: Card) -> None:
    with pytest.raises(CardError, match="has shape"):
        load_network(replace(random_card, network={"type": "lightweight", "channels": 32}))


def test_shapes_are_those_of_the_network(random_card: Card, tensors: dict[str, np.ndarray]) -> None:
    assert parameter_shapes(random_card) == {name: table.shape for name, table in tensors.items()}


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
