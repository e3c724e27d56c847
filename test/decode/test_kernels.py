"""The GPU's kernels, run on the CPU from their own source: the candidates of the array form, whatever the fields."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields as columns
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import candidates, decode, decoder, kernels
from openpose_ros.decode.kernels import Kernels
from openpose_ros.device import GpuError
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.skeleton import BODY_25

spec = importlib.util.spec_from_file_location("openpose_ros_test_shim", Path(__file__).with_name("shim.py"))
assert spec is not None and spec.loader is not None
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)
kernel_scenes = shim.load("kernel_scenes")

DEFAULTS = DecodeOptions()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = shim.build(tmp_path_factory.mktemp("shim"))
    return path


@pytest.fixture
def on_cpu(library: Path) -> Kernels:
    """The kernels with their real blocks."""
    return Kernels(shim.Shim(library))


def stay(array: Any) -> Any:
    return array


def identical(found: Any, expected: Any) -> None:
    for part in (0, 1):
        for column in columns(expected[part]):
            np.testing.assert_array_equal(getattr(found[part], column.name), getattr(expected[part], column.name))


def as_scenes(every: Iterator[Any]) -> list[Any]:
    return [
        pytest.param(fields, options, id=name, marks=[pytest.mark.long] if name == kernel_scenes.ALL_OF_200 else [])
        for name, fields, options in every
    ]


@pytest.mark.parametrize("backwards", [False, True], ids=["threads in order", "threads turned round"])
@pytest.mark.parametrize(("fields", "options"), as_scenes(kernel_scenes.small_scenes()))
def test_whatever_the_cells_hold_the_candidates_are_those_of_the_array_form(
    library: Path, fields: Any, options: DecodeOptions, backwards: bool
) -> None:
    # Blocks so small that one heatmap and one image's pairs need several rounds.
    kernel_scenes.check(Kernels(shim.Shim(library, backwards), 32, 32), fields, options, stay)


@pytest.mark.parametrize(("fields", "options"), as_scenes(kernel_scenes.scenes()))
def test_crowds_and_noise_have_the_candidates_of_the_array_form(
    on_cpu: Kernels, fields: Any, options: DecodeOptions
) -> None:
    assert len(kernel_scenes.check(on_cpu, fields, options, stay).limb) > 100


@pytest.fixture(scope="session")
def real(photos: list[npt.NDArray[np.uint8]]) -> Fields:
    """What the bundled network says of photos."""
    torch = pytest.importorskip("torch")
    from openpose_ros.backends.torch import AnswerFromBytes
    from openpose_ros.card import Card
    from openpose_ros.preprocess import plan, prepare
    from openpose_ros.weights.default import default_model
    from openpose_ros.weights.store import load_network

    card = Card.load(default_model())
    grids = [plan(photo.shape[:2], InputOptions(input_size="192x256"), card.stride) for photo in photos]
    batch = prepare(photos, grids, card.pad_value)
    with torch.inference_mode():
        heatmaps, pafs = AnswerFromBytes(load_network(card), card, torch.float32)(torch.from_numpy(batch.images))
    return Fields(heatmaps.numpy(), pafs.unflatten(1, (-1, 2)).numpy(), batch.grids, card.skeleton, card.paf_offset)


def test_photos_have_the_candidates_of_the_array_form(on_cpu: Kernels, real: Fields) -> None:
    assert len(kernel_scenes.check(on_cpu, real, DEFAULTS, stay).limb) > 100


def test_the_order_of_threads_and_blocks_changes_nothing_at_all(library: Path) -> None:
    fields = kernel_scenes.noise(20, 24, 2, levels=40)
    options = DecodeOptions(max_candidates=30)
    found = [Kernels(shim.Shim(library, backwards)).start(fields, options).result() for backwards in (False, True)]
    assert len(found[0][1].limb) > 1000
    identical(*found)


def test_a_frame_is_three_launches_and_one_copy_and_takes_no_memory_once_its_size_is_known(library: Path) -> None:
    gpu = shim.Shim(library)
    on_cpu = Kernels(gpu)
    fields = crowd_fields(5, 256, 456)
    on_cpu.start(fields, DEFAULTS).result()
    taken = gpu.taken
    gpu.launched.clear()
    gpu.downloaded.clear()
    for _ in range(3):
        on_cpu.start(fields, DEFAULTS).result()
    assert gpu.launched == 3 * list(kernels.NAMES)
    assert len(gpu.downloaded) == 3
    assert max(gpu.downloaded) <= kernels.FIRST_COPY
    assert gpu.taken == taken


def test_what_does_not_fit_is_launched_again_and_nothing_is_lost(
    library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fields = crowd_fields(4, 184, 328)
    expected = Kernels(shim.Shim(library)).start(fields, DEFAULTS).result()
    assert len(expected[1].limb) > 100
    monkeypatch.setattr(kernels, "PAIRS", 50)
    monkeypatch.setattr(kernels, "CONNECTIONS", 1)
    monkeypatch.setattr(kernels, "FIRST_COPY", 64)
    gpu = shim.Shim(library)
    small = Kernels(gpu)
    # Candidates always have room, of which few connections make use: the second limit would hardly be met.
    tight = DecodeOptions(max_candidates=int(np.bincount(expected[0].joint).max()))
    with caplog.at_level(logging.INFO):
        identical(small.start(fields, tight).result(), expected)
    assert small.relaunches >= 1
    assert "room for" in caplog.text
    known, copies = small.relaunches, len(gpu.downloaded)
    identical(small.start(fields, tight).result(), expected)
    assert small.relaunches == known
    assert len(gpu.downloaded) == copies + 1


def test_what_is_still_to_do_for_a_frame_that_was_waited_for_is_not_queued_with_the_next(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next frame may be recorded for a CUDA graph at that time, which would swallow it."""
    monkeypatch.setattr(kernels, "PAIRS", 50)
    monkeypatch.setattr(kernels, "FIRST_COPY", 64)
    gpu = shim.Shim(library)
    search = Kernels(gpu).start(crowd_fields(4, 184, 328), DEFAULTS)
    assert set(gpu.streams) == {7}
    gpu.streams.clear()
    search.result()
    assert len(gpu.streams) > len(kernels.NAMES)  # launched again, and the rest was copied
    assert set(gpu.streams) == {8}


def test_more_connections_than_room_are_noticed(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "CONNECTIONS", 1)
    small = Kernels(shim.Shim(library))
    fields = kernel_scenes.noise(20, 24)
    options = DecodeOptions(max_candidates=50)
    assert len(kernel_scenes.check(small, fields, options, stay).limb) > 10_000
    assert small.relaunches == 1
    kernel_scenes.check(small, fields, options, stay)
    assert small.relaunches == 1


def test_frames_in_flight_keep_their_own_memory(on_cpu: Kernels) -> None:
    first, second = crowd_fields(3, 184, 328, seed=1), crowd_fields(6, 128, 128, seed=2)
    alone = [on_cpu.start(fields, DEFAULTS).result() for fields in (first, second)]
    flying = [on_cpu.start(fields, DEFAULTS) for fields in (first, second)]
    assert not on_cpu.idle
    for search, expected in zip(flying, alone, strict=True):
        identical(search.result(), expected)
    assert len(on_cpu.idle) == 2


def test_sizes_batches_and_skeletons_may_change_from_frame_to_frame(on_cpu: Kernels) -> None:
    small = list(kernel_scenes.small_scenes())
    for _, fields, options in [*small[::8], ("", crowd_fields(2, 160, 224, BODY_25), DEFAULTS), *small[1::8]]:
        kernel_scenes.check(on_cpu, fields, options, stay)


def test_a_result_is_not_touched_by_the_next_frame(on_cpu: Kernels) -> None:
    found = on_cpu.start(crowd_fields(3, 184, 328), DEFAULTS).result()
    kept = [getattr(found[part], column.name).copy() for part in (0, 1) for column in columns(found[part])]
    on_cpu.start(kernel_scenes.noise(12, 16), DEFAULTS).result()
    now = [getattr(found[part], column.name) for part in (0, 1) for column in columns(found[part])]
    for before, after in zip(kept, now, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_fields_need_be_neither_contiguous_nor_float32(on_cpu: Kernels, kind: Any) -> None:
    fields = crowd_fields(4, 128, 160)
    exact = replace(
        fields,
        heatmaps=fields.heatmaps.astype(np.float16).astype(np.float32),
        pafs=fields.pafs.astype(np.float16).astype(np.float32),
    )
    turned = replace(
        exact,
        heatmaps=np.repeat(exact.heatmaps.astype(kind), 2, 1)[:, ::2],
        pafs=np.ascontiguousarray(exact.pafs.astype(kind).transpose(0, 3, 4, 1, 2)).transpose(0, 3, 4, 1, 2),
    )
    identical(on_cpu.start(turned, DEFAULTS).result(), on_cpu.start(exact, DEFAULTS).result())


@pytest.fixture
def as_if_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy arrays count as lying on GPU 3."""
    monkeypatch.setattr(decoder, "gpu_index", lambda array: 3)
    monkeypatch.setattr(decoder, "_compiled", {})


@pytest.mark.usefixtures("as_if_on_a_gpu")
@pytest.mark.parametrize("complete", [False, True])
def test_fields_on_a_gpu_are_decoded_by_the_kernels(
    library: Path, monkeypatch: pytest.MonkeyPatch, complete: bool
) -> None:
    fields = crowd_fields(8, 256, 456)
    options = DecodeOptions(complete=complete)
    with monkeypatch.context() as on_the_host:
        on_the_host.setattr(decoder, "gpu_index", lambda array: None)
        expected = decode(fields, options)[0]
    taken = []
    monkeypatch.setattr(decoder, "Cuda", lambda index: taken.append(index) or shim.Shim(library))
    spent = candidates(fields, options).milliseconds
    assert set(spent) == {"peaks", "limbs", "copy", "wait"}
    found = decode(fields, options)[0]
    assert taken == [3]
    assert len(found) == len(expected) >= 8
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-3)
    np.testing.assert_allclose(found.person_score, expected.person_score, atol=1e-5)


@pytest.mark.usefixtures("as_if_on_a_gpu")
def test_memory_is_stated_and_given_back(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = shim.Shim(library)
    monkeypatch.setattr(decoder, "Cuda", lambda index: gpu)
    fields = crowd_fields(3, 128, 160)
    for device in ("cpu", "cuda:3"):
        decoder.forget_memory(device)  # when there is nothing yet
        assert decoder.page_locked(device) == 0
    expected = candidates(fields, DEFAULTS)
    flying = decoder.begin(fields, DEFAULTS)
    gc.collect()
    one = decoder.page_locked("cuda:3")
    assert one >= kernels.FIRST_COPY
    assert decoder.page_locked("cuda:0") == decoder.page_locked("cpu") == 0
    candidates(fields, DEFAULTS)
    assert decoder.page_locked("cuda:3") == 2 * one
    decoder.forget_memory("cuda:3")
    assert gpu.given_back == 1
    gc.collect()
    assert decoder.page_locked("cuda:3") == one  # of the frame that is under way
    assert isinstance(flying, decoder.Underway)
    flying.wait(timeout=1.0)
    found = flying.candidates()
    identical((found.peaks, found.connections), (expected.peaks, expected.connections))


def test_a_gpu_that_is_not_done_in_time_is_told(on_cpu: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    search = on_cpu.start(crowd_fields(1, 64, 96), DEFAULTS)
    looks: list[int] = []
    monkeypatch.setattr(on_cpu.gpu, "happened", lambda event: looks.append(1) or len(looks) > 3, raising=False)
    search.wait(timeout=5.0)
    assert len(looks) == 4
    looks.clear()
    with pytest.raises(TimeoutError, match="no answer from the GPU within 0.0 seconds"):
        search.wait(timeout=0.0)


@pytest.mark.usefixtures("as_if_on_a_gpu")
def test_without_kernels_the_array_form_decodes_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(index: int) -> None:
        raise GpuError("CuPy cannot be imported: pip install it")

    monkeypatch.setattr(decoder, "Cuda", none)
    fields = crowd_fields(3, 128, 160)
    for _ in range(2):
        assert set(candidates(fields, DEFAULTS).milliseconds) == {"peaks", "limbs"}
    assert len(caplog.records) == 1
    assert "pip install it" in caplog.text


def test_a_frame_that_fails_leaves_the_kernels_working(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = shim.Shim(library)
    on_cpu = Kernels(gpu)
    small, large = crowd_fields(2, 64, 96), crowd_fields(2, 256, 456)
    expected = on_cpu.start(small, DEFAULTS).result()

    def full(size: int) -> None:
        raise MemoryError("out of memory")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(gpu, "zeros", full)
        with pytest.raises(MemoryError):
            on_cpu.start(large, DEFAULTS)
    identical(on_cpu.start(small, DEFAULTS).result(), expected)
    kernel_scenes.check(on_cpu, large, DEFAULTS, stay)


def sanitized(folder: Path, *files: str) -> list[str]:
    """What the program says that runs the kernels under AddressSanitizer and UndefinedBehaviorSanitizer."""
    runtimes = shim.sanitizer_runtimes()
    if not runtimes:
        pytest.skip("needs the sanitizers' libraries of g++ (libasan, libubsan)")
    library = shim.build(folder, "-O1", *shim.SANITIZERS)
    environment = {**os.environ, "LD_PRELOAD": ":".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, str(Path(shim.__file__)), str(library), *files],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in done.stderr
    return [line.removesuffix(": as the array form") for line in done.stdout.splitlines()]


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    assert set(sanitized(tmp_path)) == set(shim.SANITIZED)


@pytest.mark.long
def test_sanitizers_find_nothing_on_photos(tmp_path: Path, real: Fields) -> None:
    np.savez(tmp_path / "real.npz", heatmaps=real.heatmaps, pafs=real.pafs)
    assert shim.REAL in sanitized(tmp_path, str(tmp_path / "real.npz"))


@pytest.mark.long
def test_sanitizers_see_a_step_too_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That they look at all."""
    good = "counts[plane] = count;"
    assert good in kernels.source()
    spoiled = kernels.source().replace(good, "counts[plane + 1] = count;")
    monkeypatch.setattr(kernels, "source", lambda: spoiled)
    with pytest.raises(AssertionError, match=r"AddressSanitizer: heap-buffer-overflow(?s:.*)find_peaks"):
        sanitized(tmp_path)
