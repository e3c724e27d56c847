"""OpenPose's stages of 2018: first all of the PAFs', then the heatmaps', of densely connected 3x3 convolutions."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Convolution, initialise
from openpose_ros.networks.stages import Answer

BLOCKS = 5
"""Dense blocks of a stage."""


class DenseBlock(nn.ModuleList):
    """Three 3x3 convolutions in a row, the outputs of all three side by side: sees as far as one of 7x7."""

    def __init__(self, inputs: int, hidden: int, *, prelu: bool, norm: bool) -> None:
        activation = nn.PReLU if prelu else nn.ReLU
        widths = (inputs, hidden, hidden)
        super().__init__(Convolution(wide, hidden, norm=norm, activation=activation) for wide in widths)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 3 hidden, H, W)."""
        seen = []
        for convolution in self:
            x = convolution(x)
            seen.append(x)
        return torch.cat(seen, 1)


class DenseStage(nn.Sequential):
    """Dense blocks, a 1x1 and a 1x1 that answers with PAFs or with heatmaps."""

    def __init__(
        self, inputs: int, outputs: int, *, hidden: int, wide: int, prelu: bool, norm: bool, tanh: bool = False
    ) -> None:
        inward = [inputs, *[3 * hidden] * (BLOCKS - 1)]
        super().__init__(
            *(DenseBlock(before, hidden, prelu=prelu, norm=norm) for before in inward),
            Convolution(3 * hidden, wide, 1, norm=norm, activation=nn.PReLU if prelu else nn.ReLU),
            Convolution(wide, outputs, 1, activation=None),
        )
        if tanh:
            self.append(nn.Tanh())


class DenseStages(nn.Module):
    """PAF stages on features and PAFs so far, then heatmap stages on features, heatmaps so far and the last PAFs.

    Cao et al., TPAMI 2019 (arXiv 1812.08008, figure 3); sizes and PReLU as in CMU's pose_deploy.prototxt of BODY_25,
    weights drawn by the number of inputs as in its training files.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        batch_norm: bool = False,
        paf_stages: int = 4,
        heatmap_stages: int = 2,
        width: float = 1.0,
        first_wide: int = 256,
        prelu: bool = True,
        tanh: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            inputs: channels of the features.
            heatmaps, pafs: channels of the answers.
            batch_norm: normalise batches, as for training, behind all convolutions but the answering ones.
            paf_stages, heatmap_stages: how many of each.
            width: multiple of the channels between input and answer.
            first_wide: channels before the answer in the first stage of both kinds; in the later ones it is 512.
            prelu: a slope a channel below zero, as CMU's; else ReLU.
            tanh: heatmaps end with a hyperbolic tangent, as the TensorFlow 2 implementation's do.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        if paf_stages < 1 or heatmap_stages < 1 or width <= 0.0:
            raise ValueError(
                f"paf_stages is {paf_stages}, heatmap_stages is {heatmap_stages} and width is {width:g}; expected 1 "
                "or more of both, and more than 0"
            )

        def stage(seen: int, outputs: int, first: bool, tanh: bool) -> DenseStage:
            hidden, wide = (96, first_wide) if first else (128, 512)
            hidden, wide = max(8, int(hidden * width)), max(8, int(wide * width))
            return DenseStage(seen, outputs, hidden=hidden, wide=wide, prelu=prelu, norm=batch_norm, tanh=tanh)

        self.pafs = nn.ModuleList(stage(inputs + (pafs if n else 0), pafs, n == 0, False) for n in range(paf_stages))
        self.heatmaps = nn.ModuleList(
            stage(inputs + (heatmaps if n else 0) + pafs, heatmaps, n == 0, tanh) for n in range(heatmap_stages)
        )
        initialise(self, partial(nn.init.kaiming_uniform_, nonlinearity="linear"))

    def forward(self, features: Tensor) -> list[Answer]:
        """(B, inputs, H, W) -> what each stage says, PAFs or heatmaps; the last PAFs stand beside the last heatmaps."""
        pafs: list[Tensor] = []
        for stage in self.pafs:
            pafs.append(stage(torch.cat([features, *pafs[-1:]], 1)))
        heatmaps: list[Tensor] = []
        for stage in self.heatmaps:
            heatmaps.append(stage(torch.cat([features, *heatmaps[-1:], pafs[-1]], 1)))
        alone = [Answer(None, paf) for paf in pafs[:-1]] + [Answer(heat, None) for heat in heatmaps[:-1]]
        return [*alone, Answer(heatmaps[-1], pafs[-1])]
