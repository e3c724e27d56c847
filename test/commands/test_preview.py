"""The executable ``preview``: a sheet of crops with their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("omegaconf")

from openpose_ros.card import Card
from openpose_ros.commands.preview import main
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18
from openpose_ros.training.data.sheet import hatched, with_heat, with_pafs

Folder = Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]


@pytest.fixture
def config(coco_folder: Folder, tmp_path: Path) -> Path:
    xy = np.random.default_rng(0).uniform((20, 20), (140, 100), (1, 17, 2)).astype(np.float32)
    annotations, images = coco_folder([((120, 160), People.from_arrays(COCO_17, xy, (120, 160)))] * 2)
    Card("tiny", {"type": "lightweight"}, COCO_18).save(tmp_path / "tiny.yaml")
    path = tmp_path / "train.yaml"
    source = {"images": str(images), "annotations": str(annotations), "name": "mine"}
    path.write_text(yaml.safe_dump({"card": str(tmp_path / "tiny.yaml"), "data": {"sources": [source]}}))
    return path


def test_a_sheet_shows_every_crop_three_times(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert (
        main(["-c", str(config), "--out", str(out), "--count", "2", "data.crop.height=64", "data.crop.width=96"]) == 0
    )
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape[0] > 2 * 64 and picture.shape[1] > 3 * 96
    told = capsys.readouterr().out
    assert "mine" in told and "2 crops in" in told


def test_another_batch_shows_other_crops(config: Path, tmp_path: Path) -> None:
    pictures = []
    for number in ("0", "1"):
        assert main(["-c", str(config), "--out", str(tmp_path / "sheet.png"), "--count", "2", "--batch", number]) == 0
        pictures.append((tmp_path / "sheet.png").read_bytes())
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--out", "/nowhere/sheet.jpg"], 2, "no folder /nowhere"),
        (["--out", "sheet.xyz"], 2, "its ending is of no picture"),
        (["--out", "sheet.jpg", "data.crop.hieght=3"], 1, "hieght"),
        (["--out", "sheet.jpg", "data.crop.height=100"], 1, "data.crop.height is 100"),
    ],
)
def test_what_cannot_be_shown_is_told_in_a_sentence(
    config: Path, arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-c", str(config), *arguments]) == code
    assert told in capsys.readouterr().err


def test_strokes_lie_only_over_what_carries_no_loss() -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    mask = np.ones((4, 4), np.float32)
    mask[:, 2:] = 0.0
    drawn = hatched(image, mask)
    assert (drawn[:, :16] == 200).all()
    assert (drawn[:, 16:] != 200).any(-1).all()


def test_heat_and_vectors_are_drawn_on_their_cells() -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    heat = np.zeros((18, 4, 4), np.float32)
    heat[3, 1, 2] = 1.0
    drawn = with_heat(image, heat)
    assert (drawn[8:16, 16:24] != drawn[0, 0]).any(-1).all()
    drawn[8:16, 16:24] = drawn[0, 0]
    assert (drawn == drawn[0, 0]).all()
    pafs = np.zeros((38, 4, 4), np.float32)
    pafs[4, 3, 0] = 1.0
    drawn = with_pafs(image, pafs)
    assert (drawn[24:, :8] != drawn[0, 0]).any(-1).mean() > 0.9
    assert (drawn[:, 12:] == drawn[0, 31]).all()
