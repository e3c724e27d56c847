"""What is said while a network learns: a bar with the time left, one JSON line a round, TensorBoard's curves."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from openpose_ros.evaluation.coco import MEASURES
from openpose_ros.training.module import PoseTraining

LINES = "metrics.jsonl"
CURVES = "tensorboard"
OFTEN = 50
"""Steps between two points of TensorBoard's curves of losses."""


class Journal(pl.Callback):
    """A round is what lies between two validations, or ``every`` steps where nothing is validated.

    Every line of ``metrics.jsonl`` has: step, crops, epoch (crops by those of one pass), minutes, the mean losses of
    the round, crops_per_second (validation left out), the rate, and AP and the other measures if they were taken.

    Attributes:
        writer: of TensorBoard's files; None in all processes but the first.
    """

    def __init__(self, run: Path, every: int) -> None:
        self.run = run
        self.every = every
        self.writer: SummaryWriter | None = None
        self._began = time.monotonic()
        self._sums: dict[str, float] = {}
        self._batches = 0
        self._training = 0.0
        self._since = self._began
        self._step = -1
        self._bar: Any = None

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if trainer.is_global_zero and self.writer is None:
            self.writer = SummaryWriter(str(self.run / CURVES))

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._began = self._since = time.monotonic()
        if trainer.is_global_zero:
            silent = not sys.stderr.isatty()
            self._bar = tqdm(total=trainer.max_steps, initial=trainer.global_step, unit="step", disable=silent)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if _is_loss(name)}
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._batches += 1
        step = trainer.global_step
        if self._bar is not None and step != self._bar.n:
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix({"loss": f"{losses['loss']:.4g}"}, refresh=False)
        if step % OFTEN == 0:
            self._draw(losses, step)
        if not trainer.val_dataloaders and step % self.every == 0:
            self._write(trainer, module, {})

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._training += time.monotonic() - self._since

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._since = time.monotonic()
        found = trainer.callback_metrics
        measures = {name: float(found[name]) for name in MEASURES if name in found}
        if measures:
            self._write(trainer, module, measures)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # A run that came to its end is validated after this.
        if self._batches and (trainer.should_stop or not trainer.val_dataloaders):
            self._write(trainer, module, {})
        if self._bar is not None:
            self._bar.close()

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule, measures: dict[str, float]) -> None:
        step = trainer.global_step
        if not trainer.is_global_zero or (step == self._step and not measures):
            return
        assert isinstance(module, PoseTraining)
        now = time.monotonic()
        crops = module.batches_seen * module.config.batch
        line: dict[str, Any] = {
            "step": step,
            "crops": crops,
            "epoch": round(crops / max(1, module.crops_of_a_pass), 3),
            "minutes": round((now - self._began) / 60.0, 2),
        }
        if self._batches:
            spent = self._training + now - self._since
            line["crops_per_second"] = round(self._batches * module.config.batch / max(spent, 1e-9), 2)
            line |= {name: round(total / self._batches, 4) for name, total in sorted(self._sums.items())}
        line["rate"] = module.optimiser.param_groups[0]["lr"]
        line |= {name: round(value, 2) for name, value in measures.items()}
        with (self.run / LINES).open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        rates = {f"rate/{number}": group["lr"] for number, group in enumerate(module.optimiser.param_groups)}
        speed = {"crops_per_second": line["crops_per_second"]} if self._batches else {}
        self._draw({**rates, **speed, **{f"validation/{name}": value for name, value in measures.items()}}, step)
        tqdm.write(_sentence(line), file=sys.stderr)
        self._sums, self._batches, self._training, self._since, self._step = {}, 0, 0.0, time.monotonic(), step

    def _draw(self, values: dict[str, float], step: int) -> None:
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)


def _is_loss(name: str) -> bool:
    return name == "loss" or "/" in name


def _sentence(line: dict[str, Any]) -> str:
    parts = [f"step {line['step']}"]
    if "loss" in line:
        parts += [f"loss {line['loss']:.4g}", f"{line['crops_per_second']:.1f} crops/s"]
    if "AP" in line:
        parts.append(f"AP {line['AP']:.2f}")
    return ", ".join(parts)
