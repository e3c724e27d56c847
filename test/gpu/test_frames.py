"""Whole frames on a real GPU: from images of any size to people, overlapping, within memory that is bounded."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.backends.clock import Clock
from openpose_ros.backends.cuda import CAPTURE_AFTER
from openpose_ros.backends.lens import Lens
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.benchmark.backend import Crowded
from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.card import Card
from openpose_ros.device import Cuda, GpuError
from openpose_ros.estimator import Estimator
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image, Pictures, plan

MISSING = "" if torch.cuda.is_available() else "PyTorch finds no NVIDIA GPU here"
if not MISSING:
    try:
        Cuda(0)
    except GpuError as error:
        MISSING = f"needs CuPy: {error}"

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

SIZES = [(480, 640), (720, 1280), (1080, 1920), (333, 500), (640, 480), (31, 47)]
LOOKS = [
    InputOptions(input_size="128"),
    InputOptions(input_size="128x192"),
    InputOptions(input_size="128", flip=True),
    InputOptions(input_size="128", scales="1,1.5,0.5", flip=True),
]


def picture(height: int, width: int, seed: int = 0) -> Image:
    """Smooth, as photos are: noise would make every pixel's rounding count."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    smooth = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    return np.ascontiguousarray(smooth[:height, :width])


@pytest.fixture(scope="module")
def on_cpu(random_card: Card) -> Iterator[Estimator]:
    estimator = Estimator(TorchBackend(random_card, BackendOptions(device="cpu", precision="float32")))
    yield estimator
    estimator.close()


@pytest.fixture
def on_gpu(random_card: Card) -> Iterator[Estimator]:
    estimator = Estimator(TorchBackend(random_card, BackendOptions(device="cuda", precision="float32")))
    yield estimator
    estimator.close()


@pytest.mark.parametrize("mirrored", [False, True], ids=["as it is", "mirrored"])
def test_a_picture_is_the_one_that_the_host_makes(mirrored: bool) -> None:
    lens = Lens(Cuda(0), torch.device("cuda:0"))
    images = [np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8) for seed, size in enumerate(SIZES)]
    for inputs in (InputOptions(input_size="256"), InputOptions(input_size="184x328")):
        grids = [plan(size, inputs, 8) for size in SIZES] * (2 if mirrored else 1)
        ours, host = lens(images, Clock()).batch(grids, 77), Pictures(images).batch(grids, 77)
        assert ours.grids == host.grids
        assert np.abs(ours.images.cpu().numpy().astype(int) - host.images.astype(int)).max() <= 1


@pytest.mark.parametrize("inputs", LOOKS, ids=str)
def test_fields_are_those_of_the_cpu_whatever_the_looks(
    on_cpu: Estimator, on_gpu: Estimator, inputs: InputOptions
) -> None:
    for size in SIZES[:4]:
        images = [picture(*size, seed) for seed in range(2)]
        found, exact = on_gpu.fields(images, inputs), on_cpu.fields(images, inputs)
        for ours, true in ((found.heatmaps, exact.heatmaps), (found.pafs, exact.pafs)):
            assert ours.is_cuda
            assert np.abs(ours.cpu().numpy() - true).mean() < 0.02 * true.std()  # a step of grey here and there


@pytest.mark.parametrize("inputs", LOOKS, ids=str)
def test_queueing_a_frame_waits_for_nothing(
    on_gpu: Estimator, inputs: InputOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads, resizing, the network, averaging and the decoder's launches, once the size is known."""
    on_gpu.inputs = inputs
    image = picture(480, 640)
    for _ in range(CAPTURE_AFTER + 3):
        on_gpu(image)
    answer = on_gpu._answer

    def watched(*arguments: Any) -> Any:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return answer(*arguments)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(on_gpu, "_answer", watched)
    on_gpu(image)


def same(found: Sequence[People], expected: Sequence[People]) -> None:
    for ours, true in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.xy, true.xy)
        np.testing.assert_array_equal(ours.person_score, true.person_score)


def test_frames_in_flight_are_those_that_come_one_by_one(random_card: Card) -> None:
    """The crowd that each frame shows is another one; sizes change on the way."""
    backend = TorchBackend(random_card, BackendOptions(device="cuda", precision="float16"))
    crowds = [moved(crowd_fields(count, 128, 192, seed=count)) for count in (0, 1, 5, 20)]
    inputs = InputOptions(input_size="128x192")

    class Turns(Crowded):
        turn = 0

        def __call__(self, batch: Any) -> Fields:
            self._shown = crowds[self.turn % len(crowds)]
            self.turn += 1
            return super().__call__(batch)

    def run(in_flight: int) -> list[People]:
        estimator, flying, found = Estimator(Turns(backend, crowds[0]), inputs), deque[Any](), []
        for turn in range(40):
            flying.append(estimator.submit([picture(128 + 8 * (turn % 3), 192, turn)]))
            if len(flying) == in_flight:
                found += flying.popleft().result()
        while flying:
            found += flying.popleft().result()
        estimator.close()
        return found

    alone = run(1)
    assert {len(people) for people in alone} > {0}
    same(run(2), alone)
    same(run(4), alone)
    backend.close()


def moved(fields: Fields) -> Fields:
    heatmaps, pafs = (torch.from_numpy(maps).cuda() for maps in (fields.heatmaps, fields.pafs))
    return replace(fields, heatmaps=heatmaps, pafs=pafs)


def test_times_are_by_the_gpus_clock_and_memory_is_stated(on_gpu: Estimator) -> None:
    job = on_gpu.submit([picture(480, 640)])
    job.result()
    assert {"upload", "resize", "network", "peaks", "limbs", "copy", "assemble"} <= set(job.milliseconds)
    assert all(value >= 0 for value in job.milliseconds.values())
    about = on_gpu.about_gpu()
    assert about["GPU memory (MiB)"] >= about["GPU memory, most in use (MiB)"] > 0
    assert about["GPU memory, free (MiB)"] > 0
    assert about["page-locked memory (MiB)"] >= 1


def test_nothing_is_left_when_it_is_closed(random_card: Card) -> None:
    def used() -> tuple[int, int]:
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return int(torch.cuda.memory_allocated()), int(torch.cuda.memory_reserved())

    def once() -> None:
        estimator = Estimator(TorchBackend(random_card, BackendOptions(device="cuda", precision="float16")))
        estimator.inputs = LOOKS[-1]
        for _ in range(CAPTURE_AFTER + 2):
            estimator(picture(720, 1280))
        estimator.close()

    once()  # libraries keep workspaces of their own
    before = used()
    once()
    assert used()[0] <= before[0]
    assert used()[1] <= before[1] + 4 * 2**20


def test_out_of_memory_is_an_error_of_that_frame(
    random_card: Card, on_cpu: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = Estimator(TorchBackend(random_card, BackendOptions(device="cuda", precision="float32")))
    small, large = InputOptions(input_size="128"), InputOptions(input_size="4000x4000")
    estimator.inputs = small
    estimator(picture(480, 640))
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 256 * 2**20) / total))
    try:
        for _ in range(2):
            estimator.inputs = large
            with pytest.raises(MemoryError, match="too little memory"):
                estimator(picture(480, 640))
            estimator.inputs = small
            assert estimator(picture(480, 640)).image_size == (480, 640)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        estimator.close()


def test_a_long_run_of_frames_takes_no_more_memory(on_gpu: Estimator) -> None:
    on_gpu.inputs = InputOptions(input_size="128", flip=True, scales="1,1.5")
    images = [picture(*size) for size in SIZES[:3]]
    for _ in range(CAPTURE_AFTER + 3):
        on_gpu.submit(images).result()
    gc.collect()
    before = torch.cuda.memory_allocated()
    for _ in range(50):
        on_gpu.submit(images).result()
    gc.collect()
    assert torch.cuda.memory_allocated() <= before + 2**20


def test_grids_with_pictures_in_their_middle_are_grey_around(random_card: Card) -> None:
    lens = Lens(Cuda(0), torch.device("cuda:0"))
    image: npt.NDArray[np.uint8] = np.full((50, 70, 3), 200, np.uint8)
    grid = Grid(50, 70, 40, 56, 64, 96, 8, 10, 20)
    seen = lens([image], Clock()).batch([grid], 9).images.cpu().numpy()[0]
    expected = np.full((64, 96, 3), 9, np.uint8)
    expected[10:50, 20:76] = 200
    np.testing.assert_array_equal(seen, expected)
