"""PyTorch: the network on a CPU, as a frozen graph, or on an NVIDIA GPU, replayed as CUDA graphs."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from openpose_ros.backends import BackendError
from openpose_ros.backends.cuda import Frames, Work
from openpose_ros.card import Card
from openpose_ros.fields import Array, Fields
from openpose_ros.machine import fast_bfloat16
from openpose_ros.networks.frozen import LastAnswer, frozen
from openpose_ros.options import BackendOptions
from openpose_ros.preprocess import Batch
from openpose_ros.weights.store import load_network

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchBackend:
    """A card's network in PyTorch; see :class:`~openpose_ros.backends.Backend`.

    Images go to the device as bytes; normalisation and colour order are part of what runs there. Any sizes and
    batches work, a new one costs a little more once. On a GPU nothing waits for it: the answer is queued
    (:class:`~openpose_ros.backends.cuda.Frames`).
    """

    name = "torch"
    replayed = True
    frames: Frames | None = None

    def __init__(self, card: Card, options: BackendOptions) -> None:
        """Load the network.

        Raises:
            BackendError: there is no such device, the precision is none for it, or the card is not for PyTorch.
            CardError: the card's weights are missing or not what the card says.
        """
        if card.network["type"] == "graph":
            raise BackendError(
                f"the network of {card.name} comes as a graph, which PyTorch does not read: take the openvino backend "
                "(pip install openvino)"
            )
        self.card = card
        self.device = named_device(options.device)
        self.precision = _precision(options.precision, self.device)
        if options.threads:
            torch.set_num_threads(options.threads)
        network = load_network(card)
        self._answer: nn.Module = AnswerFromBytes(network, card, PRECISIONS[self.precision]).to(self.device)
        if self.device == "cpu":
            self._answer = self._on_cpu(self._answer)
        else:
            self.frames = Frames(self.device, self._answer, lambda shape: self._recorded(), self.replayed)

    def __call__(self, batch: Batch) -> Fields:
        if self.frames is None:
            with torch.inference_mode():
                heatmaps, pafs = self._answer(torch.from_numpy(batch.images))
        else:
            heatmaps, pafs = self.frames(batch.images)
        return Fields(
            self._given(heatmaps),
            self._given(pafs.unflatten(1, (-1, 2))),
            batch.grids,
            self.card.skeleton,
            self.card.paf_offset,
            self.card.heat_offset,
        )

    def close(self) -> None:
        del self._answer
        if self.frames is not None:
            self.frames.close()
            self.frames = None

    def _on_cpu(self, answer: nn.Module) -> nn.Module:
        return frozen(answer, torch.zeros((1, 64, 64, 3), dtype=torch.uint8))

    def _recorded(self) -> Work:
        """What CUDA graphs record."""
        return self._answer

    def _given(self, tensor: Tensor) -> Array:
        return tensor.numpy() if self.device == "cpu" else tensor


class CompiledTorchBackend(TorchBackend):
    """The same, made faster by ``torch.compile``: a minute for each size that keeps coming. For GPUs."""

    name = "torch_compile"

    def __init__(self, card: Card, options: BackendOptions) -> None:
        """Load the network.

        Raises:
            BackendError, CardError: as :class:`TorchBackend`; there is no GPU.
        """
        if named_device(options.device) == "cpu":
            raise BackendError("the torch_compile backend is for GPUs; on a CPU take openvino or torch")
        super().__init__(card, options)

    def _recorded(self) -> Work:
        compiled: Work = torch.compile(self._answer, mode="max-autotune-no-cudagraphs", dynamic=False)
        return compiled


class EagerTorchBackend(TorchBackend):
    """The same as PyTorch runs it by itself, neither frozen nor replayed: what ``benchmark`` compares with."""

    name = "torch eager"
    replayed = False

    def _on_cpu(self, answer: nn.Module) -> nn.Module:
        return answer


class FromBytes(nn.Module):
    """What lies before a network: (B, H, W, 3) uint8 BGR -> (B, 3, H, W) float32, normalised as the card says."""

    mean: Tensor
    scale: Tensor

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.red_first = card.channels == "RGB"
        self.register_buffer("mean", torch.tensor(card.mean).reshape(3, 1, 1))
        self.register_buffer("scale", torch.tensor(card.scale).reshape(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The network's input, its channels last in memory."""
        x = images.permute(0, 3, 1, 2)  # this is what PyTorch calls channels_last
        if self.red_first:
            x = x.flip(1)
        return (x.float() - self.mean) * self.scale


class AnswerFromBytes(nn.Module):
    """A network with what lies before and behind it: bytes in, float32 out."""

    def __init__(self, network: nn.Module, card: Card, precision: torch.dtype) -> None:
        super().__init__()
        self.answer = LastAnswer(convert_conv2d_weight_memory_format(network.to(precision), torch.channels_last))
        self.precision = precision
        self.from_bytes = FromBytes(card)
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W, 3) uint8 BGR -> heatmaps (B, J + 1, h, w) and PAFs (B, 2 L, h, w), float32 and contiguous."""
        heatmaps, pafs = self.answer(self.from_bytes(images).to(self.precision))
        return heatmaps.float().contiguous(), pafs.float().contiguous()


def has_cuda() -> bool:
    """Whether PyTorch can use an NVIDIA GPU here."""
    return torch.cuda.is_available()


def named_device(wanted: str) -> str:
    """``cpu`` or ``cuda:N`` for what the options say; a BackendError when there is no such device."""
    if wanted == "auto":
        wanted = "cuda" if has_cuda() else "cpu"
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", wanted)
    if match is None:
        raise BackendError(f"device is {wanted!r}; expected auto, cpu, cuda or cuda:N")
    if wanted == "cpu":
        return wanted
    if not has_cuda():
        raise BackendError(f"device is {wanted!r}, but PyTorch {torch.__version__} finds no NVIDIA GPU here")
    number = int(match[1] or 0)
    if number >= torch.cuda.device_count():
        raise BackendError(f"device is {wanted!r}, but there are only {torch.cuda.device_count()} GPUs, from cuda:0")
    return f"cuda:{number}"


def _precision(wanted: str, device: str) -> str:
    if wanted == "auto":
        return "float16" if device != "cpu" else "bfloat16" if fast_bfloat16() else "float32"
    if wanted == "float16" and device == "cpu":
        raise BackendError("precision float16 is for GPUs; on a CPU take float32, bfloat16 or auto")
    return wanted
