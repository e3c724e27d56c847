"""The running mean of the weights (exponential moving average), which generalises better than the last ones."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from openpose_ros.training.module import PoseTraining


class RunningMean(pl.Callback):
    """Follows the network's weights and statistics; validation and export see the mean, the optimiser does not.

    Early on it follows faster: after n steps the decay is at most (1 + n) / (10 + n), so that the start is forgotten.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.mean: dict[str, Tensor] = {}
        self.steps = 0
        self._set_aside: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        device = module.device
        if not self.mean:
            self.mean = {name: value.detach().clone() for name, value in _weights(module).items()}
        self.mean = {name: value.to(device) for name, value in self.mean.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.steps:
            return  # gradients are being accumulated
        self.steps = trainer.global_step
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in _weights(module).items():
            self.mean[name].lerp_(value, 1.0 - decay)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.mean and not self._set_aside:
            weights = _weights(module)
            self._set_aside = {name: value.detach().clone() for name, value in weights.items()}
            _copy(self.mean, weights)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._set_aside:
            _copy(self._set_aside, _weights(module))
            self._set_aside = {}

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.steps = state["mean"], state["steps"]


def _weights(module: pl.LightningModule) -> dict[str, Tensor]:
    assert isinstance(module, PoseTraining)
    return {name: value for name, value in module.network.state_dict().items() if value.is_floating_point()}


@torch.no_grad()
def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, value in source.items():
        target[name].copy_(value)
