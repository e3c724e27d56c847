"""Distillation: what a frozen network says of the same crops, as targets on the student's grid."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from openpose_ros.average import Pass, aligned
from openpose_ros.backends.torch import AnswerFromBytes
from openpose_ros.card import Card, file_digest
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.networks.frozen import frozen
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, TeacherConfig
from openpose_ros.training.targets import Rendered
from openpose_ros.weights.catalogue import find_card
from openpose_ros.weights.store import load_network, replacing

_log = logging.getLogger(__name__)


class Teacher:
    """Answers as :class:`Targets` does, from what it sees instead of from labels.

    Several scales and the mirrored crop are averaged, each read at the exact places of the student's cells, with the
    offsets of the student's card.
    """

    def __init__(
        self, config: TeacherConfig, student: Card, device: torch.device, precision: torch.dtype = torch.float32
    ) -> None:
        """Load the teacher.

        Raises:
            CardError: its card or weights cannot be read.
            ConfigError: it knows another skeleton than the student, or a scale is out of range.
        """
        self.card = Card.load(find_card(config.model))
        if self.card.skeleton.joints != student.skeleton.joints or self.card.skeleton.limbs != student.skeleton.limbs:
            raise ConfigError(
                f"teacher.model {config.model} answers for {self.card.skeleton.name}, the student for "
                f"{student.skeleton.name}; they must have the same joints and limbs"
            )
        if not config.scales or not all(0.1 <= scale <= 8.0 for scale in config.scales):
            raise ConfigError(f"teacher.scales is {config.scales}; expected numbers from 0.1 to 8")
        self.config = config
        self.student = student
        self.device = device
        network: nn.Module = AnswerFromBytes(load_network(self.card), self.card, precision).to(device)
        if device.type == "cpu":
            network = frozen(network, torch.zeros((1, 64, 64, 3), dtype=torch.uint8))
        self.network = network
        self.cache = Path(config.cache).expanduser() if config.cache else None
        about = (
            file_digest(self.card.verified_weights()), config.scales, config.flip, precision,
            student.stride, student.channels, student.paf_offset, student.heat_offset,
        )  # fmt: skip
        self._about = repr(about).encode()

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Rendered:
        """The teacher's fields of the crops, on the batch's device; every cell counts."""
        known = [self._remembered(path) for path in self._paths(batch)] if self.cache else [None] * len(batch)
        new = [index for index, answer in enumerate(known) if answer is None]
        if new:
            answers = self._answers(batch.images[new])
            for index, answer in zip(new, answers, strict=True):
                known[index] = answer
                if self.cache:
                    self._remember(batch.images[index], answer)
        both = torch.stack([answer.to(batch.images.device) for answer in known if answer is not None])
        channels = len(self.student.skeleton.joints) + 1
        heatmaps, pafs = both[:, :channels], both[:, channels:]
        return Rendered(heatmaps, pafs, torch.ones_like(heatmaps), torch.ones_like(pafs))

    def _answers(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) bytes in the student's channel order -> (B, J + 1 + 2 L, h, w) float32."""
        height, width = images.shape[2:]
        base = Grid(height, width, height, width, height, width, self.student.stride)
        pictures = images.to(self.device)
        if self.student.channels == "RGB":  # the network takes BGR, as everything here does
            pictures = pictures.flip(1)
        passes = []
        for scale in self.config.scales:
            side = max(self.card.stride, round(min(height, width) * scale))
            grid = Grid.short_side(height, width, side, self.card.stride)
            for mirrored in (False, True) if self.config.flip else (False,):
                shown = self._resized(pictures.flip(3) if mirrored else pictures, grid)
                heatmaps, pafs = self.network(shown.permute(0, 2, 3, 1).contiguous())
                fields = Fields(
                    heatmaps, pafs.unflatten(1, (-1, 2)), (grid,) * len(images), self.card.skeleton,
                    self.card.paf_offset, self.card.heat_offset,
                )  # fmt: skip
                passes.append(Pass(fields, mirrored))
        both = aligned(passes, (base,) * len(images), self.student.paf_offset, self.student.heat_offset)
        return torch.cat([both.heatmaps, both.pafs.flatten(1, 2)], 1)

    def _resized(self, images: Tensor, grid: Grid) -> Tensor:
        size = (grid.resized_height, grid.resized_width)
        if size != tuple(images.shape[2:]):
            smooth = nn.functional.interpolate(images.float(), size, mode="bilinear", antialias=True)
            images = smooth.round().clamp(0, 255).to(torch.uint8)
        return nn.functional.pad(images, (0, grid.pad_right, 0, grid.pad_bottom), value=self.card.pad_value)

    def _paths(self, batch: Batch) -> list[Path]:
        return [self._path(image) for image in batch.images]

    def _path(self, image: Tensor) -> Path:
        """By the crop's very pixels, so that no setting can make a stored answer wrong."""
        assert self.cache is not None
        name = hashlib.blake2b(self._about + image.cpu().numpy().tobytes(), digest_size=16).hexdigest()
        return self.cache / name[:2] / f"{name}.npy"

    def _remembered(self, path: Path) -> Tensor | None:
        try:
            return torch.from_numpy(np.load(path).astype(np.float32))
        except FileNotFoundError:
            return None
        except (ValueError, EOFError, OSError) as error:
            _log.warning("the teacher's answer %s is torn and made anew: %s", path, error)
            return None

    def _remember(self, image: Tensor, answer: Tensor) -> None:
        path = self._path(image)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, answer.cpu().numpy().astype(np.float16))
