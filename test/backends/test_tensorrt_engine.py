"""Engines: built for real by TensorRT for RTX, which needs no GPU for it, in a process that can be ended; and kept."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt_rtx, which is there for x86_64")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

import openpose_ros.backends.tensorrt_build as tensorrt_build
import openpose_ros.backends.tensorrt_library as tensorrt_library
from openpose_ros.backends import BackendError, synthetic_card
from openpose_ros.backends.tensorrt_build import build
from openpose_ros.backends.tensorrt_compile import compile_engine, progress_monitor
from openpose_ros.backends.tensorrt_engine import (
    KEPT,
    Profile,
    facts,
    fitting,
    folder,
    kernels_of,
    load_blob,
    opened,
    path_of,
    profiles_for,
    save_blob,
    why_none,
    write,
)
from openpose_ros.backends.tensorrt_library import Gpu, Library, check_gpu, library
from openpose_ros.backends.tensorrt_progress import heard
from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_17

GPU = Gpu("NVIDIA RTX A4000", (8, 6))
SIZES = (Profile.exactly(64, 96), Profile.up_to(128, 64, 96, 8, 4))
RTX = Library(trt, "tensorrt_rtx", trt.__version__)
CARD = replace(synthetic_card(), sha256="a" * 64)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of engines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "openpose_ros" / "engines"


def network(
    half: bool = False,
    mixed: bool = False,
    operator: str = "Conv",
    size: tuple[Any, ...] = ("b", 3, "h", "w"),
    pafs: int = 38,
    ends: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """One convolution of stride 8 for the heatmaps and one for the PAFs, float32 at the ends."""
    random = np.random.default_rng(0)
    kind = np.float16 if half or mixed else np.float32
    inner = helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT16) if half else None
    inner = inner or helper.make_node("Identity", ["image"], ["x"])
    nodes, weights, outputs = [inner], [], []
    for name, channels in (("heatmaps", 19), ("pafs", pafs)):
        weights.append(numpy_helper.from_array(random.normal(size=(channels, 3, 8, 8)).astype(kind), f"{name}.weight"))
        nodes.append(helper.make_node(operator, ["x", f"{name}.weight"], [f"{name}.y"], name=name, strides=[8, 8]))
        nodes.append(helper.make_node("Cast", [f"{name}.y"], [name], to=ends))
        outputs.append(helper.make_tensor_value_info(name, ends, ["b", channels, "h8", "w8"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(size))
    graph = helper.make_graph(nodes, "small", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ONNX file."""

    def made(*content: bytes, **changes: Any) -> Path:
        path = tmp_path / "network.onnx"
        path.write_bytes(content[0] if content else network(**changes).SerializeToString())
        return path

    return made


def compiled(onnx_file: Path, room: Path, sm: str = "SM86", found: Library = RTX, profiles: Any = SIZES) -> bytes:
    """What the child does, in this process."""
    room.mkdir(exist_ok=True)
    order = {
        "onnx": str(onnx_file),
        "profiles": facts(CARD, "float32", profiles, found, GPU)["profiles"],
        "sm": sm,
        "timing": str(room / "earlier"),
        "room": str(room),
    }
    compile_engine(found, order)
    return (room / "plan").read_bytes()


# -- building ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sm", ["SM75", "SM80", "SM86", "SM89", "SM120", "SM121"])
def test_an_engine_is_built_for_a_gpu_that_is_not_here(file: Callable[..., Path], tmp_path: Path, sm: str) -> None:
    plan = compiled(file(), tmp_path / "room", sm)
    assert len(plan) > 50_000
    other = "SM86" if sm != "SM86" else "SM120"
    assert plan != compiled(file(), tmp_path / "room", other)


def test_half_precision_stands_in_the_file_and_makes_the_engine_smaller(
    file: Callable[..., Path], tmp_path: Path
) -> None:
    assert compiled(file(half=True), tmp_path / "room") != compiled(file(), tmp_path / "room")


def test_the_full_tensorrt_keeps_what_it_timed(file: Callable[..., Path], tmp_path: Path) -> None:
    names = {name: getattr(trt, name) for name in dir(trt) if name != "ComputeCapability"}
    full = Library(SimpleNamespace(**names), "tensorrt", "10.16.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the one for RTX does not need it
        assert compiled(file(), tmp_path / "room", found=full)
        timed = (tmp_path / "room" / "timing").read_bytes()
        assert timed
        save_blob(tmp_path / "room" / "earlier", timed)
        assert compiled(file(), tmp_path / "room", found=full)


@pytest.mark.parametrize(
    ("changes", "profiles", "reason"),
    [
        ({"operator": "Convolute"}, SIZES, "Convolute heatmaps"),
        ({"mixed": True}, SIZES, "INVALID_NODE: .*heatmaps"),
        ({"size": ("b", 4, "h", "w")}, SIZES, "4 channels|INVALID_NODE"),
        ({"size": (1, 3, 64, 96)}, SIZES, r"the input image is \(1, 3, 64, 96\), which excludes the engine's size"),
        ({"ends": TensorProto.FLOAT16}, SIZES, "heatmaps is HALF of shape .*; expected float32"),
        ({}, (), "takes any size .*, so the engine's sizes must be given"),
    ],
    ids=["unknown operator", "mixed types", "channels", "fixed size", "half at the ends", "no sizes"],
)
def test_a_file_that_cannot_become_an_engine_is_refused_with_a_reason(
    file: Callable[..., Path], tmp_path: Path, changes: Mapping[str, Any], profiles: Any, reason: str
) -> None:
    with pytest.raises(BackendError, match=reason):
        compiled(file(**changes), tmp_path / "room", profiles=profiles)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 1000])
def test_garbage_is_refused(file: Callable[..., Path], tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BackendError, match="MODEL_DESERIALIZE_FAILED|0 inputs and 0 outputs"):
        compiled(file(content), tmp_path / "room")


def test_a_file_of_one_size_needs_no_others(file: Callable[..., Path], tmp_path: Path) -> None:
    assert compiled(file(size=(1, 3, 64, 96)), tmp_path / "room", profiles=(Profile.exactly(64, 96),))


def test_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = iter([0.0, 1.0, 6.0, 7.0])
    monkeypatch.setattr("openpose_ros.backends.tensorrt_compile.time.monotonic", lambda: next(clock))
    monitor = progress_monitor(trt, said.append)
    monitor.phase_start("Building", None, 2)
    monitor.phase_start("Timing", "Building", 40)
    assert monitor.step_complete("Timing", 0)
    assert monitor.step_complete("Timing", 1)
    monitor.phase_finish("Timing")
    assert said == ["Building: 2 steps", "Timing: step 2 of 40"]


# -- the child ---------------------------------------------------------------------------------------------------------


def test_a_build_puts_one_file_into_the_cache_and_tells_how_it_went(
    file: Callable[..., Path], cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "openpose_ros"):
        engine = build(file(), CARD, "float32", SIZES, GPU)
    assert [path.name for path in cache.iterdir()] == [engine.path.name]
    assert engine.profiles == SIZES
    assert engine.read()[:4] == compiled(file(), cache.parent / "room")[:4]
    assert "Building engine" in caplog.text
    assert "MB in" in caplog.text
    assert fitting(CARD, "float32", RTX, GPU) == [engine]
    caplog.clear()
    with caplog.at_level(logging.INFO, "openpose_ros"):
        assert build(file(), CARD, "float32", SIZES, GPU) == engine
    assert caplog.records == []  # nothing was built


def test_a_refusal_comes_back_as_one_sentence_and_leaves_nothing(file: Callable[..., Path], cache: Path) -> None:
    with pytest.raises(
        BackendError, match=r"TensorRT for RTX .* cannot build an engine of .*network.onnx: .*Convolute"
    ):
        build(file(operator="Convolute"), CARD, "float32", SIZES, GPU)
    assert list(cache.iterdir()) == []


def test_a_torn_or_stale_engine_is_built_again(
    file: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Any] = []

    def run(order: Any, *rest: Any) -> None:
        built.append(order)
        Path(order["room"], "plan").write_bytes(b"plan %d" % len(built))

    monkeypatch.setattr(tensorrt_build, "_run", run)
    engine = build(file(), CARD, "float32", SIZES, GPU)
    whole = engine.path.read_bytes()
    for torn in (whole[:-1], whole[:-1] + b"?", whole[:30], b""):
        engine.path.write_bytes(torn)
        engine = build(file(), CARD, "float32", SIZES, GPU)
        assert engine.read() == b"plan %d" % len(built)
    assert len(built) == 5
    assert "is torn" in caplog.text
    build(file(half=True), CARD, "float32", SIZES, GPU)  # another file for the same engine
    assert len(built) == 6


SLEEPER = """
import json, os, signal, sys, time
order = json.loads(sys.stdin.read())
print(json.dumps({"level": "INFO", "text": "pid %d" % os.getpid()}), flush=True)
open(os.path.join(order["room"], "half a plan"), "w").close()
time.sleep(60)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces the child's program."""

    def take(source: str) -> None:
        (tmp_path / "stand_in_child.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(tensorrt_build, "CHILD", "stand_in_child")

    return take


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def _said_pid(caplog: pytest.LogCaptureFixture) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for record in list(caplog.records):
            if "pid " in record.getMessage():
                return int(record.getMessage().rpartition(" ")[2])
        time.sleep(0.02)
    raise AssertionError("the child said nothing")


def test_a_build_can_be_ended_and_leaves_nothing(
    file: Callable[..., Path], cache: Path, child: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    child(SLEEPER)
    stop = threading.Event()
    with caplog.at_level(logging.INFO, "openpose_ros"), ThreadPoolExecutor(1) as worker:
        job = worker.submit(build, file(), CARD, "float32", SIZES, GPU, stop)
        process = _said_pid(caplog)
        stop.set()
        with pytest.raises(BackendError, match="was ended; nothing was kept"):
            job.result(30)
    assert _gone(process)
    assert list(cache.iterdir()) == []
    assert heard(CARD.name) == ""


def test_others_hear_how_far_a_build_is(
    file: Callable[..., Path], cache: Path, child: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    child(SLEEPER.replace("pid %d", "Building engine: step 3 of 40, pid %d"))
    stop = threading.Event()
    with caplog.at_level(logging.INFO, "openpose_ros"), ThreadPoolExecutor(1) as worker:
        job = worker.submit(build, file(), CARD, "float32", SIZES, GPU, stop)
        _said_pid(caplog)
        deadline = time.monotonic() + 30
        while not heard(CARD.name).startswith("being built: Building engine: step 3 of 40"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert heard("another network") == ""
        stop.set()
        with pytest.raises(BackendError, match="was ended"):
            job.result(30)
    assert heard(CARD.name) == ""


def test_builds_that_were_killed_or_are_torn_are_not_heard_of(cache: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name, text in (
        (f"building-{ended.pid}-x", json.dumps({"card": CARD.name, "text": "step 1"})),
        (f"building-{os.getpid()}-y", '{"card": '),
        ("building-nobody-z", json.dumps({"card": CARD.name, "text": "step 1"})),
    ):
        (cache / name).mkdir(parents=True)
        (cache / name / "said.json").write_text(text)
    assert heard(CARD.name) == ""


def test_an_interrupted_parent_ends_the_child(
    file: Callable[..., Path], cache: Path, child: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    child(SLEEPER)
    said: list[str] = []

    def interrupted(line: str) -> tuple[str, str]:
        said.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(tensorrt_build, "_understood", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(file(), CARD, "float32", SIZES, GPU)
    assert _gone(int(json.loads(said[0])["text"].rpartition(" ")[2]))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed, most likely because memory ran out"),
        ("os.abort()", "ended with signal 6 and said no more"),
        ("sys.exit(3)", "ended with exit code 3 and said no more"),
    ],
)
def test_only_the_child_dies(
    file: Callable[..., Path], cache: Path, child: Callable[[str], None], end: str, reason: str
) -> None:
    child(f"import os, signal, sys\nsys.stdin.read()\n{end}\n")
    with pytest.raises(BackendError, match=reason):
        build(file(), CARD, "float32", SIZES, GPU)
    assert list(cache.iterdir()) == []


def test_what_libraries_print_in_the_child_is_passed_on(
    file: Callable[..., Path], child: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    child("import sys\nsys.stdin.read()\nprint('hello')\nsys.stderr.write('[1, 2]')\nsys.exit(1)\n")
    with pytest.raises(BackendError):
        build(file(), CARD, "float32", SIZES, GPU)
    assert {"hello", "[1, 2]"} <= {record.getMessage().rpartition(": ")[2] for record in caplog.records}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux ends children with their parents")
def test_the_real_child_dies_with_its_parent(file: Callable[..., Path], tmp_path: Path) -> None:
    """The parent is killed while its child waits for an order; the order names a parent who is no longer there."""
    order = {"onnx": str(file()), "profiles": [], "sm": "SM86", "timing": "", "room": str(tmp_path), "parent": 1}
    command = [sys.executable, "-m", tensorrt_build.CHILD]
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert not (tmp_path / "plan").exists()


def test_two_builders_at_once_do_not_collide(file: Callable[..., Path], cache: Path) -> None:
    onnx_file = file()
    with ThreadPoolExecutor(2) as workers:
        jobs = [workers.submit(build, onnx_file, CARD, "float32", SIZES, GPU) for _ in range(2)]
        first, second = (job.result(60) for job in jobs)
    assert first.path == second.path
    assert opened(first.path) in (first, second)
    assert first.read() == second.read()
    assert [path.name for path in cache.iterdir()] == [first.path.name]


def test_what_a_killed_builder_left_is_swept_away(file: Callable[..., Path], cache: Path, monkeypatch: Any) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, fresh = cache / f"building-{ended.pid}-x", cache / f"building-{ended.pid}-y"
    mine = cache / f"building-{os.getpid()}-x"
    for room in (left, fresh, mine):
        room.mkdir(parents=True)
        (room / "plan").touch()
    for room in (left, mine):
        os.utime(room, (1, 1))
    monkeypatch.setattr(tensorrt_build, "_run", lambda order, *rest: Path(order["room"], "plan").write_bytes(b"plan"))
    build(file(), CARD, "float32", SIZES, GPU)
    assert not left.exists()
    assert mine.exists() and fresh.exists()


# -- what is kept ------------------------------------------------------------------------------------------------------


def about(
    card: Card = CARD, precision: str = "float32", profiles: Any = SIZES, found: Any = RTX, gpu: Gpu = GPU
) -> Any:
    return facts(card, precision, profiles, found, gpu)


@pytest.mark.parametrize(
    "changed",
    [
        lambda: about(replace(CARD, sha256="b" * 64)),
        lambda: about(replace(CARD, name="other")),
        lambda: about(replace(CARD, network={"type": "lightweight", "channels": 8})),
        lambda: about(replace(CARD, skeleton=COCO_17)),
        lambda: about(replace(CARD, stride=4)),
        lambda: about(replace(CARD, channels="RGB")),
        lambda: about(replace(CARD, mean=(1.0, 2.0, 3.0))),
        lambda: about(replace(CARD, scale=(1.0, 2.0, 3.0))),
        lambda: about(precision="float16"),
        lambda: about(profiles=SIZES[:1]),
        lambda: about(profiles=(Profile.exactly(64, 104), SIZES[1])),
        lambda: about(found=replace(RTX, version="1.7.2")),
        lambda: about(found=replace(RTX, package="tensorrt")),
        lambda: about(gpu=replace(GPU, name="NVIDIA RTX A5000")),
        lambda: about(gpu=replace(GPU, capability=(8, 9))),
    ],
)
def test_every_ingredient_makes_another_engine(changed: Callable[[], Any]) -> None:
    assert path_of(changed()) != path_of(about())


def test_the_number_of_a_gpu_makes_no_other_engine() -> None:
    assert path_of(about(gpu=replace(GPU, index=3))) == path_of(about())


def test_engines_come_back_with_the_one_used_last_in_front() -> None:
    paths = []
    for number, height in enumerate((64, 72, 80)):
        engine = write(b"plan", about(profiles=(Profile.exactly(height, 96),)), "0" * 64)
        os.utime(engine.path, (number, number))
        paths.append(engine.path)
    assert [engine.path for engine in fitting(CARD, "float32", RTX, GPU)] == paths[::-1]
    fitting(CARD, "float32", RTX, GPU)[-1].read()
    assert fitting(CARD, "float32", RTX, GPU)[0].path == paths[0]


@pytest.mark.parametrize(
    ("found", "gpu", "reason"),
    [
        (replace(RTX, version="1.6.0"), GPU, "for another version of TensorRT"),
        (replace(RTX, package="tensorrt"), GPU, "for another flavour"),
        (RTX, Gpu("NVIDIA T4", (7, 5)), "for another GPU"),
    ],
)
def test_an_engine_that_does_not_fit_is_passed_over_and_the_reason_told(found: Library, gpu: Gpu, reason: str) -> None:
    write(b"plan", about(found=found, gpu=gpu), "0" * 64)
    assert fitting(CARD, "float32", RTX, GPU) == []
    assert reason in why_none(CARD, "float32", RTX, GPU)
    assert why_none(CARD, "float16", RTX, GPU) == ""


def test_files_that_are_no_engines_are_passed_over(cache: Path) -> None:
    whole = write(b"plan", about(), "0" * 64).path.read_bytes()
    for number, content in enumerate((b"", whole[:10], whole[:50], b"\0" * 100, whole.replace(b'"plan"', b'"pan_"'))):
        (cache / f"{number}.engine").write_bytes(content)
        assert opened(cache / f"{number}.engine") is None
    (cache / "folder.engine").mkdir()
    assert len(fitting(CARD, "float32", RTX, GPU)) == 1


def test_the_cache_is_bounded_and_keeps_what_was_used_last(cache: Path) -> None:
    for number in range(KEPT + 3):
        path = write(b"plan", about(profiles=(Profile.exactly(8 * number + 8, 96),)), "0" * 64).path
        save_blob(kernels_of(path), b"kernels")
        os.utime(path, (number + 1e9, number + 1e9))
    write(b"plan", about(), "0" * 64)
    kept = sorted(path.name for path in cache.glob("*.engine"))
    assert len(kept) == KEPT
    assert path.name in kept
    assert len(list(cache.glob("*.kernels"))) == KEPT - 1


def test_kernels_of_an_engine_go_with_it() -> None:
    engine = write(b"plan", about(), "0" * 64)
    save_blob(kernels_of(engine.path), b"kernels")
    assert load_blob(kernels_of(engine.path)) == b"kernels"
    write(b"another plan", about(), "0" * 64)
    assert load_blob(kernels_of(engine.path)) == b""


def test_bytes_that_are_torn_are_not_used(tmp_path: Path) -> None:
    save_blob(tmp_path / "blob", b"x" * 100)
    for torn in (b"", b"x" * 40, (tmp_path / "blob").read_bytes()[:-1]):
        (tmp_path / "torn").write_bytes(torn)
        assert load_blob(tmp_path / "torn") == b""


def test_a_card_without_digest_counts_by_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    card = replace(CARD, sha256="", weights=weights)
    assert about(card)["weights"] == hashlib.sha256(b"1").hexdigest()


def test_names_of_cards_make_names_of_files() -> None:
    assert path_of(about(replace(CARD, name="../a b/c"))).parent == folder()


def test_engines_take_the_sizes_asked_for_and_any_other_up_to_a_bound() -> None:
    exact, other, loose = profiles_for([(368, 656), (256, 456)], 8, 2)
    assert (exact, other) == (Profile.exactly(368, 656, 2), Profile.exactly(256, 456, 2))
    assert loose.best == (1, 368, 656)
    for shape in ((1, 8, 8), (2, 656, 368), (2, 1312, 1312)):
        assert loose.covers(shape)
    assert not loose.covers((3, 368, 656))
    assert profiles_for([(736, 2000)], 8, 1)[-1].covers((1, 736, 2000))


def test_engines_in_a_folder_that_is_not_ours_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = write(b"plan", about(), "0" * 64)

    def refuse(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr("openpose_ros.backends.tensorrt_engine.os.utime", refuse)
    assert engine.read() == b"plan"


@pytest.mark.parametrize(
    "sizes",
    [((1, 64, 96), (2, 64, 96), (1, 64, 96)), ((0, 8, 8), (1, 8, 8), (1, 8, 8)), ((2, 8, 8), (1, 8, 8), (1, 8, 8))],
)
def test_profiles_that_contradict_themselves_are_refused(sizes: Any) -> None:
    with pytest.raises(ValueError, match="expected each one within the smallest and largest"):
        Profile(*sizes)


# -- which TensorRT ----------------------------------------------------------------------------------------------------


def test_the_full_tensorrt_is_preferred_to_the_one_for_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(library()) == f"TensorRT for RTX {trt.__version__}"
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.3.0"))
    assert str(library()) == "TensorRT 10.3.0"


def test_a_tensorrt_that_is_too_old_or_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="8.6.1"))
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(
        BackendError, match=r"TensorRT 8.6.1 is older than 10.3; tensorrt_rtx cannot be imported: .*pip"
    ):
        library()


@pytest.mark.parametrize("capability", [(8, 7), (9, 0), (10, 0)])
def test_gpus_that_it_builds_nothing_for_are_named(file: Callable[..., Path], capability: tuple[int, int]) -> None:
    gpu = Gpu("NVIDIA H200", capability)
    with pytest.raises(BackendError, match=r"no engines for NVIDIA H200 .*7.5, 8.0, 8.6, 8.9, 12.0, 12.1: install the"):
        build(file(), CARD, "float32", SIZES, gpu)
    check_gpu(Library(SimpleNamespace(), "tensorrt", "10.3.0"), gpu)  # the full one decides when it builds


def test_what_tensorrt_says_becomes_log_lines_and_errors() -> None:
    from collections import deque

    errors: deque[str] = deque(maxlen=2)
    said: list[tuple[str, str]] = []
    logger = tensorrt_library.forwarding_logger(trt, lambda level, text: said.append((level, text)), errors)
    for severity in ("INTERNAL_ERROR", "ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"):
        logger.log(getattr(trt.ILogger.Severity, severity), f"{severity}\n text")
    assert [level for level, _ in said] == ["ERROR", "ERROR", "ERROR", "WARNING", "DEBUG"]
    assert list(errors) == ["ERROR text", "ERROR text"]


def test_a_second_gpu_is_the_first_of_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert tensorrt_build._only(GPU) == {}
    assert tensorrt_build._only(replace(GPU, index=1)) == {"CUDA_VISIBLE_DEVICES": "1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7")
    assert tensorrt_build._only(replace(GPU, index=1)) == {"CUDA_VISIBLE_DEVICES": "GPU-7"}


def test_an_interrupt_does_not_reach_a_building_child(tmp_path: Path) -> None:
    """Ctrl-C goes to every process of the terminal; the parent decides what becomes of a build."""
    code = f"import {tensorrt_build.CHILD} as child, signal, sys\nsys.stdin = open('/dev/null')\n"
    code += "try: child.main()\nexcept ValueError: print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True"
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN


@pytest.mark.long
@pytest.mark.parametrize("sm", ["SM75", "SM86", "SM120"])
def test_a_network_as_it_is_exported_becomes_an_engine(random_card: Card, tmp_path: Path, sm: str) -> None:
    pytest.importorskip("onnxscript", reason="PyTorch's exporter needs onnxscript")
    from openpose_ros.export.graph import float_graph

    path = tmp_path / "random.onnx"
    path.write_bytes(float_graph(random_card).SerializeToString())
    assert compiled(path, tmp_path / "room", sm, profiles=profiles_for([(64, 96)], 8, 2))
