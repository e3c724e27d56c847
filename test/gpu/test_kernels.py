"""The kernels on a real GPU. Needs CuPy and an NVIDIA GPU, and is skipped with the reason where there is none.

    python -m pytest test/gpu                                  everything
    python -m openpose_ros benchmark decode --json OUT         what it costs ("gpu ..." rows)
    benchmark/gpu.sh OUT                                       both, compute-sanitizer, and whole frames

NVIDIA's compute-sanitizer sees what no comparison of results does: accesses beyond an array, and threads that do not
wait for each other. PyTorch must not cut its own pieces out of larger ones for that:

    export PYTORCH_NO_CUDA_MEMORY_CACHING=1
    for tool in memcheck racecheck synccheck initcheck; do
        compute-sanitizer --tool $tool --error-exitcode 9 python -m pytest -q test/gpu -k "small or noise" || break
    done
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from dataclasses import fields as columns
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import candidates, decode
from openpose_ros.decode.kernels import Kernels
from openpose_ros.device import Cuda, GpuError
from openpose_ros.options import DecodeOptions

try:
    Cuda(0)
    MISSING = ""
except GpuError as error:
    MISSING = f"needs CuPy and an NVIDIA GPU: {error}"

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

path = Path(__file__).parents[1] / "decode" / "kernel_scenes.py"
spec = importlib.util.spec_from_file_location("openpose_ros_test_kernel_scenes", path)
assert spec is not None and spec.loader is not None
kernel_scenes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel_scenes)

SMALL = [pytest.param(fields, options, id=f"small: {name}") for name, fields, options in kernel_scenes.small_scenes()]
LARGE = [pytest.param(fields, options, id=name) for name, fields, options in kernel_scenes.scenes()]
DEFAULTS = DecodeOptions()

Move = Callable[[Any], Any]


def torch_on_gpu() -> Any:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a PyTorch that sees the GPU")
    return torch


@pytest.fixture(params=["torch", "cupy"])
def move(request: pytest.FixtureRequest) -> Move:
    """Brings a NumPy array to the GPU, as a backend or a user of CuPy would."""
    if request.param == "torch":
        torch = torch_on_gpu()
        return lambda array: torch.from_numpy(array.copy()).cuda()
    cupy = pytest.importorskip("cupy")
    return lambda array: cupy.asarray(array)


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return Kernels(Cuda(0))


def moved(fields: Any, move: Move) -> Any:
    return replace(fields, heatmaps=move(fields.heatmaps), pafs=move(fields.pafs))


def identical(found: Any, expected: Any) -> None:
    for part in (0, 1):
        for column in columns(expected[part]):
            np.testing.assert_array_equal(getattr(found[part], column.name), getattr(expected[part], column.name))


@pytest.mark.parametrize(("fields", "options"), [*SMALL, *LARGE])
def test_the_candidates_are_those_of_the_array_form(
    kernels: Kernels, fields: Any, options: DecodeOptions, move: Move
) -> None:
    kernel_scenes.check(kernels, fields, options, move)


def test_the_same_frame_in_noise_gives_the_same_bits_every_time(kernels: Kernels, move: Move) -> None:
    there = moved(kernel_scenes.noise(46, 82, 2, levels=60), move)
    options = DecodeOptions(max_candidates=60)
    first = kernels.start(there, options).result()
    assert len(first[1].limb) > 10_000
    for _ in range(20):
        identical(kernels.start(there, options).result(), first)


def test_what_does_not_fit_is_launched_again_and_nothing_is_lost(move: Move) -> None:
    fresh = Kernels(Cuda(0))
    fields = kernel_scenes.noise(46, 82)
    kernel_scenes.check(fresh, fields, DEFAULTS, move)
    assert fresh.relaunches >= 1
    before = fresh.relaunches
    kernel_scenes.check(fresh, fields, DEFAULTS, move)
    assert fresh.relaunches == before


def test_fields_need_be_neither_contiguous_nor_float32(kernels: Kernels) -> None:
    torch = torch_on_gpu()
    fields = crowd_fields(4, 128, 160)
    half = [torch.from_numpy(maps).cuda().half() for maps in (fields.heatmaps, fields.pafs)]
    turned = replace(fields, heatmaps=half[0].repeat_interleave(2, 1)[:, ::2], pafs=half[1].flip(0).mT.contiguous().mT)
    exact = replace(fields, heatmaps=half[0].float().contiguous(), pafs=half[1].float().contiguous())
    identical(kernels.start(turned, DEFAULTS).result(), kernels.start(exact, DEFAULTS).result())


def test_work_that_is_still_queued_on_the_callers_stream_comes_first(kernels: Kernels) -> None:
    torch = torch_on_gpu()
    fields = crowd_fields(6, 368, 656)
    heatmaps, pafs = (torch.from_numpy(maps).cuda() for maps in (fields.heatmaps, fields.pafs))
    expected = kernels.start(replace(fields, heatmaps=heatmaps, pafs=pafs), DEFAULTS).result()
    torch.cuda.synchronize()
    for _ in range(5):
        with torch.cuda.stream(torch.cuda.Stream()):
            late = [torch.zeros_like(maps) for maps in (heatmaps, pafs)]
            torch.cuda._sleep(50_000_000)
            for target, maps in zip(late, (heatmaps, pafs), strict=True):
                target.copy_(maps)
            found = kernels.start(replace(fields, heatmaps=late[0], pafs=late[1]), DEFAULTS)
        identical(found.result(), expected)


def test_frames_in_flight_and_threads_do_not_mix(kernels: Kernels) -> None:
    torch = torch_on_gpu()
    every = [
        moved(crowd_fields(3 + seed, 256, 456, seed=seed), lambda array: torch.from_numpy(array).cuda())
        for seed in range(6)
    ]
    expected = [kernels.start(fields, DEFAULTS).result() for fields in every]
    torch.cuda.synchronize()
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(10):
                    flying = [kernels.start(fields, DEFAULTS) for fields in every]
                    for search, right in zip(flying, expected, strict=True):
                        identical(search.result(), right)
        except BaseException as error:  # an assertion in a thread is otherwise lost
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_frames_of_known_sizes_take_no_more_memory(kernels: Kernels) -> None:
    torch = torch_on_gpu()
    every = [moved(crowd_fields(count, 256, 456), lambda array: torch.from_numpy(array).cuda()) for count in (1, 20)]
    for fields in every:
        kernels.start(fields, DEFAULTS).result()
    before = torch.cuda.memory_allocated()
    for fields in 100 * every:
        kernels.start(fields, DEFAULTS).result()
    assert torch.cuda.memory_allocated() == before


def test_cupy_takes_its_memory_from_pytorch() -> None:
    torch = torch_on_gpu()
    cupy = pytest.importorskip("cupy")
    Cuda(0)
    before = torch.cuda.memory_allocated()
    array = cupy.zeros(1 << 22, np.uint8)
    assert torch.cuda.memory_allocated() >= before + array.nbytes
    del array
    assert torch.cuda.memory_allocated() == before


@pytest.mark.parametrize("complete", [False, True])
def test_people_on_the_gpu_are_the_people_on_the_host(move: Move, complete: bool) -> None:
    fields, options = replace(crowd_fields(20, 368, 656), paf_offset=0.2), DecodeOptions(complete=complete)
    there = moved(fields, move)
    assert set(candidates(there, options).milliseconds) == {"peaks", "limbs", "copy", "wait"}
    found, expected = decode(there, options)[0], decode(fields, options)[0]
    assert len(found) == len(expected) >= 20
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-3)
    np.testing.assert_allclose(found.person_score, expected.person_score, atol=1e-5)
