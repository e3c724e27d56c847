"""Networks with random weights: how fast one is does not depend on what it has learned."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.weights.catalogue import find_card, model_folders
from openpose_ros.weights.store import parameter_shapes, save_tensors

_log = logging.getLogger(__name__)

UNTRAINED = "Random weights."
"""What a card says of itself then."""


def measurable(model: str, folder: Path) -> Card:
    """The card of a model; one that names no weights gets random ones, the same at each call.

    Args:
        model: as ``find_card`` takes it, or the name of a network that can be trained, such as ``cmu``.
        folder: where random weights go.

    Raises:
        CardError: there is no such model or network.
    """
    try:
        card = Card.load(find_card(model))
    except CardError:
        described = next((path for path in _descriptions(model) if path.is_file()), None)
        if described is None:
            raise
        card = Card.load(described)
    return (
        card if card.weights is not None or card.network["type"] == "synthetic" else with_random_weights(card, folder)
    )


def with_random_weights(card: Card, folder: Path) -> Card:
    """The card with weights under which the size of what passes through the network neither grows nor vanishes."""
    random = np.random.default_rng(0)
    path = folder / f"{card.name}.safetensors"
    tensors = {name: _random(random, name, shape) for name, shape in parameter_shapes(card).items()}
    save_tensors(tensors, path, {"about": "random weights"})
    card = replace(card, weights=path, sha256=file_digest(path), path=folder / f"{card.name}.yaml", notes=UNTRAINED)
    card.save(folder / f"{card.name}.yaml")
    _log.info("%s names no weights: it is measured with random ones", card.name)
    return card


def _random(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Of a convolution as He et al. draw them (arXiv 1502.01852, 2.2), which keeps the variance; else 0, or 1."""
    if len(shape) > 1:
        return random.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape).astype(np.float32)
    alone = name.endswith(("running_var", "weight"))  # of batch normalisation, and of what a channel is multiplied by
    return np.full(shape, 1.0 if alone else 0.0, np.float32)


def _descriptions(name: str) -> Iterator[Path]:
    """Where cards of networks that can be trained lie, in the checkout and where colcon or pip put them."""
    for folder in (*model_folders(), Path(sys.prefix) / "share" / "openpose_ros" / "model"):
        yield folder.parent / "config" / "train" / f"{name}.card.yaml"
