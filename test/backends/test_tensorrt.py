"""The TensorRT backend: what it binds and runs, against a recorded TensorRT that computes on the CPU."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tensorrt_rtx", reason="needs tensorrt_rtx, which is there for x86_64")

import openpose_ros.backends.cuda as cuda_module
import openpose_ros.backends.tensorrt as tensorrt
import openpose_ros.backends.tensorrt_context as tensorrt_context
from openpose_ros.backends import BackendError, SyntheticBackend, choose, takes
from openpose_ros.backends.cuda import CAPTURE_AFTER
from openpose_ros.backends.tensorrt import TensorRTBackend
from openpose_ros.backends.tensorrt_engine import EngineFile, Profile, facts, kernels_of, load_blob, write
from openpose_ros.backends.tensorrt_library import Gpu, Library
from openpose_ros.backends.torch import FromBytes
from openpose_ros.card import Card
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch

MakeBatch = Callable[..., Batch]

CHANNELS = {"heatmaps": 19, "pafs": 38}
SIZES = (Profile.exactly(64, 96, 2), Profile.up_to(128, 64, 96, 8, 4))
GPU = Gpu("NVIDIA RTX A4000", (8, 6))


def _recording() -> Any:
    spec = importlib.util.spec_from_file_location("recorded_tensorrt", Path(__file__).with_name("recorded_tensorrt.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


recording = _recording()


class Replayed:
    """In place of a CUDA graph."""

    def __init__(self, work: Any, shape: Any, device: Any, pool: Any) -> None:
        self.images = torch.zeros((*shape, 3), dtype=torch.uint8)
        self.pool, self.work = pool, work

    def __call__(self) -> Any:
        return self.work(self.images)


class Bench:
    """A GPU that is none, a TensorRT that computes on the CPU, and an empty folder of engines."""

    def __init__(self, card: Card, trt: Any, library: Library) -> None:
        self.card, self.trt, self.library = card, trt, library

    def engine(
        self,
        profiles: tuple[Profile, ...] = SIZES,
        precision: str = "float16",
        channels: dict[str, int] = CHANNELS,
        gpu: Gpu = GPU,
    ) -> EngineFile:
        about = facts(self.card, precision, profiles, self.library, gpu)
        return write(recording.plan_of(profiles, channels), about, "0" * 64)

    def backend(self, **options: str) -> TensorRTBackend:
        return TensorRTBackend(self.card, BackendOptions(**options))

    def calls(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for _, called, arguments in self.trt.calls if called == name]


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def bench(
    request: pytest.FixtureRequest,
    random_card: Card,
    cuda_on_cpu: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Bench:
    trt = recording.recorded_tensorrt(request.param == "tensorrt_rtx")
    library = Library(trt, request.param, trt.__version__)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tensorrt, "library", lambda: library)
    monkeypatch.setattr(tensorrt, "named_device", lambda wanted: "cpu:0")
    monkeypatch.setattr(tensorrt, "cuda", cuda_on_cpu)
    monkeypatch.setattr(tensorrt_context, "cuda", cuda_on_cpu)
    monkeypatch.setattr(cuda_module, "Graph", Replayed)
    return Bench(random_card, trt, library)


def expected(card: Card, batch: Batch, channels: int) -> Any:
    image = FromBytes(card)(torch.from_numpy(batch.images)).contiguous().numpy()
    return recording.answer(image, channels)


def check(bench: Bench, backend: TensorRTBackend, batch: Batch) -> Any:
    fields = backend(batch)
    np.testing.assert_allclose(fields.heatmaps, expected(bench.card, batch, 19), rtol=1e-4, atol=1e-5)
    pafs = expected(bench.card, batch, 38).reshape(fields.pafs.shape)
    np.testing.assert_allclose(fields.pafs, pafs, rtol=1e-4, atol=1e-5)
    return fields


def test_any_batch_within_the_profiles_is_answered(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for height, width, count in ((64, 96, 1), (64, 96, 2), (8, 8, 1), (128, 128, 4), (64, 96, 1)):
        fields = check(bench, backend, noise(height, width, count))
        assert fields.heatmaps.shape == (count, 19, height // 8, width // 8)
        assert fields.pafs.shape == (count, 19, 2, height // 8, width // 8)
    assert (fields.paf_offset, fields.heat_offset) == (0.25, (0.1, -0.1))
    assert (backend.name, backend.precision) == ("tensorrt", "float16")
    backend.close()


def test_it_says_which_batches_its_engines_take(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    assert [takes(backend, noise(*shape)) for shape in ((64, 96, 2), (128, 128, 4))] == [True, True]
    assert [takes(backend, noise(*shape)) for shape in ((64, 96, 5), (256, 96, 1))] == [False, False]
    backend.close()


def test_images_that_lie_on_the_gpu_already_are_not_uploaded(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for seed in range(CAPTURE_AFTER + 3):
        batch = noise(64, 96, seed=seed)
        there = replace(batch, images=torch.from_numpy(batch.images.copy()))
        fields = backend(there)
        there.images.zero_()  # the answer is the caller's, whatever becomes of the images
        np.testing.assert_allclose(fields.heatmaps, expected(bench.card, batch, 19), rtol=1e-4, atol=1e-5)
        assert set(backend.frames.clock.milliseconds()) == {"network"}
    assert backend.frames.captures == 1


def test_when_it_is_closed_contexts_end_before_their_engine(
    bench: Bench, noise: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.engine()
    backend = bench.backend()
    for seed in range(CAPTURE_AFTER + 2):
        backend(noise(64, 96, seed=seed))
    contexts = [weakref.ref(context) for context in bench.trt.contexts]
    bench.trt.contexts.clear()
    assert len(contexts) == 2 and all(context() is not None for context in contexts)
    engine = weakref.ref(backend._engines[0])
    left: list[tuple[bool, bool]] = []
    monkeypatch.setattr(
        cuda_module.cuda, "empty_cache",
        lambda: left.append((any(context() for context in contexts), engine() is not None)), raising=False,
    )  # fmt: skip
    backend.close()
    gc.collect()
    assert left == [(False, True)]
    assert engine() is None


def test_a_size_that_keeps_coming_is_replayed_from_a_context_of_its_own(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for seed in range(CAPTURE_AFTER + 3):
        check(bench, backend, noise(64, 96, seed=seed))
    assert len(bench.trt.contexts) == 2
    check(bench, backend, noise(64, 64))  # the other context goes there
    check(bench, backend, noise(64, 96, seed=9))
    shapes = [shape for _, shape in bench.calls("set_input_shape")]
    assert shapes == [(1, 3, 64, 96), (1, 3, 64, 96), (1, 3, 64, 64)]


def test_contexts_are_made_in_the_thread_that_runs_the_first_batch(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    assert bench.trt.contexts == []
    worker = threading.Thread(target=backend, args=(noise(64, 96),))
    worker.start()
    worker.join()
    assert len(bench.trt.contexts) == 1


def test_fields_are_the_callers_to_keep(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    fields = backend(noise(64, 96, seed=1))
    before = fields.heatmaps.clone()
    for seed in range(CAPTURE_AFTER + 2):
        backend(noise(64, 96, seed=seed))
    np.testing.assert_array_equal(fields.heatmaps, before)


def test_the_profile_that_takes_the_shape_is_set(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for height in (64, 128, 120, 64):
        backend(noise(height, 96))
    assert [profile for profile, _ in bench.calls("set_optimization_profile_async")] == [1, 0]


def test_everything_is_queued_on_one_stream_that_is_not_the_default(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for _ in range(CAPTURE_AFTER + 2):
        backend(noise(64, 96))
    streams = {stream for (stream,) in bench.calls("execute_async_v3")}
    assert len(streams) == 1
    assert 1 not in streams


def test_inner_memory_comes_from_pytorch_and_only_grows(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    for height in (64, 8, 128, 64):
        backend(noise(height, 96))
    sizes = [size for _, size in bench.calls("set_device_memory")]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 2


def test_another_engine_is_read_for_a_size_that_the_first_does_not_take(bench: Bench, noise: MakeBatch) -> None:
    bench.engine((Profile.exactly(64, 96),))
    bench.engine((Profile.exactly(128, 96),))
    backend = bench.backend()
    for height in (64, 128, 64):
        check(bench, backend, noise(height, 96))
    assert len(bench.calls("deserialize_cuda_engine")) == 2


def test_a_size_that_no_engine_takes_is_an_error_of_that_frame(bench: Bench, noise: MakeBatch) -> None:
    bench.engine((Profile.exactly(64, 96, 2),))
    backend = bench.backend()
    with pytest.raises(
        BackendError, match=r"takes 3x64x96 .*; they take 1x64x96 to 2x64x96, best 1x64x96; .*--sizes 64x96 --batch 3"
    ):
        backend(noise(64, 96, 3))
    check(bench, backend, noise(64, 96, 2))


def test_heatmaps_and_pafs_are_told_apart_by_their_channels(bench: Bench, noise: MakeBatch) -> None:
    bench.engine(channels={"second": 38, "first": 19})
    check(bench, bench.backend(), noise(64, 96))


@pytest.mark.parametrize("channels", [{"heatmaps": 19}, {"heatmaps": 26, "pafs": 52}, {"a": 19, "b": 38, "c": 3}])
def test_an_engine_of_another_network_is_refused(bench: Bench, channels: dict[str, int]) -> None:
    bench.engine(channels=channels)
    with pytest.raises(BackendError, match="expected an image, 19 heatmaps and 38 PAFs"):
        bench.backend()


def test_an_engine_whose_ends_are_half_is_refused(bench: Bench) -> None:
    bench.engine()
    bench.trt.types["pafs"] = bench.trt.float16
    with pytest.raises(BackendError, match="not all of them float32"):
        bench.backend()


def test_a_torn_engine_is_never_loaded(bench: Bench, noise: MakeBatch, caplog: pytest.LogCaptureFixture) -> None:
    bench.engine((Profile.exactly(64, 96),))
    torn = bench.engine().path
    torn.write_bytes(torn.read_bytes()[:-5])
    backend = bench.backend()
    assert "is torn" in caplog.text
    check(bench, backend, noise(64, 96))
    for _ in range(2):
        with pytest.raises(BackendError, match="no engine of random takes 1x128x96"):
            backend(noise(128, 96))


def test_an_engine_that_is_torn_later_costs_one_reading(bench: Bench, noise: MakeBatch) -> None:
    bench.engine((Profile.exactly(64, 96),))
    other = bench.engine((Profile.exactly(128, 96),)).path
    os.utime(other, (1, 1))
    backend = bench.backend()
    other.write_bytes(other.read_bytes()[:-5])
    with pytest.raises(BackendError, match="is torn"):
        backend(noise(128, 96))
    with pytest.raises(BackendError, match="no engine of random takes 1x128x96"):
        backend(noise(128, 96))
    check(bench, backend, noise(64, 96))


def test_when_all_engines_are_torn_the_sentence_says_how_to_build_one(bench: Bench) -> None:
    torn = bench.engine().path
    torn.write_bytes(torn.read_bytes()[:-5])
    with pytest.raises(BackendError, match=r"is torn: .*this makes one: python -m openpose_ros export .* --engine"):
        bench.backend()


def test_an_engine_that_tensorrt_refuses_is_told_with_its_reason(bench: Bench) -> None:
    about = facts(bench.card, "float16", SIZES, bench.library, GPU)
    write(b"refused", about, "0" * 64)
    with pytest.raises(BackendError, match="refuses the engine .*: made by another version; this makes one"):
        bench.backend()


def test_float16_is_preferred_and_int8_only_taken_by_name(bench: Bench) -> None:
    bench.engine(precision="int8")
    with pytest.raises(BackendError, match="no engine of random in float16"):
        bench.backend()
    bench.engine(precision="float32")
    assert bench.backend().precision == "float32"
    bench.engine(precision="float16")
    assert bench.backend().precision == "float16"
    assert bench.backend(precision="int8").precision == "int8"
    with pytest.raises(BackendError, match="precision is bfloat16, but engines are built in float16, float32, int8"):
        bench.backend(precision="bfloat16")


def test_an_engine_of_another_gpu_is_named_but_not_taken(bench: Bench) -> None:
    bench.engine(gpu=Gpu("NVIDIA T4", (7, 5)))
    with pytest.raises(BackendError, match=r"no engine of random in float16 for NVIDIA RTX A4000 .* for another GPU\)"):
        bench.backend()


def test_a_refusal_of_tensorrt_is_an_error_of_that_frame(bench: Bench, noise: MakeBatch) -> None:
    bench.engine()
    backend = bench.backend()
    bench.trt.refusal = "myelin says no"
    with pytest.raises(RuntimeError, match="TensorRT refused to run the network: myelin says no"):
        backend(noise(64, 96))
    bench.trt.refusal = None
    check(bench, backend, noise(64, 96))


def test_without_room_one_frame_fails_and_contexts_are_made_anew(
    bench: Bench, noise: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.engine()
    backend = bench.backend()
    backend(noise(64, 96))

    def full(*arguments: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(backend._from_bytes, "forward", full)
        with pytest.raises(MemoryError, match="too little memory"):
            backend(noise(64, 96))
    check(bench, backend, noise(64, 96))
    assert len(bench.trt.contexts) == 2


def test_what_tensorrt_for_rtx_compiled_is_kept_for_the_next_start(bench: Bench, noise: MakeBatch) -> None:
    path = kernels_of(bench.engine().path)
    for start in range(1, 3):
        backend = bench.backend()
        for _ in range(CAPTURE_AFTER + 1):
            backend(noise(64, 96))
        if bench.library.package == "tensorrt":
            backend.close()
            assert not path.exists()
            return
        assert load_blob(path) == b"+" * start  # as soon as a graph was recorded
        backend.close()
    path.write_bytes(b"torn")
    backend = bench.backend()
    backend(noise(64, 96))
    backend.close()
    assert load_blob(path) == b"+"


def test_what_cannot_be_recorded_runs_all_the_same(
    bench: Bench, noise: MakeBatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.engine()
    bench.trt.capturable = False
    backend = bench.backend()
    for seed in range(CAPTURE_AFTER + 3):
        check(bench, backend, noise(64, 96, seed=seed))
    assert ("cannot be recorded" in caplog.text) == (bench.library.package == "tensorrt_rtx")


def test_memory_of_the_engines_is_stated(bench: Bench) -> None:
    about = facts(bench.card, "float16", SIZES, bench.library, GPU)
    plan = recording.plan_of(SIZES, CHANNELS)
    write(plan + b" " * (5 * 2**20), about, "0" * 64)
    assert bench.backend().engine_mib == 5


def test_calls_that_the_bindings_do_not_know_are_noticed() -> None:
    assert recording.accepts("IExecutionContext", "set_tensor_address", ("image", 8))
    for wrong in ((8, "image"), ("image",), ("image", 8, 8), ("image", 8.0)):
        assert not recording.accepts("IExecutionContext", "set_tensor_address", wrong)


def test_a_cpu_is_refused(random_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="the tensorrt backend needs an NVIDIA GPU"):
        TensorRTBackend(random_card, BackendOptions(device="cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_sentence_says_so(random_card: Card) -> None:
    with pytest.raises(BackendError, match="NVIDIA GPU"):
        choose(random_card, BackendOptions(backend="tensorrt"))


def test_auto_goes_on_to_pytorch_and_tells_the_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import openpose_ros.backends as backends

    real_make = backends.make

    def make(name: str, card: Card, options: BackendOptions) -> Any:
        return real_make(name, card, options) if name == "tensorrt" else SyntheticBackend(card)

    monkeypatch.setattr(backends, "make", make)
    monkeypatch.setattr("openpose_ros.backends.gpu_driver", lambda: True)
    monkeypatch.setattr("openpose_ros.backends.torch.has_cuda", lambda: True)
    with caplog.at_level(logging.INFO, "openpose_ros"):
        choose(bench.card, BackendOptions())
    (record,) = caplog.records
    assert "has no engine of random in float16 for NVIDIA RTX A4000" in record.getMessage()
    assert (
        f"python -m openpose_ros export --model {bench.card.path} --precision float16 --engine" in record.getMessage()
    )
    bench.engine()
    assert choose(bench.card, BackendOptions()).name == "tensorrt"


@pytest.mark.parametrize("capability", [(8, 7), (9, 0), (10, 0)])
def test_gpus_that_tensorrt_for_rtx_does_not_know_are_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    if bench.library.package == "tensorrt":
        pytest.skip("the full TensorRT knows more GPUs than it lists")
    monkeypatch.setattr(tensorrt, "gpu_of", lambda device: replace(GPU, capability=capability))
    version = "{}.{}".format(*capability)
    with pytest.raises(BackendError, match=rf"compute capability {version}\), only for compute capabilities 7.5, 8.0"):
        bench.backend()
