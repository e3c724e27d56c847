"""What ``evaluate`` says: a table of JSON for machines, and the same as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.bootstrap import INTERVAL, RESAMPLES, SEED, Difference
from openpose_ros.evaluation.coco import MEASURES, AnnotatedPhotos
from openpose_ros.evaluation.joints import joint_table
from openpose_ros.evaluation.reliability import ghosts, reliability
from openpose_ros.evaluation.run import Run
from openpose_ros.evaluation.split import Split
from openpose_ros.evaluation.worst import Lost
from openpose_ros.people import People

DECODE = ("peaks", "limbs", "assemble")

JOINT_COLUMNS = {
    "labelled": "labelled",
    "pck_10": "PCK 0.1",
    "pck_20": "PCK 0.2",
    "oks_50": "OKS 0.5",
    "oks_50_of_all": "of all",
}


def report(estimator: Estimator, photos: AnnotatedPhotos, done: Run, annotations: str) -> dict[str, Any]:
    """Accuracy and cost of what an estimator found in photos, and how it was set."""
    card, people = estimator.card, [photo.people for photo in photos]
    at = reliability(done.people, people, card.min_person_score)
    return {
        **{name: round(value, 2) for name, value in photos.measure(done.people).items()},
        "images": len(photos),
        "network_ms": round(done.median("network"), 2),
        "decode_ms": round(done.median(*DECODE), 3),
        "model": card.name,
        "annotations": annotations,
        "backend": estimator.backend.name,
        "device": estimator.backend.device,
        "precision": estimator.backend.precision,
        "input": asdict(estimator.inputs),
        "decode": asdict(estimator.decode),
        "at_min_person_score": {
            "min_person_score": card.min_person_score,
            "precision": round(at.precision, 3),
            "recall": round(at.recall, 3),
        },
        "joints": {
            row.joint: {name: _rounded(value) for name, value in asdict(row).items() if name != "joint"}
            for row in joint_table(done.people, people)
        },
    }


def about_split(split: Split, estimator: Estimator) -> dict[str, Any]:
    """Which split it was, and how many of its photos the network had seen."""
    return {"name": split.name, "photos": len(split.ids), "seen_in_training": split.seen_in_training(estimator.card)}


def about_empty(found: Sequence[People], folder: str, min_person_score: float) -> dict[str, Any]:
    """The people found in photos that show nobody."""
    seen = ghosts(found, min_person_score)
    return {
        "folder": folder,
        "min_person_score": min_person_score,
        "photos": seen.photos,
        "people": seen.people,
        "people_per_photo": round(seen.people / max(1, seen.photos), 3),
        "photos_with_people": seen.haunted,
    }


def about_versus(name: str, differences: Mapping[str, Difference], other: Run | None) -> dict[str, Any]:
    """How B differs from A."""
    cost = {}
    if other is not None:
        cost = {"network_ms": round(other.median("network"), 2), "decode_ms": round(other.median(*DECODE), 3)}
    return {
        "with": name,
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
        **cost,
        "measures": {
            name: {
                "A": round(one.a, 2),
                "B": round(one.b, 2),
                "difference": round(one.b - one.a, 2),
                "low": round(one.low, 2),
                "high": round(one.high, 2),
                "B_better": round(one.better, 4),
                "is_real": one.is_real,
            }
            for name, one in differences.items()
        },
    }


def about_worst(lost: Sequence[Lost]) -> list[dict[str, Any]]:
    """The photos that lose most."""
    return [
        {"id": one.photo.id, "file": one.photo.path.name, "loses": round(one.amount, 3), "why": str(one)}
        for one in lost
    ]


def table(report: Mapping[str, Any]) -> str:
    """The report as text."""
    shown = [name for name in MEASURES if name in report]
    look, decode, at = report["input"], report["decode"], report["at_min_person_score"]
    return "\n".join(
        [
            f"{report['model']} on {report['images']} photos of {report['annotations']}",
            f"  network  {report['backend']} on {report['device']}, {report['precision']}; short side "
            f"{look['input_size']}, scales {look['scales']}, flip {'on' if look['flip'] else 'off'}",
            "  decoder  " + ", ".join(f"{name} {value}" for name, value in decode.items()),
            *_split(report),
            "",
            "  " + "".join(f"{name:>11}" for name in shown),
            "  " + "".join(f"{report[name]:11.2f}" for name in shown),
            "",
            f"  median milliseconds a photo: network {report['network_ms']}, decode {report['decode_ms']}",
            f"  at the card's min_person_score {at['min_person_score']:.3f}: precision {at['precision']:.3f}, "
            f"recall {at['recall']:.3f} (OKS 0.5)",
            *_empty(report),
            "",
            *_joints(report["joints"]),
            *_versus(report),
        ]
    )


def _split(report: Mapping[str, Any]) -> list[str]:
    if "split" not in report:
        return []
    split = report["split"]
    lines = [f"  split    {split['name']}"]
    if split["seen_in_training"]:
        lines.append(
            f"  CAUTION  trained on train2017, which holds {split['seen_in_training']} of the {split['photos']} photos "
            "of this split: the numbers say nothing about new photos"
        )
    return lines


def _empty(report: Mapping[str, Any]) -> list[str]:
    if "empty" not in report:
        return []
    empty = report["empty"]
    return [
        f"  photos without people, at the same score: {empty['people_per_photo']:.3f} people a photo "
        f"({empty['people']} in {empty['photos_with_people']} of {empty['photos']} photos)"
    ]


def _joints(joints: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    lines = ["  " + f"{'joint':16}" + "".join(f"{title:>10}" for title in JOINT_COLUMNS.values())]
    for name, row in joints.items():
        cells = []
        for column in JOINT_COLUMNS:
            value = row[column]
            cells.append(
                f"{value:10d}" if isinstance(value, int) else f"{'-' if value is None else f'{value:.3f}':>10}"
            )
        lines.append(f"  {name.replace('_', ' '):16}" + "".join(cells))
    lines.append(
        "  PCK: within that share of the box's longer side. OKS 0.5: by COCO's similarity of a joint. Both of the"
    )
    lines.append(
        "  labelled joints of people who were found; of all: OKS 0.5, where people who were missed are misses."
    )
    return lines


def _versus(report: Mapping[str, Any]) -> list[str]:
    if "versus" not in report:
        return []
    versus = report["versus"]
    lines = [
        "",
        f"  A is the above, B is {versus['with']}",
        f"  {'':12}{'A':>8}{'B':>8}{'B - A':>9}{'95 % interval':>20}{'B better':>11}",
    ]
    for name, row in versus["measures"].items():
        interval = f"{row['low']:+.2f} to {row['high']:+.2f}"
        lines.append(
            f"  {name:12}{row['A']:8.2f}{row['B']:8.2f}{row['difference']:+9.2f}{interval:>20}"
            f"{100.0 * row['B_better']:9.1f} %{'  *' if row['is_real'] else ''}"
        )
    if "network_ms" in versus:
        lines.append(
            f"  median milliseconds a photo of B: network {versus['network_ms']}, decode {versus['decode_ms']}"
        )
    lines.append(
        f"  {versus['resamples']} resamples of the photos (seed {versus['seed']}); * the interval leaves 0 out: the "
        "difference is hardly one of these photos alone"
    )
    return lines


def _rounded(value: float) -> float | int | None:
    if isinstance(value, int):
        return value
    return None if math.isnan(value) else round(value, 4)
