"""Weights in bfloat16 that compute, beside float32 ones that learn: the fast way to train on a CPU."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format


class HalfTwin:
    """A bfloat16 copy of a network for the forward and backward pass.

    The network itself keeps float32 weights, which the optimiser, the running mean and the checkpoints see; a small
    step would be lost in bfloat16's eight bits. Normalisations stay in float32 and are shared.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.twin = convert_conv2d_weight_memory_format(deepcopy(network).to(torch.bfloat16), torch.channels_last)
        for name, module in network.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                parent, _, last = name.rpartition(".")
                setattr(self.twin.get_submodule(parent), last, module)
        own = dict(self.network.named_parameters())
        self._pairs = [(own[name], copy) for name, copy in self.twin.named_parameters() if own[name] is not copy]

    def __call__(self, x: Tensor) -> Any:
        """What the network answers; x is (B, 3, H, W)."""
        return self.twin(x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last))

    def train(self, mode: bool) -> None:
        """As of a module; the shared normalisations follow the network."""
        shared = {id(module) for module in self.network.modules()}
        for module in self.twin.modules():
            if id(module) not in shared:
                module.training = mode

    @torch.no_grad()
    def take_gradients(self) -> None:
        """Add the twin's gradients to the network's, after a backward pass."""
        for parameter, copy in self._pairs:
            if copy.grad is None:
                continue
            if parameter.grad is None:
                parameter.grad = copy.grad.to(parameter.dtype)
            else:
                parameter.grad += copy.grad
            copy.grad = None

    @torch.no_grad()
    def refresh(self) -> None:
        """Round the network's weights into the twin, after a step or a loaded checkpoint."""
        for parameter, copy in self._pairs:
            copy.copy_(parameter)
            copy.requires_grad_(parameter.requires_grad)
