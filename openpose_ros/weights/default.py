"""Which network runs when none is named: the bundled one, else one that lies on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from openpose_ros.card import Card, CardError
from openpose_ros.weights.catalogue import INT8, cache_folder, model_folders

ROOT = Path(__file__).resolve().parents[2]

ZOO_ARCHIVE = ROOT / ".." / "shared" / "models" / "openvino-human-pose-estimation-0001" / "float_weights.npz"
"""Weights of Open Model Zoo's network beside the checkout, where developers keep them."""

ZOO, THIN = "human-pose-estimation-0001", "mobilenet_thin"
"""Names under which ``convert`` puts them into the user's cache."""


def default_model() -> Path:
    """Card of the network to take; nothing is downloaded.

    Raises:
        CardError: there is none; the text says how to get one.
    """
    model = local_model()
    if model is None:
        raise CardError(
            "no network is installed: name one with --model, or let the demo or `python -m openpose_ros download "
            "mobilenet_thin` fetch a small one (8 MB)"
        )
    return model


def local_model() -> Path | None:
    """Card of the best network on this machine: bundled, beside the checkout, or in the user's cache; else None."""
    for folder in model_folders():
        cards = sorted(path for path in folder.glob("*.yaml") if not path.stem.endswith(INT8))
        if folder != cache_folder() and cards:
            return cards[0]
    if ZOO_ARCHIVE.is_file():
        return _converted(ZOO_ARCHIVE, ZOO)
    if _is_whole(converted := cache_folder() / f"{ZOO}.yaml"):
        return converted
    if (downloaded := cache_folder() / f"{THIN}.pb").is_file():
        return _converted(downloaded, THIN)
    return None


def accuracy(card: Card) -> str:
    """What a card says of its accuracy, in words."""
    if "AP" not in card.accuracy:
        return "accuracy not stated"
    return f"{card.accuracy['AP']} AP on {card.accuracy.get('photos', 'photos that its card does not name')}"


def _converted(source: Path, name: str) -> Path:
    """Card in the cache of a foreign weight file, converted again when the file or the conversion is newer."""
    path = cache_folder() / f"{name}.yaml"
    own = (part for part in Path(__file__).parent.rglob("*") if part.is_file() and part.suffix != ".pyc")
    made_of = [source, *own]
    if not _is_whole(path) or path.stat().st_mtime < max(part.stat().st_mtime for part in made_of):
        from openpose_ros.weights.convert import convert

        convert(source, cache_folder(), name)
        os.utime(path)
    return path


def _is_whole(path: Path) -> bool:
    try:
        return bool(Card.load(path).verified_weights())
    except CardError:
        return False
