"""ONNX file -> TensorRT engine: the child process of tensorrt_build.py, ``python -m
openpose_ros.backends.tensorrt_compile``. It reads its order as JSON and says how it goes, line by line, in JSON."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openpose_ros.backends import BackendError
from openpose_ros.backends.tensorrt_engine import load_blob
from openpose_ros.backends.tensorrt_library import WORDS, Library, forwarding_logger, library

TELL_EVERY = 5.0
"""Seconds between two words on the progress."""

SLACK = 500
"""Added to the child's share of blame when memory runs out (proc(5), oom_score_adj): it is the one to be killed."""

PR_SET_PDEATHSIG = 1


def main() -> int:
    """The child: read the order, build, say how it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    order = json.loads(sys.stdin.read())
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        try:
            Path("/proc/self/oom_score_adj").write_text(str(SLACK))
        except OSError as error:
            _say("DEBUG", f"oom_score_adj stays as it is: {error}")
    if os.getppid() != order["parent"]:
        return 1  # the parent died before it could be watched
    try:
        compile_engine(library(), order)
    except BackendError as error:
        _say("failed", str(error))
        return 1
    except MemoryError:
        _say("failed", "memory ran out: close other programs, or allow fewer sizes")
        return 1
    return 0


def compile_engine(found: Library, order: Mapping[str, Any]) -> None:
    """ONNX file -> ``plan``, and ``timing`` where kernels are timed.

    Args:
        found: the TensorRT that builds.
        order: ``onnx``, the file; ``profiles``, [smallest, best, largest] each; ``sm``, such as SM86, what TensorRT for
            RTX shall build for; ``timing``, the file with what earlier builds timed; ``room``, the folder to write to.

    Raises:
        BackendError: the file is no ONNX, holds what TensorRT does not know, or does not fit the profiles.
    """
    trt, room = found.module, Path(order["room"])
    errors: deque[str] = deque(maxlen=WORDS)
    logger = forwarding_logger(trt, _say, errors)
    builder = trt.Builder(logger)
    typed = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(order["onnx"]):
        refusals = [_parser_error(parser.get_error(i)) for i in range(parser.num_errors)]
        raise BackendError("; ".join(refusals or errors) or "its parser gave no reason")
    config = builder.create_builder_config()
    config.progress_monitor = progress_monitor(trt, lambda text: _say("INFO", text))
    _add_profiles(trt, builder, config, network, order["profiles"])
    for_rtx = hasattr(trt, "ComputeCapability")
    if for_rtx:  # builds for GPUs by name, and times no kernels
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, order["sm"]), 0)
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)  # CUDA graphs need it
    else:
        cache = config.create_timing_cache(load_blob(Path(order["timing"])))
        config.set_timing_cache(cache, False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError("; ".join(errors) or "it gave no reason")
    (room / "plan").write_bytes(plan)
    if not for_rtx and (cache := config.get_timing_cache()) is not None:
        (room / "timing").write_bytes(cache.serialize())


def _add_profiles(trt: Any, builder: Any, config: Any, network: Any, profiles: Sequence[Any]) -> None:
    """Check what the file promises, and say which sizes will come."""
    if network.num_inputs != 1 or network.num_outputs != 2:
        found = f"{network.num_inputs} inputs and {network.num_outputs} outputs"
        raise BackendError(f"the file has {found}; expected an image, and heatmaps and PAFs")
    image = network.get_input(0)
    for tensor in (image, *(network.get_output(i) for i in range(2))):
        if tensor.dtype != trt.float32 or len(tensor.shape) != 4:
            raise BackendError(
                f"{tensor.name} is {tensor.dtype.name} of shape {tuple(tensor.shape)}; expected float32 and four axes"
            )
    form = tuple(image.shape)
    if form[1] not in (3, -1):
        raise BackendError(f"the input {image.name} has {form[1]} channels, expected 3")
    if -1 in form and not profiles:
        raise BackendError(f"the input {image.name} takes any size {form}, so the engine's sizes must be given")
    for low, best, high in profiles:
        shapes = [(batch, 3, height, width) for batch, height, width in (low, best, high)]
        for shape in shapes:
            if any(fixed not in (-1, here) for fixed, here in zip(form, shape, strict=True)):
                raise BackendError(f"the input {image.name} is {form}, which excludes the engine's size {shape}")
        if -1 in form:
            profile = builder.create_optimization_profile()
            profile.set_shape(image.name, *shapes)
            config.add_optimization_profile(profile)


def progress_monitor(trt: Any, tell: Callable[[str], None]) -> Any:
    """A monitor for TensorRT that says every few seconds which step of which phase is done."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._told = time.monotonic()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            if parent_phase is None:
                tell(f"{phase_name}: {num_steps} steps")

        def step_complete(self, phase_name: str, step: int) -> bool:
            if time.monotonic() - self._told >= TELL_EVERY:
                self._told = time.monotonic()
                tell(f"{phase_name}: step {step + 1} of {self._steps.get(phase_name, 0)}")
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()


def _parser_error(error: Any) -> str:
    """What the parser says of a node, in one line."""
    node = " ".join(filter(None, (error.node_operator(), error.node_name())))
    place = f" (node {node})" if node else ""
    return f"{error.code().name}: {' '.join(error.desc().split())}{place}"


def _say(level: str, text: str) -> None:
    print(json.dumps({"level": level, "text": text}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
