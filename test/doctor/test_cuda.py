"""PyTorch, CuPy and TensorRT against the GPU and each other, from what they would say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openpose_ros.doctor import cuda
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State
from openpose_ros.doctor.gpu import Card

NONE = Card(False, 0, "none")
RTX = Card(True, 0, "NVIDIA GeForce RTX 4090")
ORIN = Card(True, 36, "Jetson Orin Nano")
MISSING = Answer(missing=True)
GPU = {"name": "RTX 4090", "capability": [8, 9], "memory": 24 * 10**9, "error": ""}
WELL = {"version": "14.2.0", "gpu": True, "error": ""}


def torch(**changed: Any) -> Answer:
    return Answer({"version": "2.13.0+cu130", "cuda": "13.0", "numpy": True, "why": "", "gpus": [dict(GPU)]} | changed)


def one(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("card", "driver", "answer", "found", "remedy"),
    [
        (NONE, None, MISSING, "not installed", "whl/cpu"),
        (RTX, [13, 0], MISSING, "not installed", "pytorch.org"),
        (ORIN, [12, 6], MISSING, "not installed", "docs/install.md"),
        (NONE, None, Answer(error="OSError: libcudart.so.13"), "libcudart.so.13", "pip install torch"),
        (RTX, [13, 0], torch(version="2.13.0+cpu", cuda=None, gpus=[]), "the GPU is not used", "one for CUDA"),
        (ORIN, [12, 6], torch(version="2.13.0", cuda=None, gpus=[]), "the GPU is not used", "JetPack"),
        (RTX, [12, 4], torch(gpus=[], why="driver too old"), "finds no GPU: driver too old", "goes up to CUDA 12.4"),
        (RTX, [13, 0], torch(gpus=[]), "finds no GPU", "CUDA_VISIBLE_DEVICES"),
        (RTX, [13, 0], torch(gpus=[GPU | {"error": "no kernel image"}]), "no kernel image", "built for this GPU"),
        (NONE, None, torch(numpy=False, gpus=[]), "cannot read NumPy's arrays", "upgrade"),
    ],
)
def test_a_pytorch_that_does_not_fit_is_told(card: Card, driver: Any, answer: Answer, found: str, remedy: str) -> None:
    finding = one(cuda.torch(card, Answer({"cuda": driver}), answer))
    assert finding.state is State.FIX
    assert found in finding.found
    assert remedy in finding.remedy


def test_a_pytorch_that_fits_is_well() -> None:
    assert one(cuda.torch(RTX, Answer({"cuda": [13, 0]}), torch())).state is State.OK
    on_cpu = torch(version="2.13.0+cpu", cuda=None, gpus=[])
    assert one(cuda.torch(NONE, Answer({"cuda": None}), on_cpu)).state is State.OK


@pytest.mark.parametrize(
    ("packages", "answer", "state", "told"),
    [
        (["cupy-cuda13x"], WELL, State.OK, "compiles"),
        (["cupy-cuda12x"], WELL, State.FIX, "for CUDA 12, PyTorch for CUDA 13"),
        (["cupy-cuda12x", "cupy-cuda13x"], WELL, State.FIX, "overwrite"),
        (["cupy-cuda13x"], WELL | {"error": "NVRTC is missing"}, State.FIX, "NVRTC is missing"),
        (["cupy-cuda13x"], WELL | {"gpu": False}, State.FIX, "sees no GPU, and PyTorch does"),
        ([], WELL, State.OK, "14.2.0"),  # conda's
    ],
)  # fmt: skip
def test_cupy_is_compared_with_pytorch(
    monkeypatch: pytest.MonkeyPatch, packages: list[str], answer: dict[str, Any], state: State, told: str
) -> None:
    monkeypatch.setattr(cuda, "cupy_packages", lambda: packages)
    finding = one(cuda.cupy(torch(), Answer(answer)))
    assert finding.state is state
    assert told in finding.found
    assert bool(finding.remedy) == (state is State.FIX)


def test_the_cupy_to_install_is_the_one_for_pytorchs_cuda() -> None:
    finding = one(cuda.cupy(torch(cuda="12.6"), MISSING))
    assert finding.state is State.BETTER
    assert "pip install cupy-cuda12x" in finding.remedy
    assert one(cuda.cupy(torch(cuda=None, gpus=[]), MISSING)).state is State.NOTE


def test_a_cupy_that_cannot_be_imported_is_told_which_numpy_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "cupy_packages", lambda: ["cupy-cuda13x"])
    finding = one(cuda.cupy(torch(), Answer(error="ImportError: numpy.core.multiarray failed to import")))
    assert finding.state is State.FIX
    assert "CuPy 14 needs NumPy 2" in finding.remedy


def test_tensorrt_for_rtx_is_told_of_gpus_that_it_does_not_know() -> None:
    rtx = Answer(
        {"package": "tensorrt_rtx", "name": "TensorRT for RTX 1.7", "version": "1.7", "capabilities": ["SM86", "SM89"]}
    )
    assert one(cuda.tensorrt(RTX, torch(), rtx)).state is State.OK
    h200 = torch(gpus=[GPU | {"name": "H200", "capability": [9, 0]}])
    finding = one(cuda.tensorrt(RTX, h200, rtx))
    assert finding.state is State.BETTER
    assert "no engines for H200" in finding.found
    assert one(cuda.tensorrt(NONE, torch(gpus=[]), rtx)).state is State.NOTE


def test_a_tensorrt_that_is_missing_or_too_old_is_told() -> None:
    assert "python3-libnvinfer" in one(cuda.tensorrt(ORIN, torch(), MISSING)).remedy
    assert one(cuda.tensorrt(NONE, torch(gpus=[]), MISSING)).state is State.NOTE
    finding = one(cuda.tensorrt(RTX, torch(), Answer(error="TensorRT 8.6.1 is older than 10.3")))
    assert finding.state is State.FIX
    assert "newer" in finding.remedy
