"""ONNX file -> TensorRT engine, in a process of its own that can be ended at any time.

A build takes seconds to many minutes and cannot be interrupted from within, and may need more memory than there is:
then only that process dies. What it says comes back line by line, as JSON, on its standard output. Its only file lies
in a folder that the parent made and removes. tensorrt_compile.py is the child.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openpose_ros.backends import BackendError
from openpose_ros.backends.tensorrt_engine import (
    EngineFile,
    Profile,
    facts,
    file_name,
    folder,
    opened,
    path_of,
    save_blob,
    write,
)
from openpose_ros.backends.tensorrt_library import Gpu, Library, check_gpu, library
from openpose_ros.backends.tensorrt_progress import BUILDING, alive, owner, say
from openpose_ros.card import Card, file_digest

_log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a child has to end when it is asked to."""

CHILD = "openpose_ros.backends.tensorrt_compile"

ABANDONED = 3600.0
"""Seconds after which a folder belongs to nobody if its process is gone; another container's cannot be seen."""


def build(
    onnx: Path,
    card: Card,
    precision: str,
    profiles: Sequence[Profile],
    gpu: Gpu,
    stop: threading.Event | None = None,
) -> EngineFile:
    """The engine of an ONNX file for a GPU: the one that is kept, if it is whole and of this very file, else a new one.

    Args:
        onnx: typed: it holds the precision itself. One float32 input (B, 3, H, W), float32 heatmaps and PAFs out.
        card: whose network it is.
        precision: how the file was made, one of :data:`~openpose_ros.backends.tensorrt_engine.PRECISIONS`.
        profiles: shapes that the engine shall take.
        gpu: what it is for. TensorRT for RTX builds for GPUs that are not here, the full one does not.
        stop: ends the build from another thread; so does an exception in this one, such as KeyboardInterrupt.

    Raises:
        BackendError: there is no TensorRT, it does not support the GPU or the file, it ran out of memory, or the build
            was ended.
        OSError: the file cannot be read, or the engine cannot be written.
    """
    found = library()
    check_gpu(found, gpu)
    about = facts(card, precision, profiles, found, gpu)
    digest = file_digest(onnx)
    kept = opened(path_of(about))
    if kept is not None and kept.header.get("onnx") == digest:
        try:
            kept.read()
            return kept
        except BackendError as error:
            _log.warning("%s; it is built again", error)
    folder().mkdir(parents=True, exist_ok=True)
    _sweep(folder())
    _log.info("%s builds an engine of %s in %s for %s", found, card.name, precision, gpu)
    began = time.monotonic()
    timing = folder() / f"{file_name(f'timing-{gpu.name}-{found.version}')}.cache"
    with _room() as room:
        order = {
            "onnx": str(onnx.resolve()),
            "profiles": about["profiles"],
            "sm": gpu.sm,
            "timing": str(timing),
            "room": str(room),
            "parent": os.getpid(),
        }
        say(room, card.name, f"for {gpu}, in {precision}")
        _run(order, found, gpu, stop or threading.Event(), lambda text: say(room, card.name, text))
        plan = (room / "plan").read_bytes()
        if (room / "timing").is_file():
            save_blob(timing, (room / "timing").read_bytes())
    engine = write(plan, about, digest)
    _log.info("%s: %.1f MB in %.1f s", engine.path, len(plan) / 1e6, time.monotonic() - began)
    return engine


def _run(order: dict[str, Any], found: Library, gpu: Gpu, stop: threading.Event, tell: Callable[[str], None]) -> None:
    """The child, from start to end; its last words are an error where there is one. ``tell`` hears how far it is."""
    child = subprocess.Popen(
        [sys.executable, "-m", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_only(gpu)},
    )
    assert child.stdin is not None and child.stdout is not None
    trouble = ""
    try:
        with suppress(BrokenPipeError), child.stdin:  # it may have died; its end is looked at below
            child.stdin.write(json.dumps(order).encode())
        for line in _lines(child.stdout.fileno(), stop):
            level, text = _understood(line)
            if level == "failed":
                trouble = text
            else:
                _log.log(logging.getLevelName(level), "%s: %s", found, text)
                if level == "INFO":
                    tell(text)
        while child.poll() is None and not stop.wait(0.02):
            pass
    finally:
        _end(child)
        child.stdout.close()
    if stop.is_set():
        raise BackendError("the build of the engine was ended; nothing was kept of it")
    if trouble or child.returncode:
        raise BackendError(f"{found} cannot build an engine of {order['onnx']}: {trouble or _death(child.returncode)}")


def _only(gpu: Gpu) -> dict[str, str]:
    """What makes a GPU the first one of a process, which is the one that the full TensorRT builds for."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    if not visible:
        return {"CUDA_VISIBLE_DEVICES": str(gpu.index)} if gpu.index else {}
    return {"CUDA_VISIBLE_DEVICES": visible[min(gpu.index, len(visible) - 1)]}


def _lines(stream: int, stop: threading.Event) -> Iterator[str]:
    """Lines of a pipe until it is closed or somebody wants to stop."""
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while not stop.is_set():
            if not waiting.select(0.1):
                continue
            block = os.read(stream, 1 << 16)
            if not block:
                break
            *whole, rest = (rest + block).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace")


def _understood(line: str) -> tuple[str, str]:
    """Level and text of what a child said; libraries may print what they like."""
    try:
        word = json.loads(line)
        return str(word["level"]), str(word["text"])
    except (ValueError, KeyError, TypeError):
        return "WARNING", line


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _death(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed, most likely because memory ran out: close other programs, or allow fewer sizes"
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"its process ended with {how} and said no more"


@contextmanager
def _room() -> Iterator[Path]:
    """A folder for one build, beside the engines; its name says whose it is."""
    room = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{os.getpid()}-", dir=folder()))
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _sweep(where: Path) -> None:
    """Remove what builders left that were killed themselves."""
    for room in where.glob(f"{BUILDING}*-*"):
        abandoned = time.time() - room.stat().st_mtime > ABANDONED
        if owner(room) and abandoned and not alive(owner(room)):
            shutil.rmtree(room, ignore_errors=True)
