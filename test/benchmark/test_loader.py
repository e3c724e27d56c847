"""The loader's benchmark has a row for every step and every number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("omegaconf")

from openpose_ros.benchmark.loader import rows
from openpose_ros.card import Card
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18
from openpose_ros.training.config import RunConfig, SourceConfig

Folder = Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]


def test_every_step_and_every_number_of_processes_is_measured(coco_folder: Folder, tmp_path: Path) -> None:
    xy = np.random.default_rng(0).uniform((20, 20), (140, 100), (1, 17, 2)).astype(np.float32)
    annotations, images = coco_folder([((120, 160), People.from_arrays(COCO_17, xy, (120, 160)))] * 2)
    Card("tiny", {"type": "lightweight"}, COCO_18).save(tmp_path / "tiny.yaml")
    config = RunConfig(name="test", card=str(tmp_path / "tiny.yaml"), batch=2)
    config.data.sources = [SourceConfig(images=str(images), annotations=str(annotations))]
    found = list(rows(config, [0, 1], 4))
    steps = {row["what"] for row in found if "median_ms" in row}
    assert {"read", "decode", "warp", "people and mask", "whole crop"} <= steps
    batches = [row for row in found if row["what"] == "batches"]
    assert [row["workers"] for row in batches] == [0, 1]
    assert all(row["crops_per_second"] > 0 for row in batches)
