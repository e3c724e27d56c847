"""Whole training processes: killed, told to end, and two of them together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openpose_ros.training.config import RunConfig, save

Settings = Callable[..., RunConfig]


def command(config: RunConfig, *words: str) -> list[str]:
    path = Path(config.runs).parent / f"{config.name}.yaml"
    save(config, path)
    return [sys.executable, "-m", "openpose_ros", "train", "-c", str(path), *words]


def finished(config: RunConfig, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(config, *words), capture_output=True, text=True, timeout=100)


@contextmanager
def running(config: RunConfig, until: str) -> Iterator[subprocess.Popen[str]]:
    """A training process that has written a checkpoint of this name."""
    process = subprocess.Popen(command(config), stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        place = Path(config.runs) / config.name / "checkpoints"
        while not list(place.glob(until)):
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def lines(config: RunConfig) -> list[dict[str, Any]]:
    text = (Path(config.runs) / config.name / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_killed_run_goes_on_from_a_whole_checkpoint(settings: Settings) -> None:
    config = settings("steps=100000", "checkpoints.every=1", "checkpoints.newest=100")
    with running(config, "newest-00000004.ckpt") as process:
        process.kill()
    last = max((Path(config.runs) / "run" / "checkpoints").glob("newest-*.ckpt"))
    last.write_bytes(last.read_bytes()[:1000])
    step = int(last.stem[-8:])
    again = finished(config, f"steps={step + 1}")
    assert again.returncode == 0, again.stderr
    assert f"{last} is torn" in again.stderr
    assert f"going on from {last.with_name(f'newest-{step - 1:08d}.ckpt')}" in again.stderr
    assert lines(config)[-1]["step"] == step + 1
    assert lines(config)[-1]["crops"] == 4 * (step + 1)


def test_a_run_told_to_end_saves_first_and_goes_on_later(settings: Settings, sticks: Path) -> None:
    config = settings("steps=100000", "checkpoints.every=100000", "checkpoints.minutes=0.001", "data.workers=1",
                      f"validation.annotations={sticks}/people.json", f"validation.images={sticks}/images",
                      "validation.start=false", "validation.short_side=64")  # fmt: skip
    with running(config, "timed-*.ckpt") as process:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "SIGTERM: saving after this step, then ending" in errors
    assert "the same command goes on from" in errors
    (saved,) = (Path(config.runs) / "run" / "checkpoints").glob("newest-*.ckpt")
    step = int(saved.stem[-8:])
    assert lines(config)[-1]["step"] == step
    assert "AP" not in lines(config)[-1], "nothing is validated when there is no time"
    again = finished(config, f"steps={step + 2}")
    assert again.returncode == 0, again.stderr
    assert f"going on from {saved}" in again.stderr


def test_two_processes_learn_as_one_with_their_batches_together(settings: Settings) -> None:
    losses = []
    for devices in (1, 2):
        config = settings(f"name=by{devices}", f"devices={devices}", "validation.every=1", "steps=4", "data.workers=1")
        done = finished(config)
        assert done.returncode == 0, done.stderr
        losses.append([line["loss"] for line in lines(config)])
        assert len(re.findall("the network is", done.stdout)) == 1
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][0] != pytest.approx(losses[0][-1], rel=1e-2)


def test_mistakes_end_with_one_sentence(settings: Settings) -> None:
    config = settings()
    for words, code, message in (
        (["batch=2", "--overfit", "2", "steps=0"], 2, "train: steps is 0; expected 1 or more"),
        (["optimizer.rate=1"], 2, "train: optimizer.rate=1: optimizer: Key 'optimizer' not in 'RunConfig'"),
        (["card=nowhere.yaml"], 1, "train: no model card at"),
    ):
        done = finished(config, *words)
        assert done.returncode == code
        assert message in done.stderr
        assert "Traceback" not in done.stderr
