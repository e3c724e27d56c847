"""A run from its configuration to a trained network: everything put together."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader, Dataset

from openpose_ros.card import Card
from openpose_ros.evaluation.calibrate_card import calibrate_card
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.networks import build
from openpose_ros.training.average_weights import RunningMean
from openpose_ros.training.checkpoints import (
    Checkpoints,
    WholeFiles,
    accuracy,
    best_checkpoint,
    newest_checkpoint,
    newest_readable,
    read,
)
from openpose_ros.training.config import ConfigError, RunConfig, load, save
from openpose_ros.training.data import Crops, TrainingLoader, loader, show
from openpose_ros.training.export import FOLDER, export
from openpose_ros.training.journal import Journal
from openpose_ros.training.memory import keep_memory
from openpose_ros.training.module import PoseTraining
from openpose_ros.training.optimise import parts
from openpose_ros.training.pictures import Pictures
from openpose_ros.training.processes import is_first
from openpose_ros.training.validate import Validation
from openpose_ros.weights.start import load_start

_log = logging.getLogger(__name__)

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed", "bf16-pure": "32-true"}
"""Ours and Lightning's names; the twin of bf16-pure is none of Lightning's business."""

CONFIG = "config.yaml"

ADVICE = (".*does not have many workers.*", ".*LeafSpec.*", ".*GPU available but not used.*", ".*resumable.*")
"""Warnings of Lightning and PyTorch about what is on purpose here, or their own affair."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: of the run.
        interrupted: number of the signal that ended it early, else 0.
        card: of the finished network; None when the run was interrupted, and in all processes but the first.
    """

    folder: Path
    interrupted: int = 0
    card: Path | None = None


def train(config: RunConfig) -> Outcome:
    """Train from the start, or go on from the newest checkpoint of the run's folder.

    Raises:
        ConfigError, CardError, DatasetError: something cannot be used; nothing was overwritten.
        NotFiniteError: the loss became no number.
    """
    _check(config)
    if config.overfit:
        config = unchanged(config)
    folder = Path(config.runs).expanduser() / config.name
    keep_memory()
    pl.seed_everything(config.seed, workers=False, verbose=False)
    module = prepared(config)
    checkpoints = Checkpoints(config.checkpoints, folder)
    found = newest_readable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if is_first():
        if found:
            _compare(config, folder / CONFIG)
            _log.info("going on from %s", found[0])
        save(config, folder / CONFIG)
    data = CropData(module)
    trainer = _trainer(config, folder, checkpoints, module)
    with _quiet():
        try:
            if not found and module.validation and config.validation.start:
                trainer.validate(module, data, verbose=False)
            trainer.fit(module, data, ckpt_path=str(found[0]) if found else None, weights_only=True)
        except SIGTERMException:  # before the first step, when there is nothing to save
            return Outcome(folder, signal.SIGTERM)
        if checkpoints.stop.asked:
            return Outcome(folder, checkpoints.stop.number)
        if module.validation and trainer.global_step % config.validation.every:
            trainer.validate(module, data, verbose=False)
    if not trainer.is_global_zero:
        return Outcome(folder)
    last, best = newest_checkpoint(folder), best_checkpoint(folder)
    final = float(trainer.callback_metrics.get("AP", 0.0))
    return Outcome(folder, card=exported(config, best if best and accuracy(best) > final else last))


def exported(config: RunConfig, checkpoint: Path) -> Path:
    """Weights and card of a checkpoint in the run's folder, calibrated if the run says on which photos.

    Returns:
        The card's path.

    Raises:
        ValueError: the checkpoint cannot be read, or is of another network.
        DatasetError: the photos to calibrate on cannot be used; weights and card are there, uncalibrated.
    """
    folder = Path(config.runs).expanduser() / config.name / FOLDER
    measured = accuracy(checkpoint)
    about = {"AP": round(measured, 2), "photos": Path(config.validation.annotations).name}
    path = export(config, read(checkpoint), folder, {"accuracy": about} if measured and config.blend == 1.0 else {})
    chosen = config.calibration
    if chosen.annotations:
        photos = AnnotatedPhotos(Path(chosen.annotations).expanduser(), Path(chosen.images).expanduser())
        calibrate_card(path, photos, Path(chosen.empty).expanduser(), short_side=config.validation.short_side)
    return path


def prepared(config: RunConfig) -> PoseTraining:
    """The network of a run with its starting weights and everything it learns with."""
    card = Card.load(config.card)
    network = build(card)
    start = load_start(network, config.start)
    _log.info("%s", start)
    for name, value in start.feeding.items():
        if getattr(card, name) != value:
            _log.warning("these weights were trained with %s %s, the card says %s", name, value, getattr(card, name))
    module = PoseTraining(config, card, network, _validation(config, card))
    for name, size, learning in parts(network):
        _log.info("%s: %.2f M parameters, %.2f M of them learn", name, size / 1e6, learning / 1e6)
    return module


class CropData(pl.LightningDataModule):
    """The loaders of a run, each process its own share."""

    def __init__(self, module: PoseTraining) -> None:
        super().__init__()
        self.module = module
        self.config = module.config

    def train_dataloader(self) -> Any:
        assert self.trainer is not None
        crops: TrainingLoader = loader(
            self.config,
            self.module.card,
            rank=self.trainer.global_rank,
            world=self.trainer.world_size,
            position=lambda: self.module.batches_seen,
        )
        self.module.crops_of_a_pass = sum(map(len, crops.crops.entries))
        if self.trainer.is_global_zero:
            _log.info("%s", show(crops.crops.reports))
        return crops

    def val_dataloader(self) -> Any:
        assert self.trainer is not None
        if self.module.validation is None:
            return []
        mine = self.module.validation.indices(self.trainer.global_rank, self.trainer.world_size)
        return DataLoader(_Numbers(mine), batch_size=1)


class _Numbers(Dataset[int]):
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> int:
        return self.numbers[index]


def _trainer(config: RunConfig, folder: Path, checkpoints: Checkpoints, module: PoseTraining) -> pl.Trainer:
    callbacks: list[pl.Callback] = [RunningMean(config.ema)] if config.ema else []
    # Checkpoints come last: what the others keep of a step is in them then.
    journal = Journal(folder, config.validation.every)
    callbacks += [journal, Pictures(journal, config.pictures), checkpoints]
    with _quiet():
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=config.devices or ("auto" if config.accelerator != "cpu" and torch.cuda.is_available() else 1),
            num_nodes=config.nodes,
            strategy=config.strategy,
            precision=PRECISIONS[config.precision],  # type: ignore[arg-type]
            logger=False,
            callbacks=callbacks,
            plugins=[WholeFiles()],
            max_steps=config.steps,
            max_epochs=-1,
            val_check_interval=config.validation.every * config.accumulate if module.validation else 1.0,
            check_val_every_n_epoch=None if module.validation else 1,
            limit_val_batches=1.0 if module.validation else 0,
            num_sanity_val_steps=0,
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip or None,
            sync_batchnorm=torch.cuda.is_available(),
            use_distributed_sampler=False,
            inference_mode=False,  # validation must leave weights that can go on learning
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=str(folder),
        )


def unchanged(config: RunConfig) -> RunConfig:
    """The configuration for learning a few photos by heart: whole photos, as validation sees them, unchanged."""
    source = next((source for source in config.data.sources if source.type == "coco"), None)
    if source is None:
        raise ConfigError("overfit validates on what it learns, so it needs a source of type coco")
    validation = replace(config.validation, images=source.images, annotations=source.annotations)
    return replace(config, photometric=replace(config.photometric, enabled=False), validation=validation)


def _validation(config: RunConfig, card: Card) -> Validation | None:
    chosen = config.validation
    if not chosen.annotations:
        return None
    photos = AnnotatedPhotos(Path(chosen.annotations).expanduser(), Path(chosen.images).expanduser(), chosen.limit)
    if config.overfit:
        learned = Crops(config, card, augmented=False).names()
        photos.photos = [photo for photo in photos if photos.coco.imgs[photo.id]["file_name"] in learned]
        return Validation(photos, f"{config.data.crop.height}x{config.data.crop.width}")
    return Validation(photos, str(chosen.short_side))


def _check(config: RunConfig) -> None:
    for name, low in (("steps", 1), ("batch", 1), ("accumulate", 1)):
        if getattr(config, name) < low:
            raise ConfigError(f"{name} is {getattr(config, name)}; expected {low} or more")
    if config.precision not in PRECISIONS:
        raise ConfigError(f"precision is {config.precision!r}; expected one of {', '.join(PRECISIONS)}")
    if not 0.0 <= config.ema < 1.0:
        raise ConfigError(f"ema is {config.ema}; expected 0 for none, or a decay below 1 such as 0.999")
    if config.precision == "bf16-pure" and max(config.devices, config.nodes) > 1:
        raise ConfigError("precision bf16-pure is for a single process; take bf16 on several devices")
    if "/" in config.name or config.name in {"", ".", ".."}:
        raise ConfigError(f"name is {config.name!r}; expected a plain name for the run's folder")


def _compare(config: RunConfig, earlier: Path) -> None:
    """Say which settings are not those of the interrupted run."""
    if not earlier.is_file():
        return
    try:
        was = load([earlier])
    except ConfigError as error:
        _log.warning("the run's earlier settings cannot be compared: %s", error)
        return
    for name, before, now in _differences(was, config):
        _log.warning("%s was %s before the interruption and is %s now", name, before, now)


def _differences(before: Any, now: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    for name in before.__dataclass_fields__:
        old, new = getattr(before, name), getattr(now, name)
        if hasattr(old, "__dataclass_fields__"):
            yield from _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            yield f"{prefix}{name}", old, new


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice on what is on purpose here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for text in ADVICE:
            warnings.filterwarnings("ignore", text)
        yield
