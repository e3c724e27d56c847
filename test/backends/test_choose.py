"""Which backend runs, and what is said when none can."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openpose_ros.backends import BackendError, SyntheticBackend, choose, make, synthetic_card
from openpose_ros.card import Card, CardError
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch

MakeBatch = Callable[..., Batch]
ON_CPU = BackendOptions(device="cpu")


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package one that cannot be imported."""

    def hide(package: str) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        for module in (package, f"{package}_graph"):
            monkeypatch.delitem(sys.modules, f"openpose_ros.backends.{module}", raising=False)

    return hide


def test_openvino_is_taken_where_it_is_installed(
    random_card: Card, caplog: pytest.LogCaptureFixture, noise: MakeBatch
) -> None:
    pytest.importorskip("openvino")
    with caplog.at_level(logging.INFO, "openpose_ros"):
        backend = choose(random_card, replace(ON_CPU, precision="float32"))
    assert backend.name == "openvino"
    assert [record.getMessage() for record in caplog.records] == ["openvino runs random on cpu in float32"]
    assert len(backend(noise(16, 16))) == 1
    backend.close()


def test_pytorch_is_taken_where_openvino_is_missing_and_the_line_says_so(
    random_card: Card, without: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    without("openvino")
    with caplog.at_level(logging.INFO, "openpose_ros"):
        backend = choose(random_card, replace(ON_CPU, precision="float32"))
    assert backend.name == "torch"
    (record,) = caplog.records
    assert record.getMessage().startswith("torch runs random on cpu in float32 (the openvino backend needs")


def test_without_any_package_the_sentence_names_both(random_card: Card, without: Callable[[str], None]) -> None:
    without("openvino")
    without("torch")
    with pytest.raises(BackendError, match=r"nothing here can run random: .*install openvino; .*install torch"):
        choose(random_card, BackendOptions())


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_a_backend_asked_for_by_name_is_not_replaced(
    random_card: Card, without: Callable[[str], None], name: str
) -> None:
    without(name)
    with pytest.raises(BackendError, match=f"the {name} backend needs the Python package {name}.*pip install {name}"):
        choose(random_card, replace(ON_CPU, backend=name))


def test_openvino_without_pytorch_says_what_the_network_needs(
    random_card: Card, without: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    without("torch")
    monkeypatch.delitem(sys.modules, "openpose_ros.networks.frozen", raising=False)
    never_compiled = replace(random_card, mean=(3.0, 2.0, 1.0))
    with pytest.raises(BackendError, match="built in PyTorch.*pip install torch"):
        choose(never_compiled, replace(ON_CPU, backend="openvino"))


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(
        BackendError, match="unknown backend 'caffe'; expected one of auto, tensorrt, torch, .*openvino, synthetic"
    ):
        make("caffe", synthetic_card(), BackendOptions())


def test_a_gpu_asked_for_is_not_replaced_by_the_cpu(random_card: Card) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match="device is 'cuda:0', but PyTorch .* finds no NVIDIA GPU"):
        choose(random_card, BackendOptions(device="cuda:0"))


def test_a_gpu_is_preferred_where_there_is_one(random_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import openpose_ros.backends as backends

    tried = []

    def note(name: str, card: Card, options: BackendOptions) -> SyntheticBackend:
        tried.append(name)
        return SyntheticBackend(card)

    monkeypatch.setattr(backends, "make", note)
    monkeypatch.setattr(backends, "gpu_driver", lambda: True)
    monkeypatch.setattr("openpose_ros.backends.torch.has_cuda", lambda: True)
    choose(random_card, BackendOptions())
    choose(random_card, ON_CPU)
    assert tried == ["tensorrt", "openvino"]


@pytest.mark.parametrize("name", ["torch", "torch_compile"])
def test_pytorch_has_no_int8(random_card: Card, name: str) -> None:
    with pytest.raises(BackendError, match=f"int8 is for the openvino and tensorrt backends; {name} has none"):
        make(name, random_card, BackendOptions(precision="int8"))


def test_int8_without_a_file_says_how_to_make_one(random_card: Card) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(BackendError, match=r"random has no file in int8; .* export .*random.yaml --precision int8"):
        choose(random_card, BackendOptions("openvino", precision="int8"))


@pytest.fixture
def bundled() -> Card:
    return Card.load(Path(__file__).resolve().parents[2] / "model" / "lightweight.yaml")


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_the_bundled_network_has_a_file_in_int8_of_its_very_weights(bundled: Card, precision: str) -> None:
    pytest.importorskip("openvino")
    backend = choose(bundled, replace(ON_CPU, precision=precision))
    assert (backend.name, backend.precision, backend.card.name) == ("openvino", "int8", "lightweight-int8")
    # Everything but the network is that of the network it was made of, or near it: it was calibrated anew.
    for entry in ("skeleton", "stride", "channels", "mean", "scale", "paf_offset", "licence"):
        assert getattr(backend.card, entry) == getattr(bundled, entry)
    assert backend.card.heat_offset == pytest.approx(bundled.heat_offset, abs=0.005)
    assert backend.card.min_joint_score == pytest.approx(bundled.min_joint_score, abs=0.01)
    assert backend.card.min_person_score == pytest.approx(bundled.min_person_score, abs=0.03)


def test_without_pytorch_the_bundled_network_runs_in_int8(bundled: Card, without: Callable[[str], None]) -> None:
    pytest.importorskip("openvino")
    without("torch")
    assert choose(bundled, ON_CPU).precision == "int8"


def test_a_file_in_int8_that_is_torn_is_not_taken_unless_it_is_asked_for(bundled: Card, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    assert bundled.path is not None
    for file in bundled.path.parent.glob("lightweight*"):
        shutil.copy(file, tmp_path)
    card, torn = Card.load(tmp_path / bundled.path.name), tmp_path / "lightweight-int8.onnx"
    torn.write_bytes(torn.read_bytes()[:-100])
    assert choose(card, ON_CPU).precision in ("float32", "bfloat16")
    with pytest.raises(CardError, match=r"lightweight-int8\.onnx"):
        choose(card, replace(ON_CPU, precision="int8"))


def test_other_precisions_than_auto_are_what_was_asked_for(bundled: Card) -> None:
    pytest.importorskip("openvino")
    backend = choose(bundled, replace(ON_CPU, precision="float32"))
    assert (backend.precision, backend.card.name) == ("float32", "lightweight")


def test_compiling_is_for_gpus(random_card: Card) -> None:
    pytest.importorskip("torch")
    with pytest.raises(BackendError, match="torch_compile backend is for GPUs"):
        make("torch_compile", random_card, ON_CPU)


@pytest.mark.parametrize("wanted", ["auto", "synthetic"])
def test_the_synthetic_card_runs_synthetically(wanted: str) -> None:
    assert choose(synthetic_card(), BackendOptions(backend=wanted)).name == "synthetic"


def test_any_card_runs_synthetically_on_request(random_card: Card) -> None:
    backend = choose(random_card, BackendOptions(backend="synthetic"))
    assert backend.name == "synthetic"
    assert backend.card is random_card


def test_importing_the_backends_imports_no_framework() -> None:
    code = "import sys, openpose_ros.backends; assert not {'torch', 'openvino'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
