"""The benchmark of whole frames: rows that can be compared within one run, and what is left out is told."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import openpose_ros.benchmark.backend as benchmark
from openpose_ros.backends import BackendError, SyntheticBackend
from openpose_ros.backends.tensorrt_engine import EngineMissingError
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.benchmark.backend import Crowded, Plan, rows
from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.benchmark.untrained import UNTRAINED, measurable
from openpose_ros.card import Card, CardError
from openpose_ros.commands.benchmark import main
from openpose_ros.device import GpuMemory
from openpose_ros.estimator import Estimator
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.preprocess import Batch, Pictures, plan


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is warmed up, which would take most of the time here."""
    monkeypatch.setattr(benchmark, "WARM_UP", 0)


INPUTS = InputOptions(input_size="64x96")
ON_CPU = BackendOptions(device="cpu", threads=1)


def small(card: Card, **changes: Any) -> Plan:
    values: dict[str, Any] = {
        "cards": (card,), "backends": ("torch",), "precisions": ("float32",), "sizes": ((64, 96),), "people": (1, 5),
        "repeats": 2, "options": ON_CPU,
    }  # fmt: skip
    return Plan(**{**values, **changes})


def test_there_is_a_row_for_everything_that_was_asked_for(random_card: Card) -> None:
    found = list(rows(small(random_card, sizes=((64, 96), (96, 64)), precisions=("float32", "bfloat16"))))
    asked = [(precision, size, people) for precision in ("float32", "bfloat16") for size in ("64x96", "96x64")
             for people in (1, 5)]  # fmt: skip
    assert [(row["precision"], row["size"], row["people"]) for row in found] == asked
    for row in found:
        assert (row["network"], row["backend"], row["device"]) == ("random", "torch", "cpu")
        assert row["software"].startswith("torch ")
        for stage in ("preprocess", "network", "peaks", "limbs", "assemble", "total"):
            assert 0 < row[f"{stage}_ms"] <= row[f"{stage}_p95_ms"]
        assert row["total_ms"] > row["network_ms"]
        assert row["frames_per_second"] > 0
        assert row["eager"] > 0
        assert row["host_decode"] is None  # the fields are there already
        assert row["memory_mib"] > 0


def test_the_crowd_is_found_whatever_the_network_answers(random_card: Card) -> None:
    shown = crowd_fields(5, 128, 192)
    estimator = Estimator(Crowded(SyntheticBackend(random_card, np.empty((0, 18, 2))), shown))
    estimator.inputs = benchmark.InputOptions(input_size="128x192")
    assert len(estimator(np.zeros((256, 384, 3), np.uint8))) >= 5
    estimator.close()


def test_what_runs_in_the_same_precision_anyway_is_measured_once(random_card: Card) -> None:
    automatic = next(rows(small(random_card, precisions=("auto",))))["precision"]
    assert len(list(rows(small(random_card, precisions=("auto", automatic), people=(1,))))) == 1


def test_a_backend_that_does_not_work_here_is_told_and_left_out(
    random_card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(rows(small(random_card, backends=("torch_compile", "torch"), people=(1,))))
    assert [row["backend"] for row in found] == ["torch"]
    assert "not measured: torch_compile in float32: the torch_compile backend is for GPUs" in caplog.text


def test_when_nothing_works_that_is_an_error(random_card: Card) -> None:
    with pytest.raises(BackendError, match="nothing to measure: torch_compile in float32"):
        list(rows(small(random_card, backends=("torch_compile",))))


@pytest.mark.parametrize("code", [0, 1])
def test_a_missing_engine_is_built_first(random_card: Card, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    commands: list[list[str]] = []

    def make(name: str, card: Card, options: BackendOptions) -> Any:
        if not commands:
            raise EngineMissingError("there is none", card, "float16")
        return SyntheticBackend(card)

    def run(command: list[str]) -> Any:
        commands.append(command)
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(benchmark, "make", make)
    monkeypatch.setattr(benchmark.subprocess, "run", run)
    plan = small(random_card, backends=("tensorrt",), people=(1,))
    if code:
        with pytest.raises(BackendError, match="that did not work"):
            list(rows(plan))
    else:
        assert len(list(rows(plan))) == 1
    expected = ["-m", "openpose_ros", "export", "--model", str(random_card.path), "--precision", "float16", "--engine"]
    assert commands[0][1:] == [*expected, "--sizes", "64x96"]


def test_the_command_prints_three_tables_and_writes_the_rows(
    random_card: Card, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out.json"
    arguments = ["--models", str(random_card.path), "--sizes", "64x96", "--people", "1", "--repeats", "1"]
    assert main(["backend", *arguments, "--device", "cpu", "--threads", "1", "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["network", "backend", "precision", "size", "people"]
    assert sum("network_share" in line for line in lines) == 1
    assert sum("total_p95_ms" in line for line in lines) == 1
    assert '"eager"' in out.read_text()
    assert "not measured: tensorrt" in caplog.text


@pytest.mark.parametrize("arguments", [["--backend", "caffe"], ["--sizes", "65x64"], ["--people", "0"]], ids=" ".join)
def test_bad_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backend", *arguments])
    assert ended.value.code == 2


def test_a_crowd_on_a_gpu_is_compared_with_the_decoder_on_the_host(
    random_card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "_on_device", lambda fields, device: fields)
    monkeypatch.setattr(benchmark, "_eager", lambda *arguments: 10.0)
    monkeypatch.setattr(benchmark, "_device", lambda device: device)
    monkeypatch.setattr(benchmark, "_software", lambda backend: "")
    monkeypatch.setattr(benchmark, "gpu_memory", lambda device: GpuMemory(taken=900, most=700, free=1))
    monkeypatch.setattr("openpose_ros.estimator.forget_memory", lambda device: None)
    happened: list[str] = []
    monkeypatch.setattr(benchmark, "forget_peak", happened.append)
    clock = SimpleNamespace(milliseconds=lambda: {"upload": 0.5, "resize": 0.25, "network": 2.0})

    class OnGpu(SyntheticBackend):
        device = "cuda:0"
        frames = SimpleNamespace(
            queue=nullcontext, pictures=Pictures, clock=clock, forget=lambda: happened.append("forget")
        )

    monkeypatch.setattr(benchmark, "make", lambda name, card, options: OnGpu(card))
    (row,) = rows(small(random_card, people=(2,)))
    assert (row["upload_ms"], row["resize_ms"], row["network_ms"], row["eager"]) == (0.5, 0.25, 2.0, 5.0)
    assert row["candidates_ms"] == pytest.approx(row["peaks_ms"] + row["limbs_ms"], rel=0.5)
    assert row["in_flight_p95_ms"] >= row["in_flight_ms"] > 0
    assert row["host_decode"] == pytest.approx(row["host_decode_ms"] / row["decode_ms"], abs=0.01)
    assert row["memory_mib"] == 700
    assert happened == ["forget", "cuda:0"]  # what other sizes took does not count


def test_a_network_without_weights_is_measured_with_random_ones(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    described = tmp_path / "nothing.yaml"
    described.write_text("name: nothing\nnetwork: {type: lightweight, channels: 16}\nskeleton: COCO-18\n")
    card, again = (measurable(str(described), tmp_path_factory.mktemp("weights")) for _ in range(2))
    assert card.notes == UNTRAINED
    assert again.sha256 == card.sha256  # so that an engine is built for it once
    (row,) = rows(small(card, people=(1,)))
    assert (row["network"], row["notes"]) == ("nothing", UNTRAINED)
    batch = Batch(np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8), (plan((64, 96), INPUTS, 8),))
    fields = TorchBackend(card, ON_CPU)(batch)
    assert np.isfinite(fields.heatmaps).all()
    assert 1e-3 < fields.heatmaps.std() < 1e3


def test_networks_that_can_be_trained_go_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Card] = []
    monkeypatch.setattr("openpose_ros.benchmark.untrained.with_random_weights", lambda card, folder: made.append(card))
    measurable("cmu", tmp_path)
    assert made[0].network["backbone"] == "vgg19"
    assert made[0].network["stages"]["refinements"] == 5
    with pytest.raises(CardError, match="no model 'nonsense'"):
        measurable("nonsense", tmp_path)


def test_a_card_with_weights_is_taken_as_it_is(random_card: Card, tmp_path: Path) -> None:
    assert measurable(str(random_card.path), tmp_path).sha256 == random_card.sha256


def test_with_a_gpu_there_what_runs_on_the_cpu_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "auto")):
        monkeypatch.setattr("openpose_ros.backends.torch.has_cuda", lambda there=there: there)
        assert benchmark.device_to_measure("auto") == expected
        assert benchmark.device_to_measure("cuda:1") == "cuda:1"
