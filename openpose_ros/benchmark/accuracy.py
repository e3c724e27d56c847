"""Every network at hand on the same annotated photos: AP, with one look and with several, and milliseconds."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from openpose_ros.card import Card, CardError
from openpose_ros.decode import people
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation import textbook
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.weights import WeightsError
from openpose_ros.weights.catalogue import model_folders
from openpose_ros.weights.convert import convert

LOOKS = {"one": InputOptions(), "four": InputOptions(scales="1,1.5", flip=True)}
"""By the name that the command calls them: one look at short side 368; it and 552, both mirrored too."""

ONCE = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR")
COLUMNS = (
    "network", "looks", "AP", "AP_completed", "AP_textbook", "AP50", "AP75", "AP_medium", "AP_large", "AR",
    "network_ms", "photo_ms",
)  # fmt: skip
"""``AP_completed``: missing joints completed. ``AP_textbook``: what a textbook decoder makes of the same fields."""

WEIGHTS = (".xml", ".npz", ".pb", ".tflite", ".pth", ".caffemodel", ".npy", ".h5")
"""Files that are offered to ``convert``."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        cards: the networks.
        looks: names from :data:`LOOKS`.
        photos: annotated ones.
        options: what runs the networks.
    """

    cards: Sequence[Card]
    looks: Sequence[str]
    photos: AnnotatedPhotos
    options: BackendOptions


def at_hand(folders: Sequence[Path], into: Path) -> tuple[list[Card], list[str]]:
    """The networks that are installed by name, and those that ``convert`` reads in folders and below them.

    Args:
        folders: of other projects' weight files. Of several files of one network the first one counts.
        into: where what was converted is written.

    Returns:
        The cards, by name, and a sentence for each file that cannot be read.
    """
    cards: dict[str, Card] = {}
    for folder in model_folders():
        for path in sorted(folder.glob("*.yaml")):
            cards[path.stem] = Card.load(path)
    trouble: list[str] = []
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in WEIGHTS)
    for file in sorted(files, key=lambda path: WEIGHTS.index(path.suffix)):
        try:
            card = convert(file, into / str(len(cards) + len(trouble)))
        except (WeightsError, CardError, ImportError) as error:
            trouble.append(f"{file.name}: {error}")
            continue
        cards.setdefault(card.name, card)
    return [cards[name] for name in sorted(cards)], trouble


def rows(plan: Plan, done: Collection[tuple[str, str]] = ()) -> Iterator[dict[str, Any]]:
    """A row for each network and looks that is not among those already ``done``; a network that does not run here
    gives one with the reason."""
    for card in plan.cards:
        for looks in plan.looks:
            if (card.name, looks) in done:
                continue
            about = {"network": card.name, "looks": looks, "licence": card.licence, "images": len(plan.photos)}
            assert card.path is not None
            try:
                estimator = Estimator.load(
                    card.path, **asdict(plan.options), inputs=LOOKS[looks], decode=DecodeOptions()
                )
            except ValueError as error:
                yield {**about, "trouble": str(error)}
                continue
            with closing(estimator):
                yield about | measured(estimator, plan.photos)


def by_turns(plan: Plan, count: int) -> dict[tuple[str, str], dict[str, float]]:
    """Median milliseconds of every network and looks on the same photos, taken by turns.

    What else a machine does meanwhile meets all of them, so that they can be compared, which the times of :func:`rows`
    cannot, as they lie minutes apart.

    Args:
        plan: networks that do not run here are left out.
        count: photos, spread evenly; each is shown twice, as the first look at a new size costs extra.
    """
    photos = [plan.photos.photos[place] for place in np.linspace(0, len(plan.photos) - 1, count).round().astype(int)]
    spent: dict[tuple[str, str], list[dict[str, float]]] = {}
    with ExitStack() as opened:
        estimators = []
        for card in plan.cards:
            assert card.path is not None
            with contextlib.suppress(ValueError):
                estimators.append(Estimator.load(card.path, **asdict(plan.options), decode=DecodeOptions()))
                opened.enter_context(closing(estimators[-1]))
        for photo in tqdm(photos, desc="by turns", unit="photo", disable=not sys.stderr.isatty()):
            image = photo.read()
            for estimator in estimators:
                for looks in plan.looks:
                    estimator.inputs = LOOKS[looks]
                    for _ in range(2):
                        job = estimator.submit([image])
                        job.result()
                    spent.setdefault((estimator.card.name, looks), []).append(job.milliseconds)
    return {
        key: {
            "network_ms": round(statistics.median(stages["network"] for stages in shown), 1),
            "photo_ms": round(statistics.median(sum(stages.values()) for stages in shown), 1),
            "by_turns": len(shown),
        }
        for key, shown in spent.items()
    }


def measured(estimator: Estimator, photos: AnnotatedPhotos) -> dict[str, Any]:
    """The measures of one estimator; the same fields are decoded in three ways."""
    found: dict[str, list[People]] = {"": [], "_completed": [], "_textbook": []}
    spent: list[dict[str, float]] = []
    completing = replace(estimator.decode, complete=True)
    for photo in tqdm(photos, desc=estimator.card.name, unit="photo", disable=not sys.stderr.isatty()):
        job = estimator.submit([photo.read()])
        found[""] += job.result()
        spent.append(job.milliseconds)
        assert job.found is not None
        found["_completed"] += people(job.found, completing, estimator.person_score)
        found["_textbook"].append(textbook.decode(job.found.fields))
    own = photos.measure(found[""])
    return {
        **{name: round(own[name], 2) for name in ONCE},
        **{f"AP{way}": round(photos.measure(found[way])["AP"], 2) for way in ("_completed", "_textbook")},
        "network_ms": round(statistics.median(stages["network"] for stages in spent), 1),
        "photo_ms": round(statistics.median(sum(stages.values()) for stages in spent), 1),
        "backend": estimator.backend.name,
        "precision": estimator.backend.precision,
        "input": asdict(estimator.inputs),
    }


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table of the documentation: a line for each network, what it does with one look and with four."""
    lines = [
        "| network | AP | completed | textbook decoder | ms | four looks: AP | completed | textbook decoder | ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["network"], {})[row["looks"]] = row
    for name, looks in by_name.items():
        cells = [_cells(looks.get(kind, {})) for kind in LOOKS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> str:
    ap = [f"{row[name]:.1f}" if name in row else "-" for name in ("AP", "AP_completed", "AP_textbook")]
    return " | ".join([*ap, f"{row['photo_ms']:.0f}" if "photo_ms" in row else "-"])
