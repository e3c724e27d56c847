"""The LightningModule: a batch's path from crops to a loss, and photos to AP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from openpose_ros.card import Card
from openpose_ros.networks.stages import Answer
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import RunConfig
from openpose_ros.training.half import HalfTwin
from openpose_ros.training.loss import StageLoss, StageLosses
from openpose_ros.training.optimise import freeze, optimiser, schedule
from openpose_ros.training.photometric import Photometric
from openpose_ros.training.targets import Rendered, Targets
from openpose_ros.training.teacher import Teacher
from openpose_ros.training.validate import Validation


class NotFiniteError(RuntimeError):
    """A loss that is no number; the text says where everything about the step lies."""


class PoseTraining(pl.LightningModule):
    """A network that learns.

    Attributes:
        network: what learns, in float32.
        batches_seen: batches of this process that went into the weights; the loader begins there.
        twins: the bfloat16 copy that computes with ``bf16-pure``; in a list, so that Lightning does not move, save
            and distribute it.
        crops_of_a_pass: crops until every centre of every source was shown once on average; 0 for streams.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, config: RunConfig, card: Card, network: nn.Module, validation: Validation | None = None) -> None:
        """``network`` is built from ``card`` and has its starting weights.

        Raises:
            ConfigError: settings that do not fit the network.
        """
        super().__init__()
        self.config, self.card, self.network = config, card, network
        self.validation = validation
        self.frozen_norms = freeze(network, config.optimiser)
        self.targets = Targets(
            card.skeleton, card.stride, config.targets, paf_offset=card.paf_offset, heat_offset=card.heat_offset
        )
        self.photometric = Photometric(config.photometric, card.channels)
        self.losses = StageLosses(config.loss, stages(network, card))
        self.schedule = schedule(config.schedule, config.steps)
        self.optimiser = optimiser(network, config.optimiser)
        self.batches_seen = 0
        self.crops_of_a_pass = 0
        self.register_buffer("mean", torch.tensor(card.mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(card.scale).reshape(1, 3, 1, 1), persistent=False)
        self.twins: list[HalfTwin] = []
        self._teacher: list[Teacher] = []

    def setup(self, stage: str) -> None:
        if self.config.precision == "bf16-pure" and not self.twins:
            self.twins.append(HalfTwin(self.network))
        if self.config.teacher.model and not self._teacher:
            self._teacher.append(teacher(self.config, self.card, self.device))

    def train(self, mode: bool = True) -> PoseTraining:
        super().train(mode)
        for norm in self.frozen_norms:
            norm.eval()
        for twin in self.twins:
            twin.train(mode)
        return self

    def answers(self, images: Tensor, seeds: Tensor | None = None) -> list[Answer]:
        """Every stage's answer to (B, 3, H, W) bytes in the card's channel order, in other light if seeds are given."""
        x = images.float() if seeds is None else self.photometric(images, seeds)
        x = (x - self.mean) * self.scale
        answers: list[Answer] = self.twins[0](x) if self.twins else self.network(x)
        return answers

    def compared(self, batch: Batch) -> tuple[Tensor, dict[str, list[StageLoss]]]:
        """The loss of a batch, and its parts by what they were compared with."""
        answers = self.answers(batch.images, batch.seeds)
        labels = self.targets(batch)
        if not self._teacher:
            found = {"labels": self.losses(answers, labels)}
            return self.losses.total(found["labels"]), found
        # A crop without labels learns from the teacher alone.
        share = torch.where(batch.labelled.any(1), self.config.teacher.weight, 1.0).reshape(-1, 1, 1, 1)
        taught = self._teacher[0](batch)
        found = {
            "labels": self.losses(answers, _weighted(labels, 1.0 - share)),
            "teacher": self.losses(answers, _weighted(taught, share)),
        }
        return self.losses.total(found["labels"]) + self.losses.total(found["teacher"]), found

    def training_step(self, batch: Batch, index: int) -> Tensor:
        loss, found = self.compared(batch)
        if not torch.isfinite(loss):
            raise NotFiniteError(self._keep_for_a_look(batch, loss))
        values = {
            f"{kind}/stage{number}/{field}": getattr(part, field).detach()
            for kind, parts in found.items()
            for number, part in enumerate(parts)
            for field in ("heatmaps", "pafs")
        }
        self.log_dict({"loss": loss.detach(), **values}, batch_size=len(batch), sync_dist=True)
        self.batches_seen += 1  # here, because callbacks save before the hook that ends a batch
        return loss

    def on_train_start(self) -> None:
        for twin in self.twins:
            twin.refresh()

    def on_after_backward(self) -> None:
        for twin in self.twins:
            twin.take_gradients()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        for twin in self.twins:
            twin.refresh()

    def on_validation_start(self) -> None:
        if self.validation:
            self.validation.begin(self.network, self.card, self.device)

    def validation_step(self, index: Tensor, number: int) -> None:
        if self.validation:
            self.validation.look(int(index))

    def on_validation_epoch_end(self) -> None:
        if self.validation:
            measures = self.validation.measured(self.trainer)
            self.log_dict(dict(measures), rank_zero_only=False, sync_dist=False)

    def configure_optimizers(self) -> Any:
        rates = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self.schedule)
        return {"optimizer": self.optimiser, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["batches_seen"] = self.batches_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batches_seen = checkpoint["batches_seen"]

    def _keep_for_a_look(self, batch: Batch, loss: Tensor) -> str:
        folder = Path(self.config.runs) / self.config.name
        path = folder / f"not-finite-{self.global_step:08d}.pt"
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "batch": {name: getattr(batch, name) for name in batch.__dataclass_fields__},
                "step": self.global_step,
            },
            path,
        )
        return (
            f"the loss of step {self.global_step} is {float(loss.detach()):g}, which nothing can be learned from; the "
            f"last checkpoint is untouched. Batch, weights and optimiser are in {path}; look at them with: "
            f"python -m openpose_ros train -c {folder / 'config.yaml'} --replay {path}"
        )


def stages(network: nn.Module, card: Card) -> int:
    """How many answers the network gives."""
    side = 8 * card.stride
    was = network.training
    with torch.no_grad():
        count = len(network.eval()(torch.zeros((1, 3, side, side))))
    network.train(was)
    return count


def teacher(config: RunConfig, card: Card, device: torch.device) -> Teacher:
    """The run's teacher, in the cheapest arithmetic that the run's own precision allows."""
    half = config.precision != "fp32"
    return Teacher(config.teacher, card, device, torch.bfloat16 if half else torch.float32)


def _weighted(targets: Rendered, share: Tensor) -> Rendered:
    return Rendered(targets.heatmaps, targets.pafs, targets.heat_weight * share, targets.paf_weight * share)
