"""Which weights move, how, and at what rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from math import cos, pi
from typing import Any

import torch
from torch import nn

from openpose_ros.training.config import ConfigError, GroupConfig, OptimiserConfig, ScheduleConfig
from openpose_ros.training.plugin import locate


def freeze(network: nn.Module, config: OptimiserConfig) -> list[nn.BatchNorm2d]:
    """Stop the parameters whose rate is 0; returns the normalisations that must keep their statistics.

    Raises:
        ConfigError: a group names no parameter, or nothing is left to learn.
    """
    names = [name for name, _ in network.named_parameters()]
    for group in config.groups:
        for module in group.modules:
            if not any(_belongs(name, module) for name in names):
                tops = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
                raise ConfigError(f"optimiser.groups: no parameter begins with {module!r}; the network has {tops}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(_rate(name, config.groups) > 0.0)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError("optimiser.groups: every parameter has rate 0, so nothing would be learned")
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d) and not any(p.requires_grad for p in module.parameters())
    ]


def optimiser(network: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """The optimiser of everything that is not frozen; biases and normalisations do not decay."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((_rate(name, config.groups), parameter.ndim > 1), []).append(parameter)
    parameters: list[dict[str, Any]] = [
        {"params": members, "lr": config.rate * rate, "weight_decay": config.weight_decay if decays else 0.0}
        for (rate, decays), members in groups.items()
    ]
    kinds = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    kind = locate(config.type, kinds, "optimiser")
    settings: dict[str, Any] = {}
    if config.type == "adamw":
        settings["betas"] = (config.momentum, 0.999)
    elif config.type == "sgd":
        settings["momentum"] = config.momentum
    try:
        made: torch.optim.Optimizer = kind(parameters, **{**settings, **config.settings})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimiser {config.type}: {error}") from None
    return made


def schedule(config: ScheduleConfig, steps: int) -> Callable[[int], float]:
    """Step -> factor on every rate. A function of a user's own gets the step and ``schedule.settings``."""
    end, milestones = config.end, sorted(config.milestones)

    def cosine(step: int) -> float:
        done = min(1.0, max(0, step - config.warmup) / max(1, steps - config.warmup))
        return end + (1.0 - end) * 0.5 * (1.0 + cos(pi * done))

    def staircase(step: int) -> float:
        return float(config.factor ** sum(step >= milestone for milestone in milestones))

    kinds = {"constant": lambda step: 1.0, "cosine": cosine, "step": staircase}
    chosen = locate(config.type, kinds, "schedule")
    settings = config.settings if config.type not in kinds else {}

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
        return warm * float(chosen(step, **settings))

    try:
        factor(0)
    except TypeError as error:
        raise ConfigError(f"schedule {config.type}: {error}") from None
    return factor


def _rate(name: str, groups: list[GroupConfig]) -> float:
    rates = [group.rate for group in groups if any(_belongs(name, module) for module in group.modules)]
    return rates[-1] if rates else 1.0


def _belongs(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.") or fnmatch(name, module)


def parts(network: nn.Module) -> Iterator[tuple[str, int, int]]:
    """Name, parameters and learning parameters of each part of the network, for the log."""
    for name, child in network.named_children():
        sizes = [(p.numel(), p.requires_grad) for p in child.parameters()]
        yield name, sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
