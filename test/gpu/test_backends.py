"""The backends on a real GPU: what is replayed, compiled or built answers as PyTorch on the CPU does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.backends import BackendError, make
from openpose_ros.backends.cuda import CAPTURE_AFTER, GRAPHS
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.grid import Grid
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no NVIDIA GPU here"),
]


def batch(height: int = 64, width: int = 96, count: int = 1, seed: int = 0) -> Batch:
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
    return Batch(images, (Grid(height, width, height, width, height, width, 8),) * count)


@pytest.fixture(scope="module")
def reference(random_card: Card) -> TorchBackend:
    return TorchBackend(random_card, BackendOptions(device="cpu", precision="float32"))


@pytest.fixture
def on_gpu(random_card: Card) -> Iterator[TorchBackend]:
    backend = TorchBackend(random_card, BackendOptions(device="cuda", precision="float32"))
    yield backend
    backend.close()


def compare(backend: Any, reference: TorchBackend, shown: Batch, tolerance: float) -> None:
    fields, exact = backend(shown), reference(shown)
    for found, true in ((fields.heatmaps, exact.heatmaps), (fields.pafs, exact.pafs)):
        assert found.is_cuda
        assert found.dtype == torch.float32
        assert found.is_contiguous()
        assert np.abs(found.cpu().numpy() - true).mean() < tolerance * true.std()


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-3), ("float16", 0.05), ("bfloat16", 0.1)])
def test_replayed_frames_are_those_of_the_cpu(
    random_card: Card, reference: TorchBackend, precision: str, tolerance: float
) -> None:
    backend = TorchBackend(random_card, BackendOptions(device="cuda", precision=precision))
    for seed in range(CAPTURE_AFTER + 4):
        compare(backend, reference, batch(seed=seed), tolerance)
    assert backend.frames is not None
    assert backend.frames.captures == 1
    backend.close()


def test_sizes_and_batches_may_change_at_any_time(on_gpu: TorchBackend, reference: TorchBackend) -> None:
    shapes = [(64, 96, 1), (96, 64, 2), (64, 96, 3)]
    for turn in range(3 * (CAPTURE_AFTER + 3)):
        compare(on_gpu, reference, batch(*shapes[turn % 3], seed=turn), 2e-3)


def test_answers_stay_when_the_next_frames_are_queued(on_gpu: TorchBackend) -> None:
    given = [on_gpu(batch(seed=seed)).heatmaps for seed in range(12)]
    for seed, heatmaps in enumerate(given):
        again = on_gpu(batch(seed=seed)).heatmaps
        assert (heatmaps - again).abs().max() < 1e-3


def test_memory_does_not_grow_with_sizes(on_gpu: TorchBackend) -> None:
    def used(first: int) -> int:
        for height in range(first, first + 8 * 3 * GRAPHS, 8):
            for _ in range(CAPTURE_AFTER + 2):
                on_gpu(batch(height, 64))
        torch.cuda.synchronize()
        return int(torch.cuda.memory_allocated())

    before = used(64)
    assert used(64) <= before + 2**20


def test_queueing_does_not_wait_for_the_gpu(on_gpu: TorchBackend) -> None:
    for _ in range(CAPTURE_AFTER + 2):
        on_gpu(batch())
    torch.cuda.set_sync_debug_mode("error")
    try:
        on_gpu(batch())
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_estimator_finds_the_same_people(random_card: Card, reference: TorchBackend) -> None:
    backend = TorchBackend(random_card, BackendOptions(device="cuda", precision="float32"))
    image = np.random.default_rng(0).integers(0, 256, (368, 496, 3), np.uint8)
    on_cpu, on_gpu = Estimator(reference), Estimator(backend)
    for _ in range(CAPTURE_AFTER + 2):
        found = on_gpu(image)
    assert abs(len(found) - len(on_cpu(image))) <= max(2, len(found) // 10)
    on_gpu.close()


@pytest.mark.long
def test_what_is_compiled_answers_alike(random_card: Card, reference: TorchBackend) -> None:
    backend = make("torch_compile", random_card, BackendOptions(device="cuda", precision="float16"))
    for seed in range(CAPTURE_AFTER + 3):
        compare(backend, reference, batch(seed=seed), 0.05)
    backend.close()


def test_an_engine_answers_alike(
    random_card: Card, reference: TorchBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="the ONNX file is made with PyTorch's exporter")
    from openpose_ros.backends.tensorrt import TensorRTBackend, gpu_of
    from openpose_ros.backends.tensorrt_build import build
    from openpose_ros.backends.tensorrt_engine import profiles_for
    from openpose_ros.export.graph import float_graph

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "random.onnx"
    path.write_bytes(float_graph(random_card).SerializeToString())
    try:
        build(path, random_card, "float32", profiles_for([(64, 96)], 8, 2), gpu_of("cuda:0"))
    except BackendError as error:
        pytest.skip(str(error))
    for _ in range(2):  # the second time with the kernels of the first
        backend = TensorRTBackend(random_card, BackendOptions(device="cuda"))
        for seed in range(CAPTURE_AFTER + 4):
            compare(backend, reference, batch(seed=seed), 5e-3)
            compare(backend, reference, batch(96, 64, 2, seed), 5e-3)
        assert set(backend.frames.clock.milliseconds()) == {"upload", "network"}
        backend.close()
