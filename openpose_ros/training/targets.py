"""Crops' people -> the fields that a perfect network would answer, drawn on the training device.

The same drawing as :mod:`openpose_ros.render`, for batches of tensors: heatmaps and PAFs share one pixel convention.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from openpose_ros.render import CUT
from openpose_ros.skeleton import Skeleton
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import TargetConfig

TOGETHER = 32
"""People that are drawn at once: as many as fit into the caches of a CPU, enough to fill a GPU."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """Targets of B crops and how much each of their cells counts, all float32.

    Attributes:
        heatmaps: (B, J + 1, h, w), the last channel the background.
        pafs: (B, 2 L, h, w), x and y of one limb after the other.
        heat_weight, paf_weight: of the same shapes, 0 where nothing is known.
    """

    heatmaps: Tensor
    pafs: Tensor
    heat_weight: Tensor
    paf_weight: Tensor


class Targets:
    """Draws batches for one skeleton and stride."""

    def __init__(
        self,
        skeleton: Skeleton,
        stride: int,
        config: TargetConfig,
        *,
        paf_offset: float = 0.0,
        heat_offset: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """The offsets are the card's, in cells: other than 0 only to go on with weights that were trained so."""
        self.stride = stride
        self.paf_offset = paf_offset
        self.heat_offset = torch.tensor(heat_offset)
        self.spread = 2.0 * (config.sigma / stride) ** 2
        self.width = config.limb_width / stride
        self.starts = [start for start, _ in skeleton.limbs]
        self.ends = [end for _, end in skeleton.limbs]

    def __call__(self, batch: Batch) -> Rendered:
        """Targets on the batch's device."""
        height, width = batch.mask.shape[1:]
        cells = (batch.joints + 0.5) / self.stride - 0.5 + self.heat_offset.to(batch.joints)
        heatmaps, pafs = self._drawn(cells, height, width)
        mask, known = batch.mask[:, None], batch.labelled
        # Nothing is background where a joint that the source does not label may be.
        with_background = torch.cat([known, known.all(1, keepdim=True)], 1)
        limbs = (known[:, self.starts] & known[:, self.ends]).repeat_interleave(2, 1)
        return Rendered(
            torch.cat([heatmaps, 1.0 - heatmaps.amax(1, keepdim=True)], 1),
            pafs,
            mask * with_background[:, :, None, None],
            mask * limbs[:, :, None, None],
        )

    def _drawn(self, cells: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """(B, P, J, 2) joints in cells -> heatmaps (B, J, h, w) and PAFs (B, 2 L, h, w)."""
        crops, _, joints, _ = cells.shape
        heatmaps = cells.new_zeros((crops, joints, height, width))
        pafs = cells.new_zeros((crops, len(self.starts), 2, height, width))
        drawn = cells.new_zeros((crops, len(self.starts), height, width))
        columns = torch.arange(width, dtype=cells.dtype, device=cells.device)
        rows = torch.arange(height, dtype=cells.dtype, device=cells.device)
        # Who has no joint at all only fills up the batch.
        crop, person = torch.nonzero(cells.isfinite().all(-1).any(-1), as_tuple=True)
        for some in range(0, len(crop), TOGETHER):
            where = crop[some : some + TOGETHER]
            people = cells[where, person[some : some + TOGETHER]]
            heat = self._heat(people, rows, columns)
            heatmaps.scatter_reduce_(0, where[:, None, None, None].expand_as(heat), heat, "amax")
            inside, unit = self._limbs(people + self.paf_offset, rows, columns)
            drawn.index_add_(0, where, inside)
            pafs.index_add_(0, where, inside[:, :, None] * unit[..., None, None])
        pafs /= drawn.clamp(min=1.0)[:, :, None]
        return heatmaps, pafs.flatten(1, 2)

    def _heat(self, people: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """(N, J, 2) -> (N, J, h, w), Gaussians that end where they fall below 1 %."""
        # An unknown joint is far away from everything.
        x, y = people.nan_to_num(1e6).unbind(-1)
        across = (columns - x[..., None]).square() / self.spread
        down = (rows - y[..., None]).square() / self.spread
        exponent = down[..., :, None] + across[..., None, :]
        return torch.where(exponent <= CUT, torch.exp(-exponent), 0.0)

    def _limbs(self, people: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """(N, J, 2) -> where each limb is drawn (N, L, h, w), 0 or 1, and its unit vector (N, L, 2)."""
        start, end = people[:, self.starts], people[:, self.ends]
        along = end - start
        length = along.norm(dim=-1)
        exists = length.isfinite() & (length > 1e-6)
        unit = torch.where(exists[..., None], along / length.clamp(min=1e-6)[..., None], 0.0)
        start = torch.where(exists[..., None], start, 0.0)
        dx = columns - start[..., 0, None]
        dy = rows - start[..., 1, None]
        ux, uy = unit[..., 0, None], unit[..., 1, None]
        forward = (dy * uy)[..., :, None] + (dx * ux)[..., None, :]
        sideways = ((dx * uy)[..., None, :] - (dy * ux)[..., :, None]).abs()
        length = torch.where(exists, length, -1e6)[..., None, None]
        inside = (forward >= -self.width) & (forward <= length + self.width) & (sideways <= self.width)
        return inside.to(people.dtype), unit
