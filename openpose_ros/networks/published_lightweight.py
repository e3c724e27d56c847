"""Lightweight OpenPose's stages as its author published them, for his PyTorch checkpoints.

Open Model Zoo's network, :mod:`~openpose_ros.networks.lightweight`, differs from it in the narrow part: one 1x1
convolution more, ELU where this one has ReLU.
"""

from __future__ import annotations

from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, SeparableConvolution
from openpose_ros.networks.stages import Answer, InitialStage, RefinementStage


class PublishedLightweightStages(nn.Module):
    """Features narrowed, an initial stage and refinement stages (Osokin, arXiv 1811.12004, figures 2 to 4).

    Stages of :class:`~openpose_ros.networks.openpose.OpenPose`; the backbone is ``mobilenet_v1``.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        batch_norm: bool = False,
        channels: int = 128,
        refinements: int = 1,
    ) -> None:
        """Build with random weights.

        Args:
            inputs: channels of the features.
            heatmaps, pafs: channels of the answers.
            batch_norm: normalise batches in the refinements' 3x3 convolutions, as for training.
            channels: width of everything here.
            refinements: number of refinement stages.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        if channels < 1 or refinements < 0:
            raise ValueError(f"channels is {channels} and refinements is {refinements}; expected 1 and 0 or more")
        self.align = Convolution(inputs, channels, 1)
        self.trunk = nn.Sequential(*(SeparableConvolution(channels, channels, activation=nn.ELU) for _ in range(3)))
        self.output = Convolution(channels, channels)
        self.initial_stage = InitialStage(channels, heatmaps, pafs)
        self.refinement_stages = nn.ModuleList(
            RefinementStage(channels, heatmaps, pafs, batch_norm=batch_norm) for _ in range(refinements)
        )

    def forward(self, x: Tensor) -> list[Answer]:
        """(B, inputs, H, W) -> the answer of each stage."""
        aligned = self.align(x)
        features = self.output(aligned + self.trunk(aligned))
        answers = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            answers.append(stage(features, answers[-1]))
        return answers
