"""Pictures resized by the GPU's kernel, run on the CPU: they are those that the host makes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from openpose_ros.backends import lens as module
from openpose_ros.backends.clock import Clock
from openpose_ros.backends.cuda import CAPTURE_AFTER, Frames
from openpose_ros.backends.lens import TABLES, Lens
from openpose_ros.device import GpuError
from openpose_ros.grid import Grid
from openpose_ros.options import InputOptions
from openpose_ros.preprocess import Image, Pictures, Sampling, plan, sampling, taps

path = Path(__file__).parents[1] / "decode" / "shim.py"
spec = importlib.util.spec_from_file_location("openpose_ros_test_shim", path)
assert spec is not None and spec.loader is not None
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)

SIZES = [(48, 64), (64, 48), (37, 53), (96, 128), (190, 250), (30, 31), (1, 1), (1, 40), (400, 600), (91, 121)]
CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = shim.build(tmp_path_factory.mktemp("lens"), source=module.source(), names=module.NAMES)
    return path


@pytest.fixture
def lens(library: Path, cuda_on_cpu: Any) -> Lens:
    return Lens(shim.Shim(library), CPU)


def image(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def compare(lens: Lens, images: list[Image], grids: list[Grid], pad_value: int = 77) -> npt.NDArray[np.uint8]:
    """Both ways, which may differ by one step of grey: OpenCV rounds on the way."""
    ours, host = lens(images, Clock()).batch(grids, pad_value), Pictures(images).batch(grids, pad_value)
    assert ours.grids == host.grids
    made: npt.NDArray[np.uint8] = ours.images.numpy()
    assert made.dtype == np.uint8 and made.shape == host.images.shape
    assert np.abs(made.astype(int) - host.images.astype(int)).max() <= 1
    return made


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("input_size", ["64", "64x96", "48"])
@pytest.mark.parametrize("scale", [1.0, 0.5, 1.5])
def test_a_picture_is_the_one_that_the_host_makes(
    lens: Lens, size: tuple[int, int], input_size: str, scale: float
) -> None:
    grid = plan(size, InputOptions(input_size=input_size, max_long_side=128), 8, scale)
    compare(lens, [image(*size)], [grid])


def test_a_mirrored_picture_is_the_mirrored_image_resized(lens: Lens) -> None:
    for size in SIZES:
        grid = plan(size, InputOptions(input_size="64x96"), 8)
        seen = compare(lens, [image(*size)], [grid, grid])
        alone = lens([image(*size)[:, ::-1]], Clock()).batch([grid], 77).images.numpy()
        assert np.abs(seen[1].astype(int) - alone[0].astype(int)).max() <= 1


def test_images_of_a_batch_may_have_any_sizes(lens: Lens) -> None:
    images = [image(*size, seed) for seed, size in enumerate(SIZES)]
    grids = [plan(size, InputOptions(input_size="32", max_long_side=96), 8) for size in SIZES]
    compare(lens, images, grids)
    compare(lens, images, 2 * grids)


def test_images_need_not_be_contiguous_and_may_change_at_once(lens: Lens) -> None:
    whole = image(100, 120)
    part = whole[10:74:2, 100:20:-1]
    grid = plan(part.shape[:2], InputOptions(input_size="32"), 8)
    expected = Pictures([part]).batch([grid], 0).images
    pictures = lens([part], Clock())
    whole[...] = 0
    assert np.abs(pictures.batch([grid], 0).images.numpy().astype(int) - expected.astype(int)).max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_photo_in_any_place_of_the_input_is_surrounded_by_grey(library: Path, data: st.DataObject) -> None:
    side = st.integers(1, 40)
    height, width, tall, wide = (data.draw(side) for _ in range(4))
    top, left = data.draw(st.integers(0, 64 - tall)), data.draw(st.integers(0, 64 - wide))
    grid = Grid(height, width, tall, wide, 64, 64, 8, top, left)
    seen = np.full((1, 64, 64, 3), 9, np.uint8)
    shown = Lens(shim.Shim(library), CPU).show(
        [(torch.full((height * width * 3,), 200, dtype=torch.uint8), grid, False)], (64, 64), 9
    )
    seen[0, top : top + tall, left : left + wide] = 200
    np.testing.assert_array_equal(shown.numpy(), seen)


def test_a_grid_of_another_image_is_refused(lens: Lens) -> None:
    with pytest.raises(ValueError, match="on a grid for"):
        lens([image(10, 10)], Clock()).batch([Grid(10, 11, 8, 8, 8, 8, 8)], 0)


def test_tables_are_kept_and_bounded(lens: Lens) -> None:
    gpu = lens._gpu
    grid = plan((48, 64), InputOptions(input_size="32"), 8)
    for _ in range(3):
        lens([image(48, 64)], Clock()).batch([grid, grid], 0)
        taken = gpu.taken  # type: ignore[attr-defined]
    assert taken == 6  # rows, columns, and mirrored ones
    for height in range(20, 20 + TABLES + 8):
        compare(lens, [image(height, 64)], [plan((height, 64), InputOptions(input_size="16"), 8)])
    assert len(lens._tables) == TABLES
    lens.forget()
    assert not lens._tables and lens.page_locked == 0
    compare(lens, [image(48, 64)], [grid])


def test_weights_of_a_pixel_sum_up_to_one_and_stay_within_the_image() -> None:
    for source in (*range(1, 40), 99, 480, 1080):
        for target in (1, 2, 7, 16, 31, 40, 368):
            for way in {sampling((source, source), (target, target)), Sampling(1, False), Sampling(1, True)}:
                for mirrored in (False, True):
                    first, weights = taps(source, target, way, mirrored)
                    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
                    assert (weights >= 0).all()
                    assert first.min() >= 0 and first.max() + weights.shape[1] <= source


@pytest.mark.parametrize("source", [(480, 640), (720, 1280), (1080, 1920)])
def test_a_camera_is_seen_as_on_the_host(lens: Lens, source: tuple[int, int]) -> None:
    compare(lens, [image(*source)], [plan(source, InputOptions(input_size="128"), 8)])


def test_frames_resize_there_and_tell_the_time(lens: Lens, cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From images to an answer, and what was measured on the way; several looks count together."""
    monkeypatch.setattr("openpose_ros.backends.cuda.lens_for", lambda device: lens)
    frames = Frames("cpu:0", lambda there: (there.float(), there.float()), lambda shape: frames._work, graphs=False)
    picture, grid = image(48, 64), plan((48, 64), InputOptions(input_size="32"), 8)
    for _ in range(CAPTURE_AFTER):
        with frames.queue():
            pictures = frames.pictures([picture])
            for _ in range(2):
                answer, _ = frames(pictures.batch([grid, grid], 0).images)
    expected = Pictures([picture]).batch([grid, grid], 0).images
    assert np.abs(answer.numpy() - expected).max() <= 1
    assert frames.clock.milliseconds() == {"upload": 1.5, "resize": 3.0, "network": 3.0}
    assert frames.page_locked == lens.page_locked > 0


def test_without_cupy_images_are_resized_on_the_host_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(index: int) -> None:
        raise GpuError("CuPy cannot be imported: pip install it")

    monkeypatch.setattr(module, "Cuda", none)
    assert module.lens_for(torch.device("cuda:0")) is None
    assert "images are resized on the host, not on the GPU: CuPy cannot be imported: pip install it" in caplog.text


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    runtimes = shim.sanitizer_runtimes()
    if not runtimes:
        pytest.skip("needs the sanitizers' libraries of g++ (libasan, libubsan)")
    library = shim.build(tmp_path, "-O1", *shim.SANITIZERS, source=module.source(), names=module.NAMES)
    environment = {**os.environ, "LD_PRELOAD": ":".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("look_through_lens.py")), str(library)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as many bytes as expected" in done.stdout
    assert "ERROR" not in done.stderr
