"""``calibrate``: what photos teach is written into the card, or into a file of shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("pycocotools")
pytest.importorskip("scipy")

from openpose_ros.backends.synthetic import group
from openpose_ros.benchmark.crowd import crowd
from openpose_ros.card import Card
from openpose_ros.commands.calibrate import main
from openpose_ros.decode import load_person_score
from openpose_ros.evaluation import calibrate as fitting
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18

Write = Callable[[list[tuple[tuple[int, int], People]]], tuple[Path, Path]]

SIZES = [(480, 640), (640, 480), (426, 640)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A card whose network is the synthetic one."""
    path = tmp_path / "drawn.yaml"
    Card("drawn", {"type": "synthetic"}, COCO_18, heat_offset=(0.4, 0.4), min_person_score=0.9).save(path)
    return path


@pytest.fixture
def photos(coco_folder: Write, tmp_path: Path) -> list[str]:
    """Flags that name photos of a group, and two of the same kind that claim to be empty."""
    annotations, images = coco_folder(
        [(size, People.from_arrays(COCO_18, group(*size, COCO_18), size)) for size in SIZES]
    )
    (tmp_path / "empty").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "empty" / f"{number}.jpg"), np.zeros((480, 640, 3), np.uint8))
    return [
        "--annotations", str(annotations), "--images", str(images), "--empty", str(tmp_path / "empty"),
        "--backend", "synthetic",
    ]  # fmt: skip


def test_a_card_learns_place_score_and_threshold(
    model: Path, photos: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "ROUNDS", 20)
    assert main(["card", "--model", str(model), *photos]) == 0
    card = Card.load(model)
    assert card.heat_offset == pytest.approx((0.0, 0.0), abs=0.02)  # what was there before is forgotten
    assert card.person_score == model.with_name("drawn.person_score.safetensors")
    load_person_score(card)
    # The photos without people show three each, as drawn as anybody: nobody can be told from them.
    assert card.min_person_score > 0.3
    told = capsys.readouterr().out
    for part in ("heat_offset", "person_score", "min_person_score", str(model)):
        assert part in told


def test_so_many_ghosts_may_be_allowed_that_no_threshold_is_needed(
    model: Path, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "ROUNDS", 5)
    assert main(["card", "--model", str(model), *photos, "--ghosts", "3"]) == 0
    assert Card.load(model).min_person_score <= 0.001


def test_the_card_is_found_beside_its_weights(model: Path, photos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "ROUNDS", 5)
    model.with_suffix(".safetensors").write_bytes(b"weights")
    assert main(["card", "--model", str(model.with_suffix(".safetensors")), *photos]) == 0
    assert Card.load(model).person_score is not None


def test_a_failure_leaves_the_card_as_it_was(model: Path, photos: list[str]) -> None:
    before = model.read_text()
    empty = Path(photos[photos.index("--empty") + 1])
    (empty / "broken.jpg").write_bytes(b"no picture")
    photo = Path(photos[photos.index("--images") + 1]) / "000000000003.jpg"
    photo.write_bytes(b"no picture")
    assert main(["card", "--model", str(model), *photos]) == 1
    assert model.read_text() == before


def test_a_folder_without_photos_is_named(
    model: Path, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "void").mkdir()
    photos[photos.index("--empty") + 1] = str(tmp_path / "void")
    assert main(["card", "--model", str(model), *photos]) == 1
    err = capsys.readouterr().err
    assert err == f"calibrate: there are no photos in {tmp_path / 'void'}\n"


def test_a_missing_model_is_named(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "--model", "nowhere/card.yaml", *photos]) in (1, 2)
    assert "nowhere/card.yaml" in capsys.readouterr().err


def test_a_shape_is_learned_from_annotations(
    coco_folder: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = People.from_arrays(COCO_18, crowd(200, 480, 640), (480, 640))
    annotations, _ = coco_folder([((480, 640), everybody)])
    out = tmp_path / "shape.safetensors"
    assert main(["shape", "--annotations", str(annotations), "--output", str(out)]) == 0
    tensors = load_file(out)
    assert tensors["mean"].shape == (18, 2)
    assert tensors["covariance"].shape == (36, 36)
    assert "200 people" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--skeleton", "COCO-19"], "no skeleton 'COCO-19'"),
        (["--skeleton", "MPI-15"], "head"),
        (["--annotations", "nowhere.json"], "nowhere.json"),
        (["--skeleton", "COCO-17"], "too few"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_shape_that_cannot_be_learned_is_one_sentence(
    coco_folder: Write, tmp_path: Path, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = People.from_arrays(COCO_18, crowd(5, 480, 640), (480, 640))
    annotations, _ = coco_folder([((480, 640), everybody)])
    out = tmp_path / "shape.safetensors"
    assert main(["shape", "--annotations", str(annotations), "--output", str(out), *flags]) in (1, 2)
    err = capsys.readouterr().err
    assert err.startswith("calibrate: ")
    assert told in err
    assert len(err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize("arguments", [[], ["weights"], ["card"], ["shape"]], ids=" ".join)
def test_half_a_command_is_bad_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize("kind", ["card", "shape"])
def test_each_kind_explains_itself(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([kind, "--help"])
    assert ended.value.code == 0
    assert "--annotations" in capsys.readouterr().out
