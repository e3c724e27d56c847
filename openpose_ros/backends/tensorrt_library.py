"""The TensorRT that is installed here, of whichever flavour, the GPUs that it knows, and what it says."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from openpose_ros.backends import BackendError

FLAVOURS = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT for RTX"}
"""Python packages and what they hold, in the order of preference."""

OLDEST = {"tensorrt": (10, 3), "tensorrt_rtx": (1, 2)}
"""Older versions lack what is used here, such as memory that the application manages."""

WORDS = 8
"""TensorRT's last errors, which are told."""


@dataclass(frozen=True)
class Library:
    """A TensorRT of any flavour: its Python module, the package's name and the version."""

    module: Any
    package: str
    version: str

    def __str__(self) -> str:
        return f"{FLAVOURS[self.package]} {self.version}"


@dataclass(frozen=True)
class Gpu:
    """The GPU that an engine is for: its name, its compute capability, and its number here."""

    name: str
    capability: tuple[int, int]
    index: int = 0

    @property
    def sm(self) -> str:
        """As in ``sm_86``, without the underscore: ``SM86``."""
        return "SM{}{}".format(*self.capability)

    def __str__(self) -> str:
        return "{} (compute capability {}.{})".format(self.name, *self.capability)


def library() -> Library:
    """The TensorRT that is installed here, the full one before the one for RTX.

    Raises:
        BackendError: there is none, or it is too old.
    """
    reasons = []
    for package, oldest in OLDEST.items():
        try:
            module = import_module(package)
            version = str(module.__version__)
            if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
                reasons.append(f"{FLAVOURS[package]} {version} is older than {'.'.join(map(str, oldest))}")
            else:
                return Library(module, package, version)
        except (ImportError, OSError, AttributeError) as error:
            reasons.append(f"{package} cannot be imported: {error}")
    raise BackendError(
        f"the tensorrt backend needs TensorRT ({'; '.join(reasons)}): pip install tensorrt, or tensorrt_rtx for "
        "GeForce and RTX cards; a Jetson has its own"
    )


def check_gpu(found: Library, gpu: Gpu) -> None:
    """Raise a BackendError when this TensorRT cannot build for that GPU."""
    known = getattr(found.module, "ComputeCapability", None)  # only TensorRT for RTX builds for named ones
    if known is None or gpu.sm in known.__members__:
        return
    named = [name[2:] for name in known.__members__ if re.fullmatch(r"SM\d+", name)]
    texts = [f"{name[:-1]}.{name[-1]}" for name in named]
    raise BackendError(
        f"{found} has no engines for {gpu}, only for compute capabilities {', '.join(texts)}: install the full "
        "TensorRT (pip install tensorrt; a Jetson has it), or take the torch backend"
    )


def forwarding_logger(trt: Any, say: Callable[[str, str], None], errors: deque[str]) -> Any:
    """A logger for TensorRT that passes on what matters, and collects errors."""
    levels = {"INTERNAL_ERROR": "ERROR", "ERROR": "ERROR", "WARNING": "WARNING", "INFO": "DEBUG"}

    class Forward(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity.name)
            if level is None:
                return
            if level == "ERROR":
                errors.append(" ".join(message.split()))
            say(level, message)

    return Forward()
