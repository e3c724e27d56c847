"""What survives a power cut: checkpoints that are whole or not there, and which of them to go on from."""

from __future__ import annotations

import logging
import os
import re
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from openpose_ros.training.config import CheckpointConfig
from openpose_ros.weights.store import replacing

_log = logging.getLogger(__name__)

FOLDER = "checkpoints"
NEWEST, TIMED, BEST = "newest", "timed", "best"


class WholeFiles(TorchCheckpointIO):
    """Checkpoints written under another name, flushed to the disk, and renamed when they are complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary, temporary.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())


class Checkpoints(pl.Callback):
    """Saves every so many steps and minutes, after a validation better than before, and when told to stop."""

    def __init__(self, config: CheckpointConfig, run: Path) -> None:
        self.config = config
        self.folder = run / FOLDER
        self.stop = StopSignal()
        self._last_time = time.monotonic()
        self._saved_step = -1

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._saved_step = trainer.global_step
        # Lightning has a handler of its own by now, which ends without saving.
        self.stop.listen()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._saved_step or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # between two steps there is nothing new to keep
        overdue = time.monotonic() - self._last_time > 60.0 * self.config.minutes
        # Processes must agree, as all of them take part in saving.
        stopping = trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)
        overdue = trainer.strategy.broadcast(overdue)
        if stopping or step % self.config.every == 0 or step == trainer.max_steps:
            self._save(trainer, NEWEST, step, self.config.newest)
        elif overdue:
            self._save(trainer, TIMED, step, 1)
        if stopping:
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # a validation before the end would outlast a scheduler's patience

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.sanity_checking or (not trainer.training and trainer.state.fn != "fit"):
            return
        measured = trainer.callback_metrics.get("AP")
        if measured is None or self.config.best < 1:
            return
        kept = sorted(_found(self.folder, BEST), key=accuracy)
        if len(kept) < self.config.best or float(measured) > accuracy(kept[0]):
            path = self.folder / f"{BEST}-{trainer.global_step:08d}-AP{float(measured):05.2f}.ckpt"
            trainer.save_checkpoint(path)
            self._drop(trainer, kept[: len(kept) + 1 - self.config.best])

    def _save(self, trainer: pl.Trainer, kind: str, step: int, keep: int) -> None:
        trainer.save_checkpoint(self.folder / f"{kind}-{step:08d}.ckpt")
        self._saved_step, self._last_time = step, time.monotonic()
        self._drop(trainer, sorted(_found(self.folder, kind), key=_step)[: -max(1, keep)])

    def _drop(self, trainer: pl.Trainer, paths: list[Path]) -> None:
        if trainer.is_global_zero:
            for path in paths:
                path.unlink(missing_ok=True)


class StopSignal:
    """SIGTERM and Ctrl-C ask for an end after the step in progress; the second one ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self.number = 0

    def listen(self) -> None:
        """Take the signals over; only the main thread may."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.asked, self.number = True, number
        _log.warning("%s: saving after this step, then ending", signal.Signals(number).name)


def newest_readable(run: Path) -> tuple[Path, dict[str, Any]] | None:
    """The latest checkpoint of a run that can be read, and what is in it; torn ones are named in the log."""
    for path in sorted(_found(run / FOLDER, "*"), key=lambda path: (_step(path), path.stat().st_mtime), reverse=True):
        try:
            return path, read(path)
        except ValueError as error:
            _log.warning("%s; taking an earlier one", error)
    return None


def best_checkpoint(run: Path) -> Path | None:
    """The checkpoint of the highest AP, if any was measured."""
    return max(_found(run / FOLDER, BEST), key=lambda path: (accuracy(path), _step(path)), default=None)


def newest_checkpoint(run: Path) -> Path:
    """The latest checkpoint; a finished run has one."""
    return max(_found(run / FOLDER, "*"), key=_step)


def read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU. Raises a ValueError when it cannot be read."""
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"there is no checkpoint {path}") from None
    except Exception as error:  # torn zip files raise many kinds
        raise ValueError(f"the checkpoint {path} is torn or not one ({' '.join(str(error).split())[:120]})") from None
    if "batches_seen" not in found:
        raise ValueError(f"{path} is no checkpoint of a training run")
    return found


def _found(folder: Path, kind: str) -> list[Path]:
    return [path for path in folder.glob(f"{kind}-*.ckpt") if re.search(r"-\d{8}", path.name)]


def _step(path: Path) -> int:
    match = re.search(r"-(\d{8})", path.name)
    return int(match[1]) if match else -1


def accuracy(path: Path) -> float:
    """The AP in a best checkpoint's name; 0 for the others."""
    match = re.search(r"-AP([\d.]+)\.ckpt", path.name)
    return float(match[1]) if match else 0.0
