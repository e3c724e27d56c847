"""The way of a frame on a GPU from images to people, every part of it real but for CUDA, which is played by the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.backends import cuda as frames_module
from openpose_ros.backends import lens as lens_module
from openpose_ros.backends import torch as torch_module
from openpose_ros.backends.cuda import CAPTURE_AFTER
from openpose_ros.backends.lens import Lens
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.card import Card
from openpose_ros.decode import decoder
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.tracks import match
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.weights.default import default_model

path = Path(__file__).parents[1] / "decode" / "shim.py"
spec = importlib.util.spec_from_file_location("openpose_ros_test_shim", path)
assert spec is not None and spec.loader is not None
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)

Image = npt.NDArray[np.uint8]
Make = Callable[[Card], Estimator]

OPTIONS = BackendOptions(device="cpu", precision="float32")
LOOKS = [InputOptions(input_size="160"), InputOptions(input_size="160x224", scales="1,0.75", flip=True)]


class Replayed:
    """In place of a CUDA graph."""

    def __init__(self, work: Any, shape: Any, device: Any, pool: Any) -> None:
        self.images = torch.zeros((*shape, 3), dtype=torch.uint8)
        self.pool, self._work = pool, work

    def __call__(self) -> Any:
        return self._work(self.images)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The kernels of both .cu files."""
    lens, kernels = (tmp_path_factory.mktemp(name) for name in ("lens", "kernels"))
    return shim.build(lens, source=lens_module.source(), names=lens_module.NAMES), shim.build(kernels)


@pytest.fixture
def as_on_a_gpu(libraries: tuple[Path, Path], cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes an estimator whose images are uploaded, resized and decoded as on a GPU."""
    monkeypatch.setattr(frames_module, "lens_for", lambda device: Lens(shim.Shim(libraries[0]), device))
    monkeypatch.setattr(frames_module, "Graph", Replayed)
    monkeypatch.setattr(decoder, "_compiled", {})
    monkeypatch.setattr(decoder, "gpu_index", lambda array: 0 if hasattr(array, "data_ptr") else None)
    monkeypatch.setattr(decoder, "Cuda", lambda index: shim.Shim(libraries[1]))
    made: list[Estimator] = []

    def make(card: Card) -> Estimator:
        with monkeypatch.context() as there:
            there.setattr(torch_module, "named_device", lambda wanted: "cpu:0")
            made.append(Estimator(TorchBackend(card, OPTIONS), decode=DecodeOptions.from_mapping(card.thresholds())))
        return made[-1]

    yield make
    for estimator in made:
        estimator.close()


def on_the_host(card: Card) -> Estimator:
    return Estimator(TorchBackend(card, OPTIONS), decode=DecodeOptions.from_mapping(card.thresholds()))


def alike(found: People, expected: People) -> None:
    """The same people, within what a step of grey here and there does to them."""
    assert len(found) == len(expected)
    if not len(expected):
        return
    mine, theirs = match(found.xy.astype(np.float64), expected.xy.astype(np.float64), expected.skeleton)
    assert len(mine) == len(expected)
    apart = np.linalg.norm(found.xy[mine] - expected.xy[theirs], axis=-1)
    assert np.nanmedian(apart) < 0.5
    assert np.isnan(apart).mean() <= np.isnan(expected.xy[..., 0]).mean() + 0.05


@pytest.mark.parametrize("inputs", LOOKS, ids=["one look", "four looks"])
def test_people_of_photos_are_those_that_the_host_finds(
    as_on_a_gpu: Make, photos: list[Image], inputs: InputOptions
) -> None:
    card = Card.load(default_model())
    there, here = as_on_a_gpu(card), on_the_host(card)
    there.inputs = here.inputs = inputs
    expected = here.submit(photos).result()
    assert sum(map(len, expected)) >= 2
    for found, true in zip(there.submit(photos).result(), expected, strict=True):
        alike(found, true)
    here.close()


def test_frames_in_flight_are_those_that_come_one_by_one(as_on_a_gpu: Make, random_card: Card) -> None:
    """Sizes and looks change on the way; each frame's memory is its own, also when graphs are replayed."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (96 + 8 * (turn % 2), 128, 3), np.uint8) for turn in range(2 * CAPTURE_AFTER + 6)]
    running = as_on_a_gpu(random_card)
    running.inputs = InputOptions(input_size="64")
    alone = [running(image) for image in images]
    jobs = [running.submit([image]) for image in images[:2]]
    together = []
    for image in [*images[2:], None, None]:
        together += jobs.pop(0).result()
        if image is not None:
            jobs.append(running.submit([image]))
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found.xy, expected.xy)
        np.testing.assert_array_equal(found.person_score, expected.person_score)
    assert any(len(people) for people in alone)
    frames = running.backend.frames  # type: ignore[attr-defined]
    assert frames.captures == 2


def test_the_times_of_all_stages_are_told(as_on_a_gpu: Make, random_card: Card) -> None:
    running = as_on_a_gpu(random_card)
    running.inputs = LOOKS[1]
    job = running.submit([np.full((120, 160, 3), 90, np.uint8)])
    job.result()
    assert {"preprocess", "upload", "resize", "network", "peaks", "limbs", "copy", "assemble"} <= set(job.milliseconds)
    assert job.milliseconds["upload"] == 1.5  # once, for both scales and the mirrored looks
    assert job.milliseconds["resize"] == job.milliseconds["network"] == 3.0
