"""AP on the way: the network as it is now, seen through the Estimator that everybody else uses."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from openpose_ros.backends.torch import AnswerFromBytes
from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.fields import Array, Fields
from openpose_ros.options import InputOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Batch


class LiveBackend:
    """A network in training as a backend; see :class:`~openpose_ros.backends.Backend`. It must be in eval mode."""

    name = "training"
    precision = "float32"

    def __init__(self, network: nn.Module, card: Card, device: torch.device) -> None:
        self.card = card
        self.device = str(device)
        self._device = device
        self._answer = AnswerFromBytes(network, card, torch.float32).to(device)

    def __call__(self, batch: Batch) -> Fields:
        images = torch.from_numpy(batch.images).to(self._device)
        with torch.inference_mode():
            heatmaps, pafs = self._answer(images)
        return Fields(
            self._given(heatmaps), self._given(pafs.unflatten(1, (-1, 2))), batch.grids, self.card.skeleton,
            self.card.paf_offset, self.card.heat_offset,
        )  # fmt: skip

    def close(self) -> None:
        pass

    def _given(self, tensor: torch.Tensor) -> Array:
        return tensor.cpu().numpy()


class Validation:
    """Annotated photos, shared out over the processes, and the AP that they give.

    People are ranked by their plain evidence here: what a card has learned about its network's scores holds no longer
    for a network in training.
    """

    def __init__(self, photos: AnnotatedPhotos, input_size: str) -> None:
        self.photos = photos
        self.inputs = InputOptions(input_size=input_size)
        self._estimator: Estimator | None = None
        self._found: dict[int, People] = {}
        self._began = 0.0

    def indices(self, rank: int, world: int) -> list[int]:
        """The photos that one process looks at."""
        return list(range(rank, len(self.photos), world))

    def begin(self, network: nn.Module, card: Card, device: torch.device) -> None:
        """Take the network as it is now."""
        self._estimator = Estimator(LiveBackend(network, card, device), self.inputs)
        self._found, self._began = {}, time.perf_counter()

    def look(self, index: int) -> None:
        """Find the people of one photo."""
        assert self._estimator is not None
        self._found[index] = self._estimator(self.photos.photos[index].read())

    def measured(self, trainer: Any) -> dict[str, float]:
        """COCO's measures in percent over all processes' photos, and the seconds they took; the same everywhere."""
        assert self._estimator is not None
        self._estimator.close()
        self._estimator = None
        found = self._found
        if trainer.world_size > 1:
            everybody: list[Any] = [None] * trainer.world_size
            dist.all_gather_object(everybody, found)
            found = {index: people for part in everybody for index, people in part.items()}
        measures = self.photos.measure([found[index] for index in range(len(self.photos))])
        return {**measures, "validation_seconds": time.perf_counter() - self._began}
