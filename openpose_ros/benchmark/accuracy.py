"""Every network at hand on the same annotated photos: AP, with one look and with several, and milliseconds."""

from __future__ import annotations

import contextlib
import json
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
from openpose_ros.evaluation.coco import AnnotatedPhotos, from_results
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


WAYS = ("", "_completed", "_textbook")
"""In which the same fields are decoded."""

Seen = tuple[dict[str, list[dict[str, Any]]], dict[str, float]]
"""Of a photo: the people found in each way, as COCO's results, and the milliseconds of each stage."""


class Notes:
    """What one network has found photo by photo, in a file that an interrupted run goes on with.

    Attributes:
        seen: by the photo's number.
    """

    def __init__(self, path: Path | None) -> None:
        """Read what is there; a line that was not finished is left out.

        Args:
            path: of the file; None keeps nothing.
        """
        self.seen: dict[int, Seen] = {}
        self._path = path
        lines = path.read_text().splitlines(keepends=True) if path is not None and path.is_file() else []
        for line in lines:
            if line.endswith("\n"):
                number, found, spent = json.loads(line)
                self.seen[number] = found, spent
        if path is not None and lines and not lines[-1].endswith("\n"):
            path.write_text("".join(lines[:-1]))

    def add(self, photo: int, found: dict[str, list[dict[str, Any]]], spent: dict[str, float]) -> None:
        """Keep a photo."""
        self.seen[photo] = found, spent
        if self._path is not None:
            with self._path.open("a") as stream:
                stream.write(json.dumps((photo, found, spent)) + "\n")

    def remove(self) -> None:
        """Everything was measured."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        cards: the networks.
        looks: names from :data:`LOOKS`.
        photos: annotated ones.
        options: what runs the networks.
        notes: file beside which what was found in each photo is kept while a network is measured; None keeps nothing.
    """

    cards: Sequence[Card]
    looks: Sequence[str]
    photos: AnnotatedPhotos
    options: BackendOptions
    notes: Path | None = None


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
            notes = Notes(plan.notes and plan.notes.with_suffix(f".{card.name}.{looks}.jsonl"))
            with closing(estimator):
                row = about | measured(estimator, plan.photos, notes)
            yield row
            notes.remove()  # only after the row was taken


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


def measured(estimator: Estimator, photos: AnnotatedPhotos, notes: Notes) -> dict[str, Any]:
    """The measures of one estimator; the same fields are decoded in three ways."""
    completing = replace(estimator.decode, complete=True)
    seen: list[Seen] = []
    for photo in tqdm(photos, desc=estimator.card.name, unit="photo", disable=not sys.stderr.isatty()):
        if photo.id not in notes.seen:
            job = estimator.submit([photo.read()])
            (own,) = job.result()
            assert job.found is not None
            (completed,) = people(job.found, completing, estimator.person_score)
            ways = {"": own, "_completed": completed, "_textbook": textbook.decode(job.found.fields)}
            notes.add(photo.id, {way: found.to_coco(photo.id) for way, found in ways.items()}, job.milliseconds)
        seen.append(notes.seen[photo.id])
    found = {
        way: photos.measure([_people(one[way], photos, place) for place, (one, _) in enumerate(seen)]) for way in WAYS
    }
    return {
        **{name: round(found[""][name], 2) for name in ONCE},
        **{f"AP{way}": round(found[way]["AP"], 2) for way in WAYS[1:]},
        "network_ms": round(statistics.median(stages["network"] for _, stages in seen), 1),
        "photo_ms": round(statistics.median(sum(stages.values()) for _, stages in seen), 1),
        "backend": estimator.backend.name,
        "precision": estimator.backend.precision,
        "input": asdict(estimator.inputs),
    }


def _people(rows: list[dict[str, Any]], photos: AnnotatedPhotos, place: int) -> People:
    return from_results([(row["score"], row["keypoints"]) for row in rows], photos.size(photos.photos[place]))


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
