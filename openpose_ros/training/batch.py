"""What the loader hands to the training device: crops and where their people are, nothing rendered yet."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """B crops of one size.

    Attributes:
        images: (B, 3, H, W) uint8, in the order of the card's channels; the card's ``pad_value`` where no photo is.
        joints: (B, P, J, 2) float32 x, y in crop pixels (centres at integers) in the order of the skeleton; NaN
            where a joint is not labelled. P is the largest number of people of a crop of this batch.
        mask: (B, h, w) float32 in 0..1 on the cells of the card's stride: the share of the cell that carries the
            labels' loss. 0 in crowds, on people without joints, and outside of the only labelled person.
        labelled: (B, J) bool, the joints that the crop's source labels; all False for a photo without labels.
        keys: B texts, unique and the same whenever the same photo is cropped the same way: source, photo, view.
        seeds: (B,) int64, for whatever is random on the device: the same in every repetition of the run.
        photos: B names of the photos, for messages.
    """

    images: Tensor
    joints: Tensor
    mask: Tensor
    labelled: Tensor
    keys: tuple[str, ...]
    seeds: Tensor
    photos: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: Any, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory (PyTorch's loader calls this)."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Any) -> Batch:
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **{name: change(tensor) for name, tensor in tensors.items()})


def join(batches: list[Batch]) -> Batch:
    """Crops of several batches as one; people are filled up with NaN."""
    most = max(batch.joints.shape[1] for batch in batches)

    def filled(joints: Tensor) -> Tensor:
        room = joints.new_full((len(joints), most - joints.shape[1], *joints.shape[2:]), torch.nan)
        return torch.cat([joints, room], 1)

    return Batch(
        images=torch.cat([batch.images for batch in batches]),
        joints=torch.cat([filled(batch.joints) for batch in batches]),
        mask=torch.cat([batch.mask for batch in batches]),
        labelled=torch.cat([batch.labelled for batch in batches]),
        keys=tuple(key for batch in batches for key in batch.keys),
        seeds=torch.cat([batch.seeds for batch in batches]),
        photos=tuple(photo for batch in batches for photo in batch.photos),
    )
