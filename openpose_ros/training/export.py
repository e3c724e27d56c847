"""A trained network as others use it: half-precision weights without batch normalisation, and their card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from openpose_ros.card import Card, file_digest
from openpose_ros.networks import build
from openpose_ros.training.average_weights import RunningMean
from openpose_ros.training.config import ConfigError, RunConfig
from openpose_ros.weights.fold import folded
from openpose_ros.weights.start import load_start
from openpose_ros.weights.store import save_tensors

FOLDER = "model"


def export(config: RunConfig, checkpoint: Mapping[str, Any], folder: Path, about: Mapping[str, Any]) -> Path:
    """Write ``<name>.safetensors`` (float16) and its card ``<name>.yaml``.

    Args:
        config: of the run.
        checkpoint: as :func:`~openpose_ros.training.checkpoints.read` gives it; the running mean is taken if there
            is one.
        folder: where to; made if need be.
        about: ``accuracy``, ``source``, ``licence`` and ``notes`` of the card, as far as known.

    Returns:
        The card's path.

    Raises:
        ConfigError: the weights cannot be mixed with the start's.
    """
    card = Card.load(config.card)
    network = build(card)
    network.load_state_dict(blended(network, config, network_state(checkpoint)))
    weights, settings = folded(network, card)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.name}.safetensors"
    halves = {name: tensor.to(torch.float16).contiguous().numpy() for name, tensor in weights.items()}
    save_tensors(halves, path, {"format": "pt", "trained_by": "openpose_ros"})
    texts = {"source": provenance(config, checkpoint["global_step"]), "accuracy": {}, "notes": "", **about}
    written = replace(
        card, name=config.name, network=settings, weights=path, sha256=file_digest(path), person_score=None,
        min_person_score=0.0, min_joint_score=0.0, published={}, path=None, **texts,
    )  # fmt: skip
    place = path.with_suffix(".yaml")
    written.save(place)
    return place


def provenance(config: RunConfig, steps: int) -> str:
    """Where the weights come from, in a sentence for the card."""
    names = [
        source.name or source.annotations or source.images or " ".join(source.shards) for source in config.data.sources
    ]
    parts = [
        f"trained by openpose_ros for {steps} steps of {config.batch * config.accumulate} crops of {', '.join(names)}"
    ]
    parts.append(f"starting from {config.start}")
    if config.teacher.model:
        parts.append(f"taught by {config.teacher.model}")
    if config.blend != 1.0:
        parts.append(f"{config.blend:g} of it blended with the start")
    return ", ".join(parts)


def blended(network: nn.Module, config: RunConfig, learned: dict[str, Tensor]) -> dict[str, Tensor]:
    """The learned weights, mixed with those that the run started from as ``blend`` says.

    Raises:
        ConfigError: the start has no weights for part of the network, or ``blend`` is not in 0..1.
    """
    if not 0.0 <= config.blend <= 1.0:
        raise ConfigError(f"blend is {config.blend}; expected a share from 0 to 1")
    if config.blend == 1.0:
        return learned
    random = load_start(network, config.start).random
    if random:
        raise ConfigError(f"blend mixes with {config.start}, which has nothing for {random[0]}; expected blend=1")
    return {
        name: torch.lerp(start, learned[name].to(start.dtype), config.blend) if start.is_floating_point() else start
        for name, start in network.state_dict().items()
    }


def network_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The network's weights in a checkpoint, or their running mean if it was kept."""
    state = {
        name.removeprefix("network."): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("network.")
    }
    means = [kept["mean"] for name, kept in checkpoint["callbacks"].items() if name.startswith(RunningMean.__name__)]
    return {**state, **(means[0] if means else {})}
