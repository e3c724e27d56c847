"""U-Nets as stages: every branch goes down to coarser cells and up again, beside what it saw on the way."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from openpose_ros.networks.blocks import Convolution
from openpose_ros.networks.stages import Answer


class UNet(nn.Module):
    """Convolution and pooling down, convolution at the bottom, and up by transposed ones, with a short cut a level.

    Ronneberger et al. (arXiv 1505.04597) in openpose-pytorch's form: a 1x1 convolution squeezes each short cut.
    """

    def __init__(self, inputs: int, outputs: int, *, levels: int, growth: float, squeeze: float, norm: bool) -> None:
        super().__init__()
        widths = [outputs]
        for _ in range(levels):
            widths.append(int(widths[-1] * growth))
        self.down = nn.ModuleList(
            Convolution(before, after, norm=norm) for before, after in zip([inputs, *widths], widths[:-1], strict=False)
        )
        self.bottom = Convolution(widths[-2] if levels else inputs, widths[-1], norm=norm)
        self.up = nn.ModuleList()
        self.squeeze = nn.ModuleList()
        self.merge = nn.ModuleList()
        below = widths[-1]
        for wide in reversed(widths[:-1]):
            narrow = max(int(2 * wide * squeeze), outputs)
            self.up.append(nn.ConvTranspose2d(below, wide, 2, 2))
            self.squeeze.append(Convolution(2 * wide, narrow, 1, norm=norm))
            self.merge.append(Convolution(narrow, wide, norm=norm))
            below = wide
        self.output = Convolution(below, outputs, 1, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W), H and W of any size."""
        seen = []
        for convolution in self.down:
            seen.append(convolution(x))
            # One row and column more, so that an odd size keeps its last ones.
            x = functional.max_pool2d(functional.pad(seen[-1], (0, 1, 0, 1), mode="replicate"), 2)
        x = self.bottom(x)
        for up, squeeze, merge in zip(self.up, self.squeeze, self.merge, strict=True):
            beside = seen.pop()
            # An even number of cells cut to an odd one: the nearest of n + 1 for each of n are the first n. A slice
            # would do the same, but PyTorch's exporter then fixes the size that it was shown.
            risen = functional.interpolate(functional.relu(up(x)), beside.shape[2:], mode="nearest")
            x = merge(squeeze(torch.cat([risen, beside], 1)))
        answer: Tensor = self.output(x)
        return answer


class UNetStages(nn.Module):
    """Stages of two U-Nets each, ``pafs.N`` and ``heatmaps.N``: on the features, then on the answer so far, too.

    The defaults are openpose-pytorch's, Unet1Sqz3 and Unet1Sqz3_a. Its ``stages.0.limbs`` is ``pafs.0`` here, its
    ``parts`` are the heatmaps, and within a net ``down0.seq.0`` is ``down.0``, ``top.0`` ``bottom``, ``up0.upsample``
    ``up.0``, ``up0.seq.0`` ``squeeze.0``, ``up0.seq.1`` ``merge.0`` and ``out`` ``output``.
    """

    def __init__(
        self,
        inputs: int,
        heatmaps: int,
        pafs: int,
        *,
        batch_norm: bool = False,
        growths: tuple[float, ...] = (2.0, 1.5),
        levels: int = 1,
        squeeze: float = 1 / 3,
    ) -> None:
        """Build with random weights.

        Args:
            inputs: channels of the features.
            heatmaps, pafs: channels of the answers.
            batch_norm: normalise batches, as for training.
            growths: for each stage, how many times wider each level is than the one above it.
            levels: how often the cells become coarser.
            squeeze: share of a level's channels that its short cut keeps.

        Raises:
            ValueError: a setting that cannot be built.
        """
        super().__init__()
        numbers = [value for value in growths if isinstance(value, (int, float)) and value > 0]
        if not growths or len(numbers) != len(growths) or levels < 0 or squeeze <= 0.0:
            raise ValueError(
                f"growths is {list(growths)}, levels is {levels} and squeeze is {squeeze:g}; expected a number above "
                "0 for each stage, 0 or more, and more than 0"
            )

        def net(first: bool, outputs: int, growth: float) -> UNet:
            seen = inputs if first else inputs + heatmaps + pafs
            return UNet(seen, outputs, levels=levels, growth=growth, squeeze=squeeze, norm=batch_norm)

        self.pafs = nn.ModuleList(net(n == 0, pafs, growth) for n, growth in enumerate(growths))
        self.heatmaps = nn.ModuleList(net(n == 0, heatmaps, growth) for n, growth in enumerate(growths))

    def forward(self, features: Tensor) -> list[Answer]:
        """(B, inputs, H, W) -> the answer of each stage."""
        answers: list[Answer] = []
        x = features
        for pafs, heatmaps in zip(self.pafs, self.heatmaps, strict=True):
            heat, paf = heatmaps(x), pafs(x)
            answers.append(Answer(heat, paf))
            x = torch.cat([heat, paf, features], 1)
        return answers
