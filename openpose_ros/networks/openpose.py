"""Any backbone with any of OpenPose's stages behind it, put together by a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from openpose_ros.networks.attention import AttentionStages
from openpose_ros.networks.backbones import backbone as built
from openpose_ros.networks.dense import DenseStages
from openpose_ros.networks.published_lightweight import PublishedLightweightStages
from openpose_ros.networks.settings import part
from openpose_ros.networks.stages import Answer, PoseNetwork
from openpose_ros.networks.two_branch import TwoBranchStages
from openpose_ros.networks.unet import UNetStages

STAGES: dict[str, type[nn.Module]] = {
    "two_branch": TwoBranchStages,
    "dense": DenseStages,
    "lightweight": PublishedLightweightStages,
    "unet": UNetStages,
    "attention": AttentionStages,
}
"""Each is built with the features', heatmaps' and PAFs' channels, ``batch_norm`` and settings of its own. Those whose
answers have more cells than the features say how many times more in a row, ``finer``."""


class OpenPose(PoseNetwork):
    """``backbone``, then ``stages``. The defaults are OpenPose of 2017, 52.3 M parameters for COCO-18."""

    def __init__(
        self,
        joints: int,
        limbs: int,
        *,
        backbone: str | Mapping[str, Any] = "vgg19",
        stages: str | Mapping[str, Any] = "two_branch",
        batch_norm: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            joints: J; there is one heatmap more, the background.
            limbs: L; there are two PAFs a limb.
            backbone: one of :data:`~openpose_ros.networks.backbones.BACKBONES`, or the dotted path of a class of your
                own that is built in the same way; with settings of its own as a table, its name being the ``type``.
            stages: likewise, one of ``STAGES``.
            batch_norm: normalise batches in both, as for training; without it the weights have it folded in.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        made = built(backbone, batch_norm=batch_norm)
        kind, settings = part(stages, STAGES, "stages")
        self.backbone = made
        self.stages = kind(made.channels, joints + 1, 2 * limbs, **{"batch_norm": batch_norm, **settings})
        self.finer = int(getattr(self.stages, "finer", 1))
        if made.stride % self.finer:
            raise ValueError(f"the stages want {self.finer} cells of one, but the backbone's stride is {made.stride}")
        self.stride = made.stride // self.finer

    def forward(self, x: Tensor) -> list[Answer]:
        """One answer a stage, the last one the result; training compares them all.

        Args:
            x: (B, 3, H, W) normalised as the card says, H and W multiples of ``stride``.
        """
        answers: list[Answer] = self.stages(self.backbone(x))
        if self.finer == 1:
            return answers
        # The features' last row and column may reach beyond the image; of what became of them only the image is kept.
        height, width = x.shape[2] // self.stride, x.shape[3] // self.stride

        def cut(fields: Tensor | None) -> Tensor | None:
            return None if fields is None else fields[:, :, :height, :width]

        return [Answer(cut(answer.heatmaps), cut(answer.pafs)) for answer in answers]
