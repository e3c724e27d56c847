"""What each choice of the decoder is worth: AP and milliseconds with one choice changed at a time.

    python benchmark/ablation.py --model CARD --annotations FILE --images DIR

The network runs once over the photos; every line decodes the same fields. A change replaces one function or number of
the package for as long as its line takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import array_api_compat.numpy
import numpy as np

from openpose_ros import Estimator
from openpose_ros.decode import assemble, decode, decoder, evidence, limbs, peaks, stray
from openpose_ros.evaluation import textbook
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions
from openpose_ros.people import People

Change = Callable[[ExitStack], None]


def main() -> None:
    """Decode and print line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--annotations", required=True, type=Path)
    parser.add_argument("--images", required=True, type=Path)
    arguments = parser.parse_args()
    photos = AnnotatedPhotos(arguments.annotations, arguments.images)
    estimator = Estimator.load(arguments.model, precision="float32")
    fields = [estimator.fields([photo.read()]) for photo in photos]
    print(f"{estimator.card.name}, {len(photos)} photos of {arguments.annotations}, short side 368, one scale\n")
    print("| decoder | AP | AP50 | AP75 | AR | ms |\n| --- | --- | --- | --- | --- | --- |")
    for name, change, options, score in variants(estimator):
        found, spent = [], []
        with ExitStack() as changed:
            change(changed)
            for field in fields:
                shown = adjusted(name, field)
                began = time.perf_counter()
                found += textbook_people(shown) if name == "textbook decoder" else decode(shown, options, score)
                spent.append(1e3 * (time.perf_counter() - began))
        if name == "COCO's half pixel left out":
            found = [replace(people, xy=people.xy - 0.5) for people in found]
        at = photos.measure(found)
        row = " | ".join(f"{at[measure]:.2f}" for measure in ("AP", "AP50", "AP75", "AR"))
        print(f"| {name} | {row} | {statistics.median(spent):.2f} |", flush=True)


def variants(estimator: Estimator) -> Iterator[tuple[str, Change, DecodeOptions, Any]]:
    """Name, change, options and person score of every line; the first is the decoder as it is."""
    usual, learned = DecodeOptions(), estimator.person_score

    def nothing(changed: ExitStack) -> None:
        del changed

    def array_form(changed: ExitStack) -> None:
        changed.enter_context(patch.object(decoder, "_loops", lambda: decoder._Reference))

    def constant(module: Any, name: str, value: Any) -> Change:
        def change(changed: ExitStack) -> None:
            array_form(changed)
            changed.enter_context(patch.object(module, name, value))

        return change

    def cells_only(flat: Any, cell: Any, position: Any, size: int, step: int) -> Any:
        return position.astype(np.float32)

    yield "the decoder as it is", nothing, usual, learned
    yield "the same, in its array form", array_form, usual, learned
    yield "no refinement: centres of cells", constant(peaks, "_summit", cells_only), usual, learned
    yield (
        "PAFs read at the nearest cell",
        constant(limbs, "array_namespace", lambda *arrays: Rounding()),
        usual,
        learned,
    )
    yield "PAF offset 0", nothing, usual, learned
    yield "PAF offset 0.44", nothing, usual, learned
    yield "heat offset 0", nothing, usual, learned
    yield "5 samples", nothing, replace(usual, samples=5), learned
    yield "20 samples", nothing, replace(usual, samples=20), learned
    yield "no short look first", constant(limbs, "PROBE_MEAN", -9.0), usual, learned
    yield "heat threshold 0.02", nothing, replace(usual, heat_threshold=0.02), learned
    yield "heat threshold 0.1", nothing, replace(usual, heat_threshold=0.1), learned
    strict = replace(usual, sample_threshold=0.05, sample_ratio=0.8)
    yield "strict limbs: 8 of 10 samples > 0.05", nothing, strict, learned
    yield "at least 3 joints", nothing, replace(usual, min_joints=3), learned
    old = replace(strict, heat_threshold=0.1, min_joints=3)
    yield "usual acceptance: heat 0.1, strict limbs, 3 joints", nothing, old, learned
    yield "ranked by the limb alone", constant(assemble, "rank", lambda peaks, c: c.score), usual, learned
    yield "groups never merged", constant(decoder._Reference, "assemble", staticmethod(unmerged)), usual, learned
    yield "limbs of any length", constant(stray, "LONGEST", np.inf), usual, learned
    yield "person score: plain evidence", nothing, usual, evidence
    yield "COCO's half pixel left out", nothing, usual, learned
    yield "missing joints completed", nothing, replace(usual, complete=True), learned
    yield "textbook decoder", nothing, usual, evidence


def adjusted(name: str, fields: Fields) -> Fields:
    """The fields with the offset that a line is about."""
    offsets = {
        "PAF offset 0": {"paf_offset": 0.0},
        "PAF offset 0.44": {"paf_offset": 0.44},
        "heat offset 0": {"heat_offset": (0.0, 0.0)},
    }
    return replace(fields, **offsets.get(name, {}))


def textbook_people(fields: Fields) -> list[People]:
    """The textbook decoder's people in a list."""
    return [textbook.decode(fields)]


class Rounding:
    """NumPy's namespace of the array API, but places that are clipped to the map are also rounded to its cells."""

    def clip(self, values: Any, low: float, high: float) -> Any:
        """Whole coordinates leave nothing to interpolate."""
        inside = np.clip(values, low, high)
        return np.rint(inside) if inside.dtype == np.float32 else inside

    def __getattr__(self, name: str) -> Any:
        return getattr(array_api_compat.numpy, name)


def unmerged(found: Any, connections: Any, skeleton: Any) -> Any:
    """Assembly that never joins two groups: each connection between two of them is lost."""
    order = np.argsort(-assemble.rank(found, connections), kind="stable")
    owner = np.full(len(found.score), -1)
    kept = []
    for row in order:
        start, end = connections.start[row], connections.end[row]
        if owner[start] >= 0 and owner[end] >= 0 and owner[start] != owner[end]:
            continue
        owner[[start, end]] = owner[start] if owner[start] >= 0 else owner[end] if owner[end] >= 0 else len(kept)
        kept.append(row)
    rows = np.array(sorted(kept), np.int64)
    return assemble.assemble(found, type(connections)(*(c[rows] for c in vars(connections).values())), skeleton)


if __name__ == "__main__":
    main()
