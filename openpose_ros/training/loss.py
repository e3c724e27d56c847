"""How far a network's answers are from their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from openpose_ros.networks.stages import Answer
from openpose_ros.training.config import ConfigError, LossConfig
from openpose_ros.training.plugin import locate
from openpose_ros.training.targets import Rendered

PRESENT = 0.01
"""Size of a target from which on something is there."""

Error = Callable[[Tensor, Tensor], Tensor]
"""Answer and target of one shape -> what each value costs."""


@dataclass(frozen=True, eq=False)
class StageLoss:
    """Losses of one stage, averaged over the crops."""

    heatmaps: Tensor
    pafs: Tensor


def squared(answer: Tensor, target: Tensor) -> Tensor:
    """Cao et al., CVPR 2017, section 2.1."""
    return (answer - target).square()


class Focal:
    """Squared errors, weighted by a power of the error itself: what is right already counts little.

    After the focal L2 loss of Li et al., "Simple Pose", AAAI 2020, for signed targets, too.
    """

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = gamma

    def __call__(self, answer: Tensor, target: Tensor) -> Tensor:
        error = (answer - target).abs()
        return error.detach().clamp(max=1.0) ** self.gamma * error.square()


class StageLosses:
    """Weighted errors of every stage against one set of targets."""

    def __init__(self, config: LossConfig, stages: int) -> None:
        """Raises ConfigError when the weights are not as many as the network's stages."""
        weights = config.stages or [1.0] * stages
        if len(weights) != stages:
            raise ConfigError(f"loss.stages is {config.stages}, but the network has {stages} stages")
        self.weights = weights
        self.config = config
        self.error: Error = _error(config)

    def __call__(self, answers: Sequence[Answer], targets: Rendered) -> list[StageLoss]:
        """One loss a stage, unweighted by stage: sums over cells and channels, in float32; 0 for what a stage does not
        say."""
        return [
            StageLoss(
                self._sum(answer.heatmaps, targets.heatmaps, targets.heat_weight),
                self._sum(answer.pafs, targets.pafs, targets.paf_weight),
            )
            for answer in answers
        ]

    def total(self, losses: Sequence[StageLoss]) -> Tensor:
        """What is minimised."""
        parts = [
            weight * (self.config.heatmaps * loss.heatmaps + self.config.pafs * loss.pafs)
            for weight, loss in zip(self.weights, losses, strict=True)
        ]
        return torch.stack(parts).sum()

    def _sum(self, answer: Tensor | None, target: Tensor, weight: Tensor) -> Tensor:
        if answer is None:
            return target.new_zeros(())
        error = self.error(answer.float(), target)
        if self.config.foreground != 1.0:
            weight = weight * torch.where(target.abs() > PRESENT, self.config.foreground, 1.0)
        return (error * weight).sum() / len(answer)


def _error(config: LossConfig) -> Error:
    if config.type == "l2":
        return squared
    kind = locate(config.type, {"l2": squared, "focal": Focal}, "loss")
    try:
        made: Error = kind(**config.settings)
    except TypeError as error:
        raise ConfigError(f"loss {config.type}: {error}") from None
    return made
