"""What a process of its own says about one library: the other side of ``ask.py``, which never imports this."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

Facts = dict[str, Any]


class Entry(NamedTuple):
    """A question: who answers it, and the modules one of which must be there, or there is nothing to ask."""

    answer: Callable[..., Facts]
    needs: tuple[str, ...] = ()


def processor() -> Facts:
    """Cores that this process may use, and whether they are fast in bfloat16."""
    from openpose_ros.machine import fast_bfloat16

    return {"cores": len(os.sched_getaffinity(0)), "bfloat16": fast_bfloat16()}


def numpy() -> Facts:
    """Version and place."""
    module = import_module("numpy")
    return {"version": module.__version__, "file": module.__file__}


def opencv() -> Facts:
    """Version and place of an OpenCV that handles arrays of this NumPy."""
    cv2, np = import_module("cv2"), import_module("numpy")
    small = cv2.resize(np.full((4, 4, 3), 7, np.uint8), (2, 2))
    if small.tolist() != [[[7] * 3] * 2] * 2:
        raise RuntimeError("it resizes a grey picture to one that is not grey")
    return {"version": cv2.__version__, "file": cv2.__file__}


def openvino() -> Facts:
    """Version."""
    version: str = import_module("openpose_ros.backends.openvino").ov.__version__
    return {"version": version.split("-")[0]}


def numba() -> Facts:
    """Version of a Numba that accepts this NumPy."""
    return {"version": import_module("numba").__version__}


def onnx() -> Facts:
    """Versions of what ``export`` needs beside it; None where one is missing."""
    runtime = import_module("onnxruntime").__version__ if find_spec("onnxruntime") else None
    return {"version": import_module("onnx").__version__, "onnxruntime": runtime, "onnxscript": _has("onnxscript")}


def driver() -> Facts:
    """The newest CUDA that the installed driver supports, as (major, minor)."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return {"cuda": None}
    number = ctypes.c_int(0)
    library.cuDriverGetVersion(ctypes.byref(number))
    return {"cuda": [number.value // 1000, number.value % 1000 // 10]}


def torch() -> Facts:
    """Version, CUDA that it was built for, and its GPUs; a GPU counts only when something ran on it."""
    module = import_module("torch")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = module.cuda.is_available()
    facts = {
        "version": module.__version__,
        "cuda": module.version.cuda,
        "numpy": module.from_numpy(import_module("numpy").ones(1)).sum().item() == 1.0,
        "why": " ".join(str(said[-1].message).split()) if said else "",
        "gpus": [],
    }
    for number in range(module.cuda.device_count() if available else 0):
        about = module.cuda.get_device_properties(number)
        gpu = {"name": about.name, "capability": [about.major, about.minor], "memory": about.total_memory, "error": ""}
        try:
            module.ones(2, device=f"cuda:{number}").sum().item()
        except Exception as error:  # whatever CUDA says
            gpu["error"] = _words(error)
        facts["gpus"].append(gpu)
    return facts


def cupy() -> Facts:
    """Version, and whether the decoder's kernels can be compiled for the first GPU."""
    module = import_module("cupy")
    facts: Facts = {"version": module.__version__, "gpu": bool(module.cuda.is_available()), "error": ""}
    if facts["gpu"]:
        kernels, device = import_module("openpose_ros.decode.kernels"), import_module("openpose_ros.device")
        try:
            kernels.Kernels(device.Cuda(0))
        except device.GpuError as error:
            facts["error"] = str(error)
    return facts


def tensorrt() -> Facts:
    """Flavour and version of the TensorRT that the backend would take, and the GPUs that it knows (empty: all)."""
    library = import_module("openpose_ros.backends.tensorrt_library")
    found = library.library()
    known = getattr(found.module, "ComputeCapability", None)
    return {
        "package": found.package,
        "name": str(found),
        "version": found.version,
        "capabilities": sorted(known.__members__) if known else [],
    }


def messages() -> Facts:
    """Whether ROS's messages, which are compiled against a NumPy, work with this one."""
    return {"works": import_module("openpose_ros.ros.sound").messages()}


def own_messages() -> Facts:
    """Whether this package's messages are built and go through the middleware's serialisation."""
    return {"works": import_module("openpose_ros.ros.sound").own_messages()}


def middleware() -> Facts:
    """Name of the middleware that rclpy loads here."""
    return {"name": import_module("openpose_ros.ros.sound").middleware()}


def cv_bridge() -> Facts:
    """Whether cv_bridge converts two small images rightly."""
    bridge = import_module("openpose_ros.ros.bridge")
    exec(bridge.PROBE, {})
    return {"works": True}


def model(named: str) -> Facts:
    """A card, whose weights were compared with its digest."""
    card = _card(named)
    weights = card.verified_weights()
    about = {"name": card.name, "card": str(card.path), "digest": card.sha256, "licence": card.licence}
    return {**about, "bytes": weights.stat().st_size}


def engines() -> Facts:
    """The TensorRT engines that were built for this user."""
    engine = import_module("openpose_ros.backends.tensorrt_engine")
    told = ("card", "precision", "package", "version", "gpu", "capability")
    rows = []
    for path in sorted(engine.folder().glob("*.engine")):
        file = engine.opened(path)
        whole = file is not None and path.stat().st_size > file.header["size"]
        rows.append({"file": path.name, **({name: file.header.get(name) for name in told} if whole else {})})
    return {"folder": str(engine.folder()), "engines": rows}


def network(named: str) -> Facts:
    """What ``auto`` takes, after it has looked at an image."""
    backends = import_module("openpose_ros.backends")
    said: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(backends.__name__)
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    estimator = import_module("openpose_ros.estimator").Estimator.load(named)
    chosen = estimator.backend
    facts = {"backend": chosen.name, "device": chosen.device, "precision": chosen.precision, "said": said[-1]}
    estimator.close()
    return facts


QUESTIONS: dict[str, Entry] = {
    "processor": Entry(processor),
    "numpy": Entry(numpy, ("numpy",)),
    "opencv": Entry(opencv, ("cv2",)),
    "openvino": Entry(openvino, ("openvino",)),
    "numba": Entry(numba, ("numba",)),
    "onnx": Entry(onnx, ("onnx",)),
    "driver": Entry(driver),
    "torch": Entry(torch, ("torch",)),
    "cupy": Entry(cupy, ("cupy",)),
    "tensorrt": Entry(tensorrt, ("tensorrt", "tensorrt_rtx")),
    "messages": Entry(messages, ("rclpy",)),
    "own_messages": Entry(own_messages, ("rclpy",)),
    "middleware": Entry(middleware, ("rclpy",)),
    "cv_bridge": Entry(cv_bridge, ("cv_bridge",)),
    "model": Entry(model),
    "engines": Entry(engines),
    "network": Entry(network),
}


def main(questions: Sequence[Sequence[str]]) -> None:
    """Write a line of JSON for every question to standard output, where nobody else can write meanwhile."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries greet, warn and advertise
    for name, *arguments in questions:
        print(json.dumps({"question": name, **answer(name, arguments)}), file=told, flush=True)


def answer(name: str, arguments: Sequence[str]) -> Facts:
    """``facts``, or ``missing``, or ``error``: whatever a library raises is its answer."""
    entry = QUESTIONS[name]
    try:
        if entry.needs and not any(map(_has, entry.needs)):
            return {"missing": True}
        return {"facts": entry.answer(*arguments)}
    except (Exception, SystemExit) as error:
        return {"error": _words(error)}


def _card(named: str) -> Any:
    """As Estimator.load finds it."""
    card, catalogue = import_module("openpose_ros.card"), import_module("openpose_ros.weights.catalogue")
    default = import_module("openpose_ros.weights.default")
    return card.Card.load(catalogue.find_card(named) if named else default.default_model())


def _has(module: str) -> bool:
    return module in sys.modules or find_spec(module) is not None


def _words(error: BaseException) -> str:
    """The first line of an error, which is the one that says what happened, and its kind where that says more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = type(error).__name__
    if isinstance(error, ValueError) and lines:  # ours are sentences
        return " ".join(lines)
    return f"{kind}: {lines[0]}" if lines else kind
