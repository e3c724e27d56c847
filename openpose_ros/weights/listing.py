"""What there is to choose from: networks with weights on this machine, and networks to train, each from its card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openpose_ros.card import Card, CardError
from openpose_ros.networks.cost import Cost, cost
from openpose_ros.weights import WeightsError, tf_pose
from openpose_ros.weights.catalogue import cache_folder, model_folders, trainable_cards


@dataclass(frozen=True)
class Entry:
    """A model.

    Attributes:
        card: what is known of it.
        cost: of its network; None for a file with a network of its own that cannot be rebuilt here.
        megabytes: of its weight file, of its parameters in float32 where there is none.
        ap, photos: accuracy in COCO's percent and on what it was measured; None: not known. Of a network without
            weights that of the published ones.
        licence: of the weights; of the published ones where there are none here.
        weights: where they are, or which ones others published.
    """

    card: Card
    cost: Cost | None
    megabytes: float | None
    ap: float | None
    photos: str
    licence: str
    weights: str


def installed(height: int, width: int) -> Iterator[Entry | CardError]:
    """Models with weights: bundled, installed, in the user's cache; a card that cannot be read is told in its place."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        found |= {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    for path in found.values():
        try:
            card = Card.load(path)
            yield _with_weights(card, height, width)
        except CardError as error:
            yield error


def trainable(height: int, width: int) -> Iterator[Entry]:
    """Networks without weights, each a card of ``config/train``.

    Raises:
        CardError: one cannot be read or built.
    """
    for path in trainable_cards().values():
        card = Card.load(path)
        known = card.published
        found = cost(card, height, width)
        yield Entry(
            card,
            found,
            4e-6 * found.parameters,
            _number(known.get("AP")),
            str(known.get("photos", "")),
            str(known.get("licence", "")),
            str(known.get("weights", "")),
        )


def _with_weights(card: Card, height: int, width: int) -> Entry:
    weights = card.weights
    if weights is None or not weights.is_file():
        raise CardError(f"{card.path}: its weights are not there ({weights or 'none are named'})")
    return Entry(
        card,
        _cost(card, height, width),
        weights.stat().st_size / 1e6,
        _number(card.accuracy.get("AP")),
        str(card.accuracy.get("photos", "")),
        card.licence,
        f"{weights}{' (your cache)' if weights.parent == cache_folder() else ''}",
    )


def _cost(card: Card, height: int, width: int) -> Cost | None:
    if card.network["type"] != "graph":
        return cost(card, height, width)
    if card.weights is None or card.weights.suffix != ".pb":
        return None
    try:
        network, _ = tf_pose.described(tf_pose.read(card.weights), card.weights)
    except WeightsError:
        return None
    return cost(replace(card, network=network), height, width)


def _number(given: object) -> float | None:
    return float(given) if isinstance(given, (int, float)) else None
