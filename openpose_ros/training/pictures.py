"""Pictures in TensorBoard: a few crops, what the network shall answer and what it does."""

from __future__ import annotations

from dataclasses import replace

import lightning.pytorch as pl
import numpy as np
import torch

from openpose_ros.decode.decoder import candidates, people
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.training.batch import Batch, join
from openpose_ros.training.data import Crops
from openpose_ros.training.data.sheet import sheet
from openpose_ros.training.journal import Journal
from openpose_ros.training.module import PoseTraining
from openpose_ros.training.targets import Rendered


class Pictures(pl.Callback):
    """The same crops at every validation, drawn as ``preview`` draws them: once the targets, each time the answers."""

    def __init__(self, journal: Journal, count: int) -> None:
        self.journal = journal
        self.count = count
        self._batch: Batch | None = None

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or self.count < 1 or self.journal.writer is None:
            return
        assert isinstance(module, PoseTraining)
        if self._batch is None:
            self._batch = _batch(module, self.count)
            self._draw(module, "targets", self._batch, module.targets(self._batch), trainer.global_step)
        fields = _answer(module, self._batch)
        found = replace(self._batch, joints=_people(module, fields), mask=torch.ones_like(self._batch.mask))
        self._draw(module, "answers", found, fields, trainer.global_step)

    def _draw(self, module: PoseTraining, name: str, batch: Batch, fields: Rendered, step: int) -> None:
        picture = sheet(batch, fields, module.card.skeleton, rgb=module.card.channels == "RGB")
        assert self.journal.writer is not None
        self.journal.writer.add_image(name, np.ascontiguousarray(picture[..., ::-1]), step, dataformats="HWC")


def _batch(module: PoseTraining, count: int) -> Batch:
    """The first crops of the run; of streams, which cannot be read twice for this, none."""
    crops = Crops(module.config, module.card, augmented=not module.config.overfit)
    readable = [position for position in range(100 * count) if crops.mix.entry(position)[0] not in crops.streams]
    return join([crops.batch([position]) for position in readable[:count]])


@torch.no_grad()
def _answer(module: PoseTraining, batch: Batch) -> Rendered:
    last = module.answers(batch.images.to(module.device))[-1].both()
    heatmaps, pafs = (field.float().cpu() for field in last)
    return Rendered(heatmaps, pafs, torch.ones_like(heatmaps), torch.ones_like(pafs))


def _people(module: PoseTraining, answer: Rendered) -> torch.Tensor:
    """(B, P, J, 2) joints in crop pixels, NaN where nothing was found."""
    card = module.card
    rows, columns = answer.heatmaps.shape[2:]
    height, width = rows * card.stride, columns * card.stride
    grid = Grid(height, width, height, width, height, width, card.stride)
    heat, pafs, grids = answer.heatmaps.numpy(), answer.pafs.numpy(), (grid,) * len(answer.heatmaps)
    pafs = pafs.reshape(len(grids), -1, 2, rows, columns)
    fields = Fields(heat, pafs, grids, card.skeleton, card.paf_offset, card.heat_offset)
    options = DecodeOptions(min_person_score=0.2)
    found = people(candidates(fields, options), options)
    most = max(1, max(map(len, found)))
    joints = torch.full((len(found), most, len(card.skeleton.joints), 2), torch.nan)
    for row, some in zip(joints, found, strict=True):
        row[: len(some)] = torch.from_numpy(some.xy)
    return joints
