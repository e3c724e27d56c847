"""Photos with dots where joints are annotated, as COCO writes them down."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_17, COCO_18
from openpose_ros.training.config import RunConfig, SourceConfig

Doubles = npt.NDArray[np.float64]


@pytest.fixture
def card() -> Card:
    """A network that nobody builds here."""
    return Card("tiny", {"type": "lightweight"}, COCO_18)


def draw_dots(height: int, width: int, places: Doubles, spread: float = 3.0) -> npt.NDArray[np.uint8]:
    """(H, W, 3) grey 128 with a bright Gaussian at each of (N, 2) places, pixel centres at integers."""
    rows, columns = np.mgrid[:height, :width]
    bright = np.zeros((height, width))
    for x, y in places:
        bright = np.maximum(bright, np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2)))
    return np.repeat((128 + 120 * bright).round().astype(np.uint8)[..., None], 3, 2)


def annotate(points: Doubles, seen: Sequence[bool] | None = None, **more: Any) -> dict[str, Any]:
    """COCO's annotation of (17, 2) places with pixel centres at integers."""
    flags = np.ones(17, bool) if seen is None else np.asarray(seen)
    low, high = points.min(0), points.max(0)
    box = [*(low + 0.5).tolist(), *(high - low).tolist()]
    keypoints = np.where(flags[:, None], np.column_stack([points + 0.5, np.full(17, 2.0)]), 0.0)
    annotation = {
        "category_id": 1, "iscrowd": 0, "bbox": box, "area": 0.6 * box[2] * box[3],
        "keypoints": keypoints.ravel().tolist(), "num_keypoints": int(flags.sum()),
    }  # fmt: skip
    return annotation | more


def stand(x: float, y: float, height: float) -> Doubles:
    """(17, 2) an upright person's joints; x, y is the middle of the box."""
    table = {
        "nose": (0.0, 0.0), "eye": (0.03, -0.03), "ear": (0.06, -0.02), "shoulder": (0.12, 0.15), "elbow": (0.17, 0.32),
        "wrist": (0.19, 0.48), "hip": (0.08, 0.5), "knee": (0.09, 0.74), "ankle": (0.09, 0.97),
    }  # fmt: skip
    places = []
    for name in COCO_17.joints:
        across, down = table[name.removeprefix("left_").removeprefix("right_")]
        places.append((across if name.startswith("left_") else -across, down))
    shape = np.array(places) * height
    return shape - (shape.min(0) + shape.max(0)) / 2 + (x, y)


@pytest.fixture
def dots() -> Callable[..., npt.NDArray[np.uint8]]:
    """:func:`draw_dots`."""
    return draw_dots


@pytest.fixture
def person() -> Callable[..., dict[str, Any]]:
    """:func:`annotate`."""
    return annotate


@pytest.fixture
def body() -> Callable[[float, float, float], Doubles]:
    """:func:`stand`."""
    return stand


Photo = tuple[npt.NDArray[np.uint8], Sequence[dict[str, Any]]]


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., SourceConfig]:
    """Writes photos and their annotations; returns the source that reads them."""

    def write(photos: Sequence[Photo], name: str = "photos", ending: str = ".png") -> SourceConfig:
        folder = tmp_path / name
        folder.mkdir()
        images, annotations = [], []
        for number, (image, people) in enumerate(photos, start=1):
            file = f"{number:06d}{ending}"
            cv2.imwrite(str(folder / file), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
            images.append({"id": number, "file_name": file, "height": image.shape[0], "width": image.shape[1]})
            annotations += [{"id": len(annotations) + i, "image_id": number, **p} for i, p in enumerate(people)]
        categories = [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints)}]
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return SourceConfig(type="coco", name=name, images=str(folder), annotations=str(path))

    return write


@pytest.fixture
def run(coco: Callable[..., SourceConfig]) -> Callable[..., RunConfig]:
    """The configuration of a run over so many photos of one or two people each."""

    def make(photos: int = 7, *, batch: int = 4, name: str = "photos", ending: str = ".png", **crop: Any) -> RunConfig:
        generator = np.random.default_rng(photos)
        made = []
        for number in range(photos):
            people = [stand(*generator.uniform((60, 80), (180, 120)), 120.0) for _ in range(1 + number % 2)]
            made.append((draw_dots(200, 240, np.concatenate(people)), [annotate(points) for points in people]))
        config = RunConfig(name="test", card="tiny", batch=batch, seed=5)
        config.data.sources = [coco(made, name, ending)]
        config.data.workers = 0
        config.data.crop.height = config.data.crop.width = 64
        for key, value in crop.items():
            setattr(config.data.crop, key, value)
        return config

    return make
