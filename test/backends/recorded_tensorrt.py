"""A TensorRT that computes on the CPU what an engine would on a GPU, and takes only calls that the real one takes.

Every call is compared with the signatures that the real bindings state in their docstrings. The enumerations are the
real ones. Its engines answer with the mean of each cell, times the number of the channel.
"""

from __future__ import annotations

import ast
import ctypes
import re
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorrt_rtx as real

STRIDE = 8
RTX_ONLY = ("IRuntimeCache", "DynamicShapesKernelSpecializationStrategy", "CudaGraphStrategy", "ComputeCapability")


def accepts(owner: str, method: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a method of the real bindings takes these arguments, in this order."""
    text = getattr(getattr(real, owner), method).__doc__ or ""
    for stated in re.findall(rf"{method}\(self: [\w.]+(?:, )?(.*?)\) -> ", text):
        wanted = [part for part in re.split(r", (?=\w+: )", stated) if part]
        least = sum(" = " not in part for part in wanted)
        if least <= len(arguments) <= len(wanted) and all(map(_fits, wanted, arguments)):
            return True
    return False


def _fits(stated: str, value: Any) -> bool:
    kind = re.split(r"[.:]", stated.partition(": ")[2].partition(" = ")[0])[-1]
    known = {"str": str, "int": int, "SupportsInt": int, "tuple": tuple, "list": list, "Buffer": bytes, "bool": bool}
    if kind in known:
        return type(value) is known[kind]
    return any(base.__name__ == kind for base in type(value).__mro__)


def recorded(cls: type) -> type:
    """Methods check their arguments against the real class and note the call; so do attributes that are set."""
    for name, function in list(vars(cls).items()):
        if callable(function) and not name.startswith("_"):
            setattr(cls, name, _checked(cls.__name__, name, function))

    def set_attribute(self: Any, name: str, value: Any) -> None:
        assert name.startswith("_") or hasattr(getattr(real, cls.__name__), name), f"no {cls.__name__}.{name}"
        object.__setattr__(self, name, value)

    cls.__setattr__ = set_attribute  # type: ignore[method-assign, assignment]
    return cls


def _checked(owner: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(self: Any, *arguments: Any) -> Any:
        assert accepts(owner, name, arguments), f"{owner}.{name}{arguments} is no call of the real bindings"
        self._trt.calls.append((owner, name, arguments))
        return function(self, *arguments)

    return call


@recorded
class IRuntimeCache:
    def __init__(self, trt: Any) -> None:
        self._trt = trt
        self._kernels = b""

    def serialize(self) -> bytes:
        return self._kernels + b"+"

    def deserialize(self, blob: bytes) -> bool:
        self._kernels = blob
        return b"bad" not in blob

    def reset(self) -> bool:
        self._kernels = b""
        return True


@recorded
class IRuntimeConfig:
    def __init__(self, trt: Any) -> None:
        self._trt = trt
        self._strategy: Any = None
        self._cache: Any = None

    def set_execution_context_allocation_strategy(self, strategy: Any) -> None:
        self._strategy = strategy

    def create_runtime_cache(self) -> Any:
        return IRuntimeCache(self._trt)

    def set_runtime_cache(self, cache: Any) -> bool:
        self._cache = cache
        return True


@recorded
class IExecutionContext:
    def __init__(self, trt: Any, engine: Any) -> None:
        self._trt, self._engine = trt, engine
        self._profile, self._shape = 0, (0, 3, 0, 0)
        self._places: dict[str, int] = {}
        self._inner = 0
        trt.contexts.append(self)

    def set_optimization_profile_async(self, profile_index: int, stream: int) -> bool:
        self._profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, high = (self._engine._profiles[self._profile][at] for at in (0, 2))
        batch, _, height, width = self._shape = shape
        inside = zip(low, (batch, height, width), high, strict=True)
        return name == "image" and all(least <= here <= most for least, here, most in inside)

    def update_device_memory_size_for_shapes(self) -> int:
        return int(np.prod(self._shape))

    def set_device_memory(self, memory: int, size: int) -> None:
        self._inner = size

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        batch, _, height, width = self._shape
        return batch, self._engine._channels[name], height // STRIDE, width // STRIDE

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._places[name] = memory
        return True

    def execute_async_v3(self, stream: int) -> bool:
        if self._trt.refusal is not None:
            self._trt.logger.log(real.ILogger.Severity.ERROR, self._trt.refusal)
            return False
        assert self._inner >= self.update_device_memory_size_for_shapes()
        image = _array(self._places["image"], self._shape)
        for name in self._engine._channels:
            size = self.get_tensor_shape(name)
            _array(self._places[name], size)[...] = answer(image, size[1])
        return True


class ContextForRtx(IExecutionContext):
    def is_stream_capturable(self, stream: int) -> bool:
        assert accepts("IExecutionContext", "is_stream_capturable", (stream,))
        return bool(self._trt.capturable)


@recorded
class ICudaEngine:
    def __init__(self, trt: Any, profiles: Any, channels: dict[str, int]) -> None:
        self._trt, self._profiles, self._channels = trt, profiles, channels

    @property
    def num_io_tensors(self) -> int:
        return 1 + len(self._channels)

    def get_tensor_name(self, index: int) -> str:
        return ["image", *self._channels][index]

    def get_tensor_mode(self, name: str) -> Any:
        return real.TensorIOMode.INPUT if name == "image" else real.TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return self._trt.types.get(name, real.float32)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return -1, self._channels.get(name, 3), -1, -1

    def create_runtime_config(self) -> Any:
        return IRuntimeConfig(self._trt)

    def create_execution_context(self, how: Any) -> Any:
        kind = ContextForRtx if hasattr(self._trt, "IRuntimeCache") else IExecutionContext
        return kind(self._trt, self)


@recorded
class Runtime:
    def __init__(self, trt: Any, logger: Any) -> None:
        self._trt = trt
        trt.logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        if plan == b"refused":
            self._trt.logger.log(real.ILogger.Severity.ERROR, "made  by another\nversion")
            return None
        profiles, channels = ast.literal_eval(plan.decode())
        return ICudaEngine(self._trt, profiles, channels)


def plan_of(profiles: Any, channels: dict[str, int]) -> bytes:
    """What the recorded Runtime reads: shapes of each profile, and channels of each output in the file's order."""
    return repr(([(p.smallest, p.best, p.largest) for p in profiles], channels)).encode()


def recorded_tensorrt(for_rtx: bool) -> Any:
    """A module in the place of ``tensorrt`` or ``tensorrt_rtx``; ``calls`` and ``contexts`` are what came in."""
    hidden = () if for_rtx else RTX_ONLY
    names = {name: getattr(real, name) for name in dir(real) if name not in hidden and not name.startswith("_")}
    trt = SimpleNamespace(**names)
    trt.__version__ = "1.7.1" if for_rtx else "10.16.1"
    trt.calls, trt.contexts, trt.types = [], [], {}
    trt.refusal, trt.capturable, trt.logger = None, True, None
    trt.Runtime = lambda logger: Runtime(trt, logger)
    return trt


def answer(image: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.float32]:
    """What an engine says: (B, 3, H, W) -> (B, channels, H / 8, W / 8)."""
    batch, _, height, width = image.shape
    cells = image.reshape(batch, 3, height // STRIDE, STRIDE, width // STRIDE, STRIDE).mean((3, 5))
    return np.stack([cells[:, number % 3] * (number + 1) for number in range(channels)], 1)


def _array(place: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    size = int(np.prod(shape))
    return np.ctypeslib.as_array((ctypes.c_float * size).from_address(place)).reshape(shape)
