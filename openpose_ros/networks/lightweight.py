"""Lightweight OpenPose (Osokin, arXiv 1811.12004) in the form of Open Model Zoo's human-pose-estimation-0001."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor, nn

from openpose_ros.networks.efficientnet_lite import EfficientNetLite0
from openpose_ros.networks.mobilenet import MobileNetV1
from openpose_ros.networks.mobilenet_thin import MobileNetThin
from openpose_ros.networks.stages import Answer, InitialStage, Narrow, RefinementStage

BACKBONES: dict[str, type[MobileNetV1] | type[MobileNetThin] | type[EfficientNetLite0]] = {
    "mobilenet_v1": MobileNetV1,
    "mobilenet_thin": MobileNetThin,
    "efficientnet_lite0": EfficientNetLite0,
}
"""Backbones by name. Each is built with ``batch_norm`` and says its ``channels`` and ``stride``."""


class LightweightOpenPose(nn.Module):
    """Backbone, narrowed features, an initial stage and refinement stages. 4.1 M parameters with the defaults.

    Attributes:
        stride: input pixels per cell of the outputs.
    """

    def __init__(
        self,
        joints: int,
        limbs: int,
        *,
        backbone: str = "mobilenet_v1",
        channels: int = 128,
        refinements: int = 1,
        batch_norm: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            joints: J; there is one heatmap more, the background.
            limbs: L; there are two PAFs a limb.
            backbone: one of ``BACKBONES``, or the dotted path of a class of your own that is built in the same way;
                it is imported, never evaluated.
            channels: width of everything behind the backbone.
            refinements: number of refinement stages.
            batch_norm: normalise batches in the backbone and in the refinements' 3x3 convolutions, as for training;
                without it the weights have it folded in.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        made = _backbone(backbone)(batch_norm=batch_norm)
        if channels < 1 or refinements < 0:
            raise ValueError(f"channels is {channels} and refinements is {refinements}; expected 1 and 0 or more")
        heatmaps, pafs = joints + 1, 2 * limbs
        self.backbone = made
        self.stride = self.backbone.stride
        self.narrow = Narrow(self.backbone.channels, channels)
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


def _backbone(name: str) -> Any:
    """The class of a backbone, by its name or dotted path; a ValueError when there is none."""
    if name in BACKBONES:
        return BACKBONES[name]
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ValueError(f"no backbone {name!r}; expected one of {', '.join(BACKBONES)}, or a dotted path to your own")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"backbone {name!r} cannot be imported: {error}") from None
