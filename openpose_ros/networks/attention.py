"""trt_pose's head: coarse features made finer by transposed convolutions, weighed by attention, answered once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, TransposedConvolution
from openpose_ros.networks.stages import Answer


class AttentionBranch(nn.Module):
    """``up``, transposed convolutions that double the size each; ``attention`` 3x3 on the result; ``output`` 1x1."""

    def __init__(self, inputs: int, outputs: int, *, channels: int, doublings: int, signed: bool, norm: bool) -> None:
        super().__init__()
        widths = [inputs, *[channels] * doublings]
        self.up = nn.Sequential(
            *(
                TransposedConvolution(before, after, norm=norm)
                for before, after in zip(widths[:-1], widths[1:], strict=True)
            )
        )
        self.attention = Convolution(channels, channels, activation=None)
        self.output = Convolution(channels, outputs, 1, activation=None)
        self.signed = signed

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2^doublings H, 2^doublings W)."""
        fine = self.up(x)
        weight = self.attention(fine)
        answer: Tensor = self.output(fine * (torch.tanh(weight) if self.signed else torch.sigmoid(weight)))
        return answer


class AttentionStages(nn.Module):
    """One answer, on finer cells than the features': the branches ``pafs`` and ``heatmaps``.

    With a whole ResNet-18 or DenseNet-121 before it, stride 32, it is trt_pose's ``..._baseline_att``, stride 4
    (NVIDIA-AI-IOT/trt_pose, CmapPafHeadAttention).

    Attributes:
        finer: cells of the answer for one of the features, in a row.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        batch_norm: bool = False,
        channels: int = 256,
        doublings: int = 3,
    ) -> None:
        """Build with random weights.

        Args:
            inputs: channels of the features.
            heatmaps, pafs: channels of the answers.
            batch_norm: normalise batches behind the transposed convolutions, as for training.
            channels: width of both branches.
            doublings: how often the size is doubled.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        if channels < 1 or doublings < 1:
            raise ValueError(f"channels is {channels} and doublings is {doublings}; expected 1 or more of both")
        self.finer = 2**doublings

        def branch(outputs: int, signed: bool) -> AttentionBranch:
            return AttentionBranch(
                inputs, outputs, channels=channels, doublings=doublings, signed=signed, norm=batch_norm
            )

        self.pafs = branch(pafs, True)
        self.heatmaps = branch(heatmaps, False)

    def forward(self, features: Tensor) -> list[Answer]:
        """(B, inputs, H, W) -> the one answer."""
        return [Answer(self.heatmaps(features), self.pafs(features))]
