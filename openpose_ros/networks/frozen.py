"""A torch module turned into a graph without Python: faster to run, and what OpenVINO reads."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from openpose_ros.networks.stages import Answer


class LastAnswer(nn.Module):
    """A pose network reduced to its result: (B, 3, H, W) -> the last stage's heatmaps and PAFs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) normalised -> heatmaps (B, J + 1, h, w) and PAFs (B, 2 L, h, w)."""
        answer: Answer = self.network(x)[-1]
        return answer.both()


def frozen(module: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """The module as a graph with its weights as constants and batch normalisation folded in.

    Args:
        module: in evaluation mode; its course must not depend on the size or the values of its input.
        example: an input, best a small one; other sizes work too.
    """
    with warnings.catch_warnings(), torch.inference_mode():
        # PyTorch 2.13 recommends torch.compile, which needs a C++ compiler where it runs and recompiles by size.
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        graph: torch.jit.ScriptModule = torch.jit.freeze(traced)
    return graph
