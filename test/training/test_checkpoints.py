from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from openpose_ros.training.checkpoints import FOLDER, WholeFiles, newest_readable, read


def written(run: Path, name: str, step: int) -> Path:
    path = run / FOLDER / name
    WholeFiles().save_checkpoint({"batches_seen": step, "weights": torch.arange(1000)}, path)
    return path


def test_the_newest_readable_checkpoint_is_taken_and_torn_ones_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, "newest-00000100.ckpt", 100)
    good = written(tmp_path, "timed-00000150.ckpt", 150)
    torn = written(tmp_path, "newest-00000200.ckpt", 200)
    torn.write_bytes(torn.read_bytes()[:-500])
    (tmp_path / FOLDER / "best-00000300-AP51.20.ckpt").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        found = newest_readable(tmp_path)
    assert found is not None
    assert found[0] == good
    assert found[1]["batches_seen"] == 150
    assert "newest-00000200.ckpt is torn" in caplog.text
    assert "best-00000300-AP51.20.ckpt is torn" in caplog.text


def test_a_run_without_checkpoints_starts_anew(tmp_path: Path) -> None:
    assert newest_readable(tmp_path) is None


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = written(tmp_path, "newest-00000100.ckpt", 100)
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        WholeFiles().save_checkpoint({"batches_seen": 1, "bad": lambda: None}, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_other_files_are_refused_with_a_sentence(tmp_path: Path) -> None:
    torch.save({"a": 1}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="other.ckpt is no checkpoint of a training run"):
        read(tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="there is no checkpoint"):
        read(tmp_path / "absent.ckpt")
