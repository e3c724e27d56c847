"""What a training step costs: the network alone, with targets and light, and with the loader behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from openpose_ros.training.batch import Batch
from openpose_ros.training.config import RunConfig
from openpose_ros.training.data import loader
from openpose_ros.training.memory import keep_memory
from openpose_ros.training.run import prepared

ROUNDS = 3


def rows(config: RunConfig, steps: int) -> Iterator[dict[str, Any]]:
    """One row for each part of a step, each with its crops a second and its share of the whole step's time.

    Raises:
        ConfigError, CardError: the configuration cannot be used.
    """
    keep_memory()
    module = prepared(replace(config, validation=replace(config.validation, annotations="")))
    device = torch.device("cuda" if torch.cuda.is_available() and config.accelerator != "cpu" else "cpu")
    module.to(device)
    module.setup("fit")
    module.train()
    batches = iter(loader(config, module.card))
    cached = next(batches).to(device)
    targets = module.targets(cached)

    def forward_and_back(loss: Callable[[], Tensor]) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            value = loss()
        torch.autograd.backward(value)
        module.on_after_backward()
        module.optimiser.step()
        module.optimiser.zero_grad()
        for twin in module.twins:
            twin.refresh()

    def network() -> None:
        forward_and_back(lambda: module.losses.total(module.losses(module.answers(cached.images), targets)))

    def from_cache() -> None:
        forward_and_back(lambda: module.compared(cached)[0])

    def from_loader() -> None:
        batch: Batch = next(batches).to(device, non_blocking=True)
        forward_and_back(lambda: module.compared(batch)[0])

    kinds = {
        "network, one cached batch": network,
        "with targets and light, one cached batch": from_cache,
        "with the loader": from_loader,
    }
    # The quickest of several rounds, because other programs can only slow a step down.
    rounds = [{what: _seconds(step, device, steps) for what, step in kinds.items()} for _ in range(ROUNDS)]
    spent = {what: min(one[what] for one in rounds) for what in kinds}
    whole = spent["with the loader"]
    for what, seconds in spent.items():
        yield {
            "what": what,
            "mean_ms": round(1e3 * seconds, 1),
            "crops_per_second": round(config.batch / seconds, 1),
            "share": round(seconds / whole, 3),
        }


def _seconds(step: Callable[[], None], device: torch.device, steps: int) -> float:
    """Mean duration of a step: a loader delivers in bursts, which a median would hide."""
    for _ in range(2):
        step()
    _wait(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return (time.perf_counter() - began) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
