"""Lists of photos that papers report on, by name or from a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpose_ros.card import Card
from openpose_ros.evaluation.coco import DatasetError

FOLDER = Path(__file__).with_name("splits")

IN_TRAIN2017 = {"coco2014-val-1k": 998}
"""Photos of a named split that COCO put into train2017, when it divided the photos of 2014 anew."""


@dataclass(frozen=True)
class Split:
    """Some photos of a dataset.

    Attributes:
        name: of the split, or of the file that lists it.
        ids: COCO's numbers of the photos.
        in_train2017: how many of them are in COCO train2017; 0 where nothing is known.
    """

    name: str
    ids: frozenset[int]
    in_train2017: int = 0

    def seen_in_training(self, card: Card) -> int:
        """How many of the photos a network saw when it was trained, as far as its card tells."""
        return self.in_train2017 if "train2017" in _texts([card.source, card.notes, card.accuracy]) else 0


def named_splits() -> list[str]:
    """Names that :func:`load_split` knows."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def load_split(name: str) -> Split:
    """A named split, or a file with the ids or file names of photos, one a line or many.

    A line may hold more than a photo's name, as the lists that come with papers do; ``#`` begins a remark.

    Raises:
        DatasetError: no such split or file, or nothing in it names a photo.
    """
    path = FOLDER / f"{name}.txt" if name in named_splits() else Path(name)
    try:
        lines = [line.partition("#")[0] for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        raise DatasetError(
            f"there is no split {name!r}; expected {', '.join(named_splits())} or a text file of photo ids"
        ) from None
    ids = frozenset(number for line in lines for number in _ids(line))
    if not ids:
        raise DatasetError(f"{path} names no photo; expected ids such as 785 or names such as 000000000785.jpg")
    return Split(name if path.parent == FOLDER else path.name, ids, IN_TRAIN2017.get(name, 0))


def _ids(line: str) -> list[int]:
    """COCO's numbers in a line: of the file names where there are any, else of the words that are numbers."""
    files = re.findall(r"(\d+)\.(?:jpe?g|png)\b", line, re.IGNORECASE)
    return [int(number) for number in files or [word for word in re.split(r"[\s,]+", line) if word.isdecimal()]]


def _texts(values: Any) -> str:
    """All texts in nested tables, one after the other, without spaces."""
    if isinstance(values, Mapping):
        return _texts(list(values.values()))
    if isinstance(values, (list, tuple)):
        return " ".join(map(_texts, values))
    return re.sub(r"\s+", "", str(values)).lower()
