"""Crops that need no photos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("omegaconf", reason="needs OmegaConf")
pytest.importorskip("lightning", reason="needs Lightning")

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_17, COCO_18
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import RunConfig, load


@pytest.fixture
def crops() -> Callable[..., Batch]:
    """Makes a batch of random pictures; people given as (B, P, J, 2), else random ones, some joints unknown."""

    def make(
        count: int = 2, size: tuple[int, int] = (64, 96), stride: int = 8, people: int = 3, seed: int = 0
    ) -> Batch:
        random = np.random.default_rng(seed)
        height, width = size
        joints = random.uniform(-10, max(size) + 10, (count, people, 18, 2)).astype(np.float32)
        joints[random.random(joints.shape[:3]) < 0.2] = np.nan
        return Batch(
            images=torch.from_numpy(random.integers(0, 256, (count, 3, height, width), np.uint8)),
            joints=torch.from_numpy(joints),
            mask=torch.ones(count, height // stride, width // stride),
            labelled=torch.ones(count, len(COCO_18.joints), dtype=torch.bool),
            keys=tuple(f"crop {seed}.{index}" for index in range(count)),
            seeds=torch.arange(count) + 100 * seed,
            photos=tuple(f"photo {index}" for index in range(count)),
        )

    return make


@pytest.fixture(scope="session")
def sticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight pictures of a stick figure of coloured joints, ``images/``, and ``people.json``."""
    folder = tmp_path_factory.mktemp("sticks")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    colours = random.integers(60, 256, (len(COCO_17.joints), 3))
    pictures, people = [], []
    for number in range(1, 9):
        image = np.full((128, 128, 3), 30, np.uint8)
        joints = STANDING * random.uniform(70, 90) + random.uniform(-3, 3, STANDING.shape) + random.uniform(22, 28, 2)
        for (x, y), colour in zip(joints, colours, strict=True):
            cv2.circle(image, (round(x), round(y)), 4, colour.tolist(), -1)
        cv2.imwrite(str(folder / "images" / f"{number:012d}.png"), image)
        low, high = joints.min(0) - 4, joints.max(0) + 4
        pictures.append({"id": number, "file_name": f"{number:012d}.png", "height": 128, "width": 128})
        people.append(
            {
                "id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": len(joints),
                "bbox": [*low.tolist(), *(high - low).tolist()], "area": float(0.5 * np.prod(high - low)),
                "keypoints": np.concatenate([joints + 0.5, np.full((17, 1), 2.0)], 1).ravel().tolist(),
            }
        )  # fmt: skip
    table = {"images": pictures, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (folder / "people.json").write_text(json.dumps(table))
    return folder


STANDING = np.array(
    [
        (0.50, 0.08), (0.53, 0.05), (0.47, 0.05), (0.57, 0.07), (0.43, 0.07), (0.65, 0.25), (0.35, 0.25),
        (0.75, 0.40), (0.25, 0.40), (0.80, 0.55), (0.20, 0.55), (0.60, 0.55), (0.40, 0.55), (0.62, 0.75),
        (0.38, 0.75), (0.63, 0.95), (0.37, 0.95),
    ]
)  # fmt: skip
"""x and y of COCO's 17 joints of somebody who stands, in 0..1."""


@pytest.fixture
def settings(sticks: Path, tmp_path: Path) -> Callable[..., RunConfig]:
    """Makes the configuration of a short run of a narrow network on the stick figures, changed by words."""
    card = Card("narrow", {"type": "lightweight", "channels": 16}, COCO_18)
    card.save(tmp_path / "narrow.yaml")

    def make(*words: str, norm: bool = False) -> RunConfig:
        replace(card, network={**card.network, "batch_norm": norm}).save(tmp_path / "narrow.yaml")
        here = [
            "name=run", f"runs={tmp_path / 'runs'}", f"card={tmp_path / 'narrow.yaml'}", "steps=6", "batch=4",
            "accelerator=cpu", "photometric.enabled=false", "data.workers=0",
            "data.crop.height=64", "data.crop.width=64", "data.crop.shift=4", "data.crop.min_area=10",
            f"data.sources=[{{annotations: {sticks}/people.json, images: {sticks}/images}}]",
            "optimiser.rate=1e-3", "schedule.type=constant", "schedule.warmup=2", "checkpoints.every=3",
        ]  # fmt: skip
        return load([], [*here, *words])

    return make
