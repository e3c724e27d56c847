"""The PyTorch backend on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.backends import BackendError
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.card import Card, CardError
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch
from openpose_ros.weights.store import load_network

MakeBatch = Callable[..., Batch]
EXACT = BackendOptions(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def backend(random_card: Card) -> TorchBackend:
    return TorchBackend(random_card, EXACT)


def test_it_says_what_it_is(backend: TorchBackend, random_card: Card) -> None:
    assert (backend.name, backend.device, backend.precision) == ("torch", "cpu", "float32")
    assert backend.card is random_card


@pytest.mark.parametrize(
    ("height", "width", "count"), [(64, 96, 1), (128, 64, 3), (8, 8, 1), (64, 96, 2), (72, 200, 1)]
)
def test_any_size_and_batch_gives_fields_on_its_grids(
    backend: TorchBackend, noise: MakeBatch, height: int, width: int, count: int
) -> None:
    batch = noise(height, width, count)
    fields = backend(batch)
    assert fields.heatmaps.shape == (count, 19, height // 8, width // 8)
    assert fields.pafs.shape == (count, 19, 2, height // 8, width // 8)
    for values in (fields.heatmaps, fields.pafs):
        assert isinstance(values, np.ndarray)
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
    assert fields.grids is batch.grids
    assert fields.skeleton is backend.card.skeleton
    assert (fields.paf_offset, fields.heat_offset) == (0.25, (0.1, -0.1))


def test_the_network_sees_what_its_card_says(backend: TorchBackend, random_card: Card, noise: MakeBatch) -> None:
    batch = noise(64, 96, 2)
    normalised = (batch.images.astype(np.float64) - random_card.mean) * random_card.scale
    x = torch.from_numpy(normalised.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.inference_mode():
        answer = load_network(random_card)(x)[-1]
    fields = backend(batch)
    assert float(answer.heatmaps.std()) > 0.1  # the image does reach the fields
    np.testing.assert_allclose(fields.heatmaps, answer.heatmaps, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fields.pafs.reshape(2, 38, 8, 12), answer.pafs, rtol=1e-4, atol=1e-4)


def test_a_card_that_wants_red_first_gets_it(backend: TorchBackend, random_card: Card, noise: MakeBatch) -> None:
    turned = TorchBackend(replace(random_card, channels="RGB"), EXACT)
    batch = noise(64, 96)
    mirrored = replace(batch, images=np.ascontiguousarray(batch.images[..., ::-1]))
    np.testing.assert_allclose(turned(mirrored).heatmaps, backend(batch).heatmaps, rtol=1e-4, atol=1e-4)
    assert np.abs(turned(batch).heatmaps - backend(batch).heatmaps).max() > 0.1


def test_fields_are_the_callers_to_keep(backend: TorchBackend, noise: MakeBatch) -> None:
    fields = backend(noise(64, 96, seed=1))
    before = fields.heatmaps.copy(), fields.pafs.copy()
    for _ in range(3):
        backend(noise(64, 96, seed=2))
    np.testing.assert_array_equal(fields.heatmaps, before[0])
    np.testing.assert_array_equal(fields.pafs, before[1])


def test_an_image_is_answered_alike_alone_and_in_a_batch(backend: TorchBackend, noise: MakeBatch) -> None:
    batch = noise(64, 96, 3)
    alone = backend(Batch(batch.images[1:2], batch.grids[1:2]))
    np.testing.assert_allclose(backend(batch).pafs[1:2], alone.pafs, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_close_to_float32(backend: TorchBackend, random_card: Card, noise: MakeBatch) -> None:
    narrow = TorchBackend(random_card, BackendOptions(device="cpu", precision="bfloat16"))
    batch = noise(64, 96)
    exact, near = backend(batch).heatmaps, narrow(batch).heatmaps
    assert narrow.precision == "bfloat16"
    assert near.dtype == np.float32
    assert 0 < np.abs(near - exact).mean() < 0.05 * exact.std()


def test_it_sets_its_threads(random_card: Card) -> None:
    before = torch.get_num_threads()
    try:
        TorchBackend(random_card, BackendOptions(device="cpu", threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"device": "tpu"}, "device is 'tpu'; expected auto, cpu, cuda or cuda:N"),
        ({"device": "cpu", "precision": "float16"}, "float16 is for GPUs"),
    ],
)
def test_what_cannot_work_is_refused(random_card: Card, options: dict[str, str], reason: str) -> None:
    with pytest.raises(BackendError, match=reason):
        TorchBackend(random_card, BackendOptions(**options))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(random_card: Card) -> None:
    with pytest.raises(BackendError, match="finds no NVIDIA GPU here"):
        TorchBackend(random_card, BackendOptions(device="cuda"))


def test_a_graph_is_left_to_openvino(random_card: Card) -> None:
    with pytest.raises(BackendError, match="take the openvino backend"):
        TorchBackend(replace(random_card, network={"type": "graph"}), EXACT)


def test_torn_weights_are_refused(random_card: Card) -> None:
    with pytest.raises(CardError, match="sha256"):
        TorchBackend(replace(random_card, sha256="0" * 64), EXACT)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no NVIDIA GPU here")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("auto", 0.05)])
def test_a_gpu_answers_as_the_cpu_does(
    backend: TorchBackend, random_card: Card, noise: MakeBatch, precision: str, tolerance: float
) -> None:
    on_gpu = TorchBackend(random_card, BackendOptions(device="cuda", precision=precision))
    batch = noise(64, 96, 2)
    fields = on_gpu(batch)
    assert on_gpu.device == "cuda:0"
    assert fields.heatmaps.is_cuda
    assert fields.heatmaps.dtype == torch.float32
    exact = backend(batch).heatmaps
    assert np.abs(fields.heatmaps.cpu().numpy() - exact).mean() < tolerance * exact.std()
