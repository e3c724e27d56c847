"""The executable ``prepare``: folders in, shards out, killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("omegaconf")
pytest.importorskip("webdataset")

from openpose_ros.commands.prepare import main
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17

ROOT = Path(__file__).resolve().parents[2]
Folder = Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]


def photos(count: int, size: tuple[int, int] = (120, 160)) -> list[tuple[tuple[int, int], People]]:
    generator = np.random.default_rng(0)
    made = []
    for _ in range(count):
        xy = generator.uniform((20, 20), (140, 100), (1, 17, 2)).astype(np.float32)
        made.append((size, People.from_arrays(COCO_17, xy, size)))
    return made


def test_it_says_what_it_packed_and_how_to_use_it(
    coco_folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations, images = coco_folder(photos(3))
    arguments = ["--images", str(images), "--annotations", str(annotations), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--name", "mine"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[1].split()[:3] == ["mine", "3", "3"]
    assert f"shards: ['{tmp_path}/out/mine-000000.tar']" in told
    assert (tmp_path / "out" / "mine-000000.tar").is_file()


def test_plain_photos_need_no_labels(coco_folder: Folder, tmp_path: Path) -> None:
    _, images = coco_folder(photos(2))
    assert main(["--images", str(images), "--output", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--images", "/nowhere"], "no folder /nowhere"),
        (["--images", "/nowhere", "--annotations", "/no.json"], "no annotation file"),
        (["--images", "/nowhere", "--quality", "0"], "quality is 0; expected a number from 1 to 100"),
        (["--images", "/nowhere", "--shard-megabytes", "0"], "megabytes is 0.0"),
    ],
)
def test_what_cannot_be_packed_is_told_in_a_sentence(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err


def test_killed_at_any_moment_the_same_command_ends_with_the_same_shards(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(60):
        noise = generator.integers(0, 255, (240, 320, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), noise)

    def command(out: str) -> list[str]:
        return [
            sys.executable, "-m", "openpose_ros", "prepare", "--images", str(folder), "--output", str(tmp_path / out),
            "--shard-megabytes", "0.3", "--threads", "1",
        ]  # fmt: skip

    assert subprocess.run(command("whole"), cwd=ROOT, capture_output=True, timeout=100).returncode == 0
    interrupted = subprocess.Popen(command("killed"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("photos-*.tar")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(interrupted.pid, signal.SIGKILL)
    interrupted.wait()
    early = len(list((tmp_path / "killed").glob("photos-*.tar")))
    assert subprocess.run(command("killed"), cwd=ROOT, capture_output=True, timeout=100).returncode == 0
    shards = {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
    assert 0 < early < len(shards) - 1
    assert {file.name: file.read_bytes() for file in (tmp_path / "killed").iterdir()} == shards
