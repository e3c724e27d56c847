"""Annotations and folders of photos -> records. What cannot be used is counted and named in the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openpose_ros.media import PHOTO_SUFFIXES
from openpose_ros.skeleton import COCO_17
from openpose_ros.training.config import ConfigError
from openpose_ros.training.data.picture import PhotoError, Picture, size_of
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report

ALIKE = 0.5
"""Boxes that overlap by this intersection over union are of the same person."""


def coco_records(annotations: Path, images: Path, report: Report) -> Iterator[Record]:
    """Photos of a COCO ``person_keypoints`` file, in its order. ``instances`` work too: everybody is masked.

    Raises:
        ConfigError: the file or the folder is missing, or it is not of COCO's form.
    """
    if not annotations.is_file():
        raise ConfigError(f"there is no annotation file {annotations}")
    folder = existing_folder(images)
    try:
        table = json.loads(annotations.read_bytes())
        categories = [c for c in table.get("categories", ()) if c.get("keypoints") or c.get("name") == "person"]
        entries = list(table["images"])
        by_photo: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in entries}
        people = {category["id"] for category in categories}
        for annotation in table["annotations"]:
            if people and annotation.get("category_id", next(iter(people))) not in people:
                continue
            if annotation["image_id"] in by_photo:
                by_photo[annotation["image_id"]].append(annotation)
            else:
                report.drop("annotation of a photo that is not listed", str(annotation["image_id"]))
        names = tuple(map(str, (categories[0].get("keypoints") if categories else None) or COCO_17.joints))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{annotations} is not a COCO annotation file: {error!r}") from None
    for entry in entries:
        name = str(entry.get("file_name", ""))
        path = folder / name
        if not name or not path.is_file():
            report.drop("photo missing", name or f"id {entry['id']}")
            continue
        yield Record(Picture(str(path)), name, _stated_size(entry), names, tuple(by_photo[entry["id"]]))


def yolo_records(
    images: Path, labels: Path, report: Report, names: Sequence[str] = COCO_17.joints, boxes: Path | None = None
) -> Iterator[Record]:
    """Photos with a YOLO-pose text file each: ``class cx cy w h`` and x, y, v (or x, y) of each keypoint, all relative.

    Photos without a text file are left alone: nobody said who is in them.

    Args:
        images, labels: folders; photo and text have the same stem, or the same path below their folders.
        report: of the source.
        names: of the keypoints in the texts' order.
        boxes: folder of further texts with the boxes of all people; those that nobody with keypoints fills are masked.

    Raises:
        ConfigError: a folder is missing.
    """
    existing_folder(labels)
    if boxes is None:
        report.notes.append(
            "people without keypoints are unknown there and count as background; settings.boxes names a folder of "
            "all people's boxes"
        )
    else:
        existing_folder(boxes)
    for path in photo_paths(images):
        name = str(path.relative_to(images))
        text = labels / Path(name).with_suffix(".txt")
        if not text.is_file():
            continue
        try:
            size = size_of(Picture(str(path)).read())
        except PhotoError as error:
            report.drop(str(error), name)
            continue
        people = [_yolo_person(line, names, size) for line in text.read_text().splitlines() if line.strip()]
        if boxes is not None and (more := boxes / Path(name).with_suffix(".txt")).is_file():
            all_boxes = [_yolo_person(line, (), size) for line in more.read_text().splitlines() if line.strip()]
            people += [box for box in all_boxes if all(_overlap(box, person) < ALIKE for person in people)]
        yield Record(Picture(str(path)), name, size, tuple(names), tuple(people))


def photo_records(images: Path, report: Report) -> Iterator[Record]:
    """All photos of a folder, without labels.

    Raises:
        ConfigError: the folder is missing or holds no photo.
    """
    for path in photo_paths(images):
        yield Record(Picture(str(path)), str(path.relative_to(images)))


def photo_paths(images: Path) -> list[Path]:
    """Photos of a folder and of those in it, sorted.

    Raises:
        ConfigError: the folder is missing or holds no photo.
    """
    found = existing_folder(images).rglob("*")
    paths = sorted(p for p in found if p.suffix.lower() in PHOTO_SUFFIXES and not p.name.startswith("."))
    if not paths:
        raise ConfigError(f"there is no photo in the folder {images}; expected files such as .jpg or .png")
    return paths


def existing_folder(path: Path) -> Path:
    """The folder; a ConfigError where there is none."""
    if not path.is_dir():
        raise ConfigError(f"there is no folder {path}")
    return path


def _stated_size(entry: dict[str, Any]) -> tuple[int, int] | None:
    try:
        height, width = int(entry["height"]), int(entry["width"])
    except (KeyError, TypeError, ValueError):
        return None
    return (height, width) if min(height, width) > 0 else None


def _yolo_person(line: str, names: Sequence[str], size: tuple[int, int]) -> dict[str, Any]:
    """One line as COCO has it. What is malformed stays so: the labels' checks count and name it."""
    height, width = size
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        return {"keypoints": [None] * 3 * len(names)} if names else {}
    person: dict[str, Any] = {}
    if len(numbers) >= 5:
        x, y, across, down = numbers[1:5]
        person["bbox"] = [(x - across / 2) * width, (y - down / 2) * height, across * width, down * height]
    rest = numbers[5:]
    if not names or not rest:
        return person
    if len(rest) == 2 * len(names):
        pairs = zip(rest[0::2], rest[1::2], strict=True)
        rest = [value for x, y in pairs for value in (x, y, 2.0 * (x != 0.0 or y != 0.0))]
    return person | {
        "keypoints": [value * (width, height, 1)[place % 3] for place, value in enumerate(rest)],
    }


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Intersection over union of two boxes; 0 where one has none."""
    if "bbox" not in one or "bbox" not in other:
        return 0.0
    (left, top, width, height), (x, y, across, down) = one["bbox"], other["bbox"]
    shared = max(0.0, min(left + width, x + across) - max(left, x))
    shared *= max(0.0, min(top + height, y + down) - max(top, y))
    return float(shared / max(width * height + across * down - shared, 1e-9))
