"""Host memory that an NVIDIA GPU reads without a detour, and what goes up from there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, cuda

BUFFERS = 2
"""So that a batch can be written while the one before it is still going up."""


class Staging:
    """``BUFFERS`` pieces of page-locked memory, each of the largest batch so far. For one thread."""

    def __init__(self) -> None:
        self._memory: list[Tensor] = []
        self._copied: list[cuda.Event] = []
        self._turn = 0

    @property
    def size(self) -> int:
        """Bytes of page-locked memory."""
        return sum(memory.numel() for memory in self._memory)

    def upload(self, images: Sequence[npt.NDArray[np.uint8]], there: Tensor) -> None:
        """Queue a copy of the images, one behind the other, on the current stream; they may change afterwards.

        Args:
            images: of any shapes.
            there: contiguous uint8 on the GPU, of as many elements as they have together.
        """
        if not self._memory:
            self._memory = [torch.empty(0, dtype=torch.uint8) for _ in range(BUFFERS)]
            self._copied = [cuda.Event() for _ in range(BUFFERS)]  # type: ignore[no-untyped-call]
        turn = self._turn = (self._turn + 1) % BUFFERS
        self._copied[turn].synchronize()  # of the batch before the last one: it hardly ever has to wait
        if self._memory[turn].numel() < there.numel():
            self._memory[turn] = pinned(there.numel())
        here = self._memory[turn][: there.numel()]
        place, line = 0, here.numpy()
        for image in images:
            line[place : place + image.size].reshape(image.shape)[...] = image
            place += image.size
        there.copy_(here.view(there.shape), non_blocking=True)
        self._copied[turn].record()

    def forget(self) -> None:
        """Give the memory back, when the GPU no longer reads it."""
        self._memory.clear()
        self._copied.clear()


def pinned(size: int) -> Tensor:
    """So many bytes of page-locked host memory."""
    return torch.empty(size, dtype=torch.uint8, pin_memory=True)
