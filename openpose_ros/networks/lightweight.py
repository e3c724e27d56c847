"""Lightweight OpenPose (Osokin, arXiv 1811.12004) in the form of Open Model Zoo's human-pose-estimation-0001."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from openpose_ros.networks.backbones import backbone as built
from openpose_ros.networks.stages import Answer, InitialStage, Narrow, PoseNetwork, RefinementStage


class LightweightOpenPose(PoseNetwork):
    """Backbone, narrowed features, an initial stage and refinement stages. 4.1 M parameters with the defaults.

    Attributes:
        stride: input pixels per cell of the outputs.
    """

    def __init__(
        self,
        joints: int,
        limbs: int,
        *,
        backbone: str | Mapping[str, Any] = "mobilenet_v1",
        channels: int = 128,
        refinements: int = 1,
        batch_norm: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            joints: J; there is one heatmap more, the background.
            limbs: L; there are two PAFs a limb.
            backbone: one of :data:`~openpose_ros.networks.backbones.BACKBONES`, or the dotted path of a class of your
                own that is built in the same way; with settings of its own as a table, its name being the ``type``.
            channels: width of everything behind the backbone.
            refinements: number of refinement stages.
            batch_norm: normalise batches in the backbone and in the refinements' 3x3 convolutions, as for training;
                without it the weights have it folded in.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        made = built(backbone, batch_norm=batch_norm)
        if channels < 1 or refinements < 0:
            raise ValueError(f"channels is {channels} and refinements is {refinements}; expected 1 and 0 or more")
        heatmaps, pafs = joints + 1, 2 * limbs
        self.backbone = made
        self.stride = made.stride
        self.narrow = Narrow(made.channels, channels)
        self.initial_stage = InitialStage(channels, heatmaps, pafs)
        self.refinement_stages = nn.ModuleList(
            RefinementStage(channels, heatmaps, pafs, batch_norm=batch_norm) for _ in range(refinements)
        )

    def forward(self, x: Tensor) -> list[Answer]:
        """One answer a stage, the last one the result; training compares them all.

        Args:
            x: (B, 3, H, W) normalised as the card says, H and W multiples of ``stride``. The answers' fields have
                H / stride x W / stride cells.
        """
        features = self.narrow(self.backbone(x))
        answers = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            answers.append(stage(features, answers[-1]))
        return answers
