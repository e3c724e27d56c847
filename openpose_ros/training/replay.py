"""A step whose loss was no number, once more and slowly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError

import torch

from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, RunConfig
from openpose_ros.training.module import PoseTraining
from openpose_ros.training.run import prepared


def replay(config: RunConfig, path: Path) -> str:
    """Repeat a step whose loss was no number, and say where the numbers end.

    Args:
        config: of the run.
        path: what the run wrote when it stopped.

    Raises:
        ConfigError: the file cannot be read or is of another network.
    """
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        batch = Batch(**kept["batch"])
        module = prepared(replace(config, precision="fp32", start="random"))
        module.network.load_state_dict(kept["network"])
    except (OSError, RuntimeError, KeyError, TypeError, UnpicklingError) as error:
        raise ConfigError(f"{path} cannot be replayed: {' '.join(str(error).split())[:200]}") from None
    module.setup("fit")
    return "\n".join(_diagnosis(module, batch))


def _diagnosis(module: PoseTraining, batch: Batch) -> Iterator[str]:
    wrong = [name for name, value in module.network.state_dict().items() if not torch.isfinite(value.float()).all()]
    yield f"weights that are not finite: {', '.join(wrong) or 'none'}"
    largest = max(module.network.state_dict().items(), key=lambda item: float(item[1].float().abs().max()))
    yield f"largest weight: {float(largest[1].float().abs().max()):.4g} in {largest[0]}"
    yield f"crops: {', '.join(batch.photos)}"
    loss, found = module.compared(batch)
    yield f"loss in float32: {float(loss):.6g}"
    for kind, parts_of_kind in found.items():
        for number, part in enumerate(parts_of_kind):
            yield f"  {kind}, stage {number}: heatmaps {float(part.heatmaps):.6g}, PAFs {float(part.pafs):.6g}"
