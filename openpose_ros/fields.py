"""Fields: what a network says about a batch of images, in cells, together with the grids that place them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from openpose_ros.grid import Grid
from openpose_ros.skeleton import Skeleton

Array = Any
"""An array of any namespace of the array API (NumPy, torch, CuPy), on any device."""


@dataclass(frozen=True, eq=False)
class Fields:
    """Heatmaps and part affinity fields of B images.

    Attributes:
        heatmaps: (B, J, H, W) or (B, J + 1, H, W) float32, the last channel being the background, which nothing
            reads. About 0..1; networks overshoot a little on both sides.
        pafs: (B, L, 2, H, W) float32, x and y of the unit vector along each limb, from its first joint to its second.
        grids: B grids, one an image.
        skeleton: names the channels.
        paf_offset: how many cells the PAFs lie right of and below the heatmaps (a fact of the training targets).
        heat_offset: how many cells (x, y) the heatmaps' summits lie right of and below the joints themselves.
    """

    heatmaps: Array
    pafs: Array
    grids: tuple[Grid, ...]
    skeleton: Skeleton
    paf_offset: float = 0.0
    heat_offset: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        joints, limbs = len(self.skeleton.joints), len(self.skeleton.limbs)
        batch, channels, *size = self.heatmaps.shape
        if channels not in (joints, joints + 1):
            raise ValueError(
                f"{channels} heatmaps for the {joints} joints of {self.skeleton.name} (one more for the background)"
            )
        if tuple(self.pafs.shape) != (batch, limbs, 2, *size):
            raise ValueError(
                f"PAFs of shape {tuple(self.pafs.shape)}; the {limbs} limbs of {self.skeleton.name} and heatmaps of "
                f"{tuple(self.heatmaps.shape)} need {(batch, limbs, 2, *size)}"
            )
        if len(self.grids) != batch:
            raise ValueError(f"{len(self.grids)} grids for a batch of {batch}")
        for grid in self.grids:
            if grid.field_size != tuple(size):
                raise ValueError(f"fields of {tuple(size)} cells on a grid of {grid.field_size} (height, width)")

    def __len__(self) -> int:
        return len(self.grids)

    def of(self, first: int, last: int) -> Fields:
        """Those of some of the images, the last one excluded."""
        if (first, last) == (0, len(self)):
            return self
        return replace(
            self,
            heatmaps=self.heatmaps[first:last, ...],
            pafs=self.pafs[first:last, ...],
            grids=self.grids[first:last],
        )
