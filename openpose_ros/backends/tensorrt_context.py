"""A TensorRT engine on the GPU and the contexts that run it, for every flavour: names, addresses, shapes, streams."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import Tensor, cuda

from openpose_ros.backends import BackendError
from openpose_ros.backends.cuda import Answer, Shape
from openpose_ros.backends.tensorrt_engine import EngineFile, kernels_of, load_blob, save_blob
from openpose_ros.backends.tensorrt_library import Library
from openpose_ros.backends.torch import FromBytes
from openpose_ros.card import Card


class Engine:
    """An engine in the GPU's memory.

    Attributes:
        file: where it came from.
        image, outputs: names of its input and of its two outputs, heatmaps first.
    """

    def __init__(self, file: EngineFile, found: Library, runtime: Any, errors: deque[str], card: Card) -> None:
        """Read it.

        Raises:
            BackendError: the file is torn, TensorRT refuses it, or it is not a pose network of the card's skeleton.
        """
        self.file = file
        self._trt = found.module
        errors.clear()
        self.engine = runtime.deserialize_cuda_engine(file.read())
        if self.engine is None:
            raise BackendError(f"{found} refuses the engine {file.path}: {'; '.join(errors) or 'it gives no reason'}")
        self.image, self.outputs = self._tensors(card)
        self._kernels: Any = None
        self._configs: dict[bool, Any] = {}

    def profile(self, shape: Shape) -> int | None:
        """Number of the first profile that takes a shape."""
        return next((number for number, one in enumerate(self.file.profiles) if one.covers(shape)), None)

    def context(self, changing: bool) -> Any:
        """A new execution context, whose inner memory is given to it.

        Args:
            changing: shapes will come and go, so that kernels for each very shape are compiled aside, not waited for.
        """
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = (
            self.engine.create_execution_context(self._config(changing, strategy))
            if hasattr(self._trt, "IRuntimeCache")
            else self.engine.create_execution_context(strategy)
        )
        if context is None:
            raise BackendError(f"TensorRT makes no execution context for {self.file.path}: is GPU memory used up?")
        return context

    def save_kernels(self) -> None:
        """Keep what TensorRT for RTX has compiled, so that the next start need not."""
        if self._kernels is not None:
            save_blob(kernels_of(self.file.path), bytes(self._kernels.serialize()))

    def _config(self, changing: bool, strategy: Any) -> Any:
        """How TensorRT for RTX shall run an engine."""
        if changing in self._configs:
            return self._configs[changing]
        kinds = self._trt.DynamicShapesKernelSpecializationStrategy
        config = self.engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.dynamic_shapes_kernel_specialization_strategy = kinds.LAZY if changing else kinds.EAGER
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.DISABLED  # ours hold more than the network
        if self._kernels is None:
            self._kernels = config.create_runtime_cache()
            kept = load_blob(kernels_of(self.file.path))
            if kept and not self._kernels.deserialize(kept):
                self._kernels.reset()
        config.set_runtime_cache(self._kernels)
        self._configs[changing] = config
        return config

    def _tensors(self, card: Card) -> tuple[str, tuple[str, str]]:
        """Names of the input, the heatmaps and the PAFs."""
        engine, mode = self.engine, self._trt.TensorIOMode
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == mode.INPUT]
        outputs = [name for name in names if engine.get_tensor_mode(name) == mode.OUTPUT]
        typed = all(engine.get_tensor_dtype(name) == self._trt.float32 for name in names)
        channels = {name: int(engine.get_tensor_shape(name)[1]) for name in outputs}
        wanted = (len(card.skeleton.joints) + 1, 2 * len(card.skeleton.limbs))
        for first, second in (outputs, outputs[::-1]) if len(outputs) == 2 else ():
            if (channels[first], channels[second]) == wanted and len(inputs) == 1 and typed:
                return inputs[0], (first, second)
        raise BackendError(
            f"the engine {self.file.path} has inputs {inputs} and outputs with channels {channels}"
            f"{'' if typed else ', not all of them float32'}; "
            f"expected an image, {wanted[0]} heatmaps and {wanted[1]} PAFs"
        )


class Bound:
    """An execution context and the shape that it is set to. Queues on the current stream."""

    def __init__(self, engine: Engine, from_bytes: FromBytes, errors: deque[str], changing: bool) -> None:
        self._engine = engine
        self._from_bytes = from_bytes
        self._errors = errors
        self._context = engine.context(changing)
        self._profile = 0
        self._shape: Shape | None = None
        self._sizes: list[tuple[int, ...]] = []
        self._inner: Tensor | None = None

    def __call__(self, images: Tensor) -> Answer:
        """Queue (B, H, W, 3) uint8; the answer is in new memory."""
        self._errors.clear()
        if shape_of(images) != self._shape:
            self.bind(shape_of(images))
        image = self._from_bytes(images).contiguous()
        heatmaps, pafs = (torch.empty(size, dtype=torch.float32, device=images.device) for size in self._sizes)
        places = zip((self._engine.image, *self._engine.outputs), (image, heatmaps, pafs), strict=True)
        for name, tensor in places:
            self._must(self._context.set_tensor_address(name, tensor.data_ptr()), f"an address for {name}")
        self._must(self._context.execute_async_v3(_stream(images.device)), "to run the network")
        return heatmaps, pafs

    def bind(self, shape: Shape) -> None:
        """Set everything that depends on the shape."""
        self._shape = None  # should anything fail below
        context, device = self._context, self._from_bytes.mean.device
        batch, height, width = shape
        profile = self._engine.profile(shape)
        if profile is None:
            raise BackendError(f"the engine {self._engine.file.path} does not take {shape}")
        if profile != self._profile:
            self._must(context.set_optimization_profile_async(profile, _stream(device)), f"profile {profile}")
            self._profile = profile
        self._must(context.set_input_shape(self._engine.image, (batch, 3, height, width)), f"the input shape {shape}")
        needed = int(context.update_device_memory_size_for_shapes())
        if self._inner is None or self._inner.numel() < needed:
            self._inner = None  # two of them need not fit at once
            self._inner = torch.empty(max(needed, 1), dtype=torch.uint8, device=device)
        context.set_device_memory(self._inner.data_ptr(), self._inner.numel())
        self._sizes = [tuple(context.get_tensor_shape(name)) for name in self._engine.outputs]
        self._shape = shape

    def recordable(self) -> bool:
        """Whether CUDA graphs can record it on the current stream; only TensorRT for RTX can say no."""
        if not hasattr(self._context, "is_stream_capturable"):
            return True
        return bool(self._context.is_stream_capturable(_stream(self._from_bytes.mean.device)))

    def _must(self, done: bool, what: str) -> None:
        if not done:
            reason = self._errors[-1] if self._errors else "it gives no reason"
            raise RuntimeError(f"TensorRT refused {what}: {reason}")


def shape_of(images: Tensor) -> Shape:
    """B, H, W of (B, H, W, 3)."""
    return images.shape[0], images.shape[1], images.shape[2]


def _stream(device: torch.device) -> int:
    return int(cuda.current_stream(device).cuda_stream)
