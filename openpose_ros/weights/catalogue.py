"""Where models are found by name: in the checkout, in the installed package, in the user's cache; int8 files too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.weights.published import PUBLISHED

TRAINABLE = ".card.yaml"
"""What the name of a card without weights ends with."""

INT8 = "-int8"
"""What ``export`` adds to a model's name for the file of the same network in int8."""


def find_card(model: str | Path) -> Path:
    """Path of a card, from a path (card or weight file beside its card) or from a model's name.

    Raises:
        CardError: no such file and no model of that name; the text lists those there are.
    """
    path = Path(model).expanduser()
    if str(model) and (path.exists() or len(path.parts) > 1):
        return path
    known = {card.stem: card for folder in model_folders() for card in sorted(folder.glob("*.yaml"))}
    if str(model) in known:
        return known[str(model)]
    if str(model) in PUBLISHED:
        raise CardError(
            f"the model {str(model)!r} is not installed; `python -m openpose_ros download {model}` fetches it"
        )
    if str(model) in trainable_cards():
        raise CardError(
            f"{model} is a network to train, and no weights of it are installed: `models {model}` says which others "
            f"published, `convert` reads them, `train card={model}` makes your own"
        )
    if path.suffix:  # a name may have a point in it, so that this comes last
        return path
    there = f"models there are: {', '.join(sorted(known))}" if known else "no model is installed by name"
    raise CardError(f"no model {str(model)!r}; {there}; a path of a card (.yaml) or a weight file works too")


def int8_card(card: Card) -> Card:
    """The card of the same network in int8, as ``export`` wrote it: beside the card, or in the user's cache.

    Raises:
        CardError: there is none, or only one that was made of other weights; the text holds the command to make it.
    """
    beside = [card.path.parent] if card.path is not None else []
    digest = card.sha256 or file_digest(card.verified_weights())
    stale = ""
    for folder in (*beside, cache_folder()):
        path = folder / f"{card.name}{INT8}.yaml"
        if not path.is_file():
            continue
        found = Card.load(path)
        if found.network.get("of") == digest:
            return found
        stale = f" ({path} was made of other weights)"
    raise CardError(
        f"{card.name} has no file in int8{stale}; to make one: python -m openpose_ros export --model "
        f"{card.path or card.name} --precision int8 --calibration PHOTOS"
    )


def model_folders() -> Iterator[Path]:
    """Folders that hold cards, later ones overriding earlier: user's cache, what pip or colcon installed, checkout."""
    yield cache_folder()
    for prefix in _prefixes():
        yield Path(prefix) / "share" / "openpose_ros" / "model"
    yield Path(__file__).resolve().parents[2] / "model"


def trainable_cards() -> dict[str, Path]:
    """Cards of the networks that can be trained, by name: checkout before what colcon installed, before pip's."""
    shares = [Path(prefix) / "share" / "openpose_ros" for prefix in _prefixes()]
    folders = [*shares, Path(__file__).resolve().parents[2]]
    found = (card for folder in folders for card in sorted((folder / "config" / "train").glob(f"*{TRAINABLE}")))
    return dict(sorted((card.name.removesuffix(TRAINABLE), card) for card in found))


def cache_folder() -> Path:
    """Where converted and downloaded models are kept for this user."""
    return _cache() / "models"


def downloads_folder() -> Path:
    """Where files are kept as they were published, so that they are fetched once."""
    return _cache() / "downloads"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openpose_ros"


def _prefixes() -> Iterator[str]:
    """Where packages are installed, later ones overriding earlier."""
    yield sys.prefix
    yield from filter(None, reversed(os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)))
