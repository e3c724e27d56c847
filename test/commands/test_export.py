"""``export``: from flags to a file and its card, and sentences where that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import cv2
import numpy as np

from openpose_ros.card import Card
from openpose_ros.commands.export import main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    cv2.imwrite(str(folder / "noise.png"), noise)
    return folder


@pytest.fixture
def flags(random_card: Card, photos: Path, tmp_path: Path) -> list[str]:
    return [
        "--model", str(random_card.path), "--photos", str(photos), "--short-side", "64", "--output",
        str(tmp_path / "out"),
    ]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr().err
    assert told.startswith("export: ")
    assert told.count("\n") == 1
    return told


def test_a_network_becomes_a_file_and_a_card(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--precision", "float32", "--name", "mine"]) == 0
    card = Card.load(tmp_path / "out" / "mine.yaml")
    assert card.verified_weights() == tmp_path / "out" / "mine.onnx"
    told = capsys.readouterr().out
    for part in ("float32 in ONNX Runtime on 1 photos: heatmaps differ by", "mine.onnx", "mine.yaml"):
        assert part in told


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (["--precision", "int8"], "--calibration DIR"),
        (["--precision", "int8", "--calibration", "nowhere"], "there is no folder of photos nowhere"),
        (["--precision", "float32", "--model", "nobody"], "no model 'nobody'"),
        (["--precision", "float32", "--name", "a/b"], "without a folder"),
        (
            ["--precision", "float32", "--annotations", "no.json", "--images", "no"],
            "there is no annotation file no.json",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(
    flags: list[str], extra: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*flags, *extra]) == 1
    assert reason in refused(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["--precision", "bfloat16"],
        ["--precision", "int8", "--tolerance", "-1"],
        ["--precision", "int8", "--annotations", "some.json"],
        ["--precision", "float16", "--engine", "--input", "uint8"],
        ["--precision", "float16", "--engine", "--sizes", "368"],
    ],
)
def test_flags_that_do_not_fit_are_bad_usage(flags: list[str], extra: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*flags, *extra])
    assert ended.value.code == 2


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named(
    flags: list[str], package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("openpose_ros.export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main([*flags, "--precision", "float32"]) == 1
    told = refused(capsys)
    assert package in told
    assert "pip install" in told


def test_an_engine_without_a_gpu_is_told_before_the_work(
    flags: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openpose_ros.export import run

    def never(*given: Any) -> None:
        pytest.fail("the export began")

    monkeypatch.setattr(run, "export", never)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    assert main([*flags, "--precision", "float16", "--engine"]) == 1
    assert "TensorRT" in refused(capsys)


def test_without_photos_those_of_the_demo_are_taken(
    random_card: Card, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openpose_ros.demo import photos

    monkeypatch.setattr(photos, "portrait", lambda name: None)
    flags = ["--model", str(random_card.path), "--precision", "float32", "--output", str(tmp_path)]
    assert main(flags) == 1
    assert "the demo's portraits come with the packages" in refused(capsys)
