"""The camera and the listener of ``benchmark end-to-end``, against a node with a stand-in for its network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_ros.ros import course
from openpose_ros.ros.course import Course, CourseError
from openpose_ros.ros.pose_node import PoseNode

ROOT = Path(__file__).resolve().parents[2]
PICTURES = [np.full((48, 64, 3), shade, np.uint8) for shade in (50, 200)]


class ServiceTime:
    """In place of the estimator's gate: every image takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def wait(self, timeout: float) -> bool:
        time.sleep(self.seconds)
        return True


@pytest.fixture
def way(graph: Any, loader: Any) -> Any:
    graph.run(PoseNode, load=loader)
    way = Course(PICTURES, os.getpid(), lambda: None)
    yield way
    way.close()


def test_what_there_is_time_for_comes_back_whole_and_in_time(way: Any, loader: Any) -> None:
    way.begin()
    trial = way.drive(20.0, 0.5)
    assert (trial.sent, len(trial.latencies), trial.loss) == (10, 10, 0.0)
    assert 10.0 < trial.offered < 20.1
    assert all(latency > 0.0 for latency in trial.latencies)
    assert trial.cpu > 0.0


def test_what_there_is_no_time_for_is_loss(way: Any, loader: Any) -> None:
    way.begin()
    loader.estimators[0].gate = ServiceTime(0.05)
    trial = way.drive(100.0, 0.6)
    assert 0.3 < trial.loss < 1.0
    assert len(trial.latencies) == round((1.0 - trial.loss) * trial.sent)


def test_capacity_is_what_the_network_has_time_for(way: Any, loader: Any) -> None:
    way.begin()
    loader.estimators[0].gate = ServiceTime(0.05)
    assert 2.0 < way.capacity(0.6) < 25.0  # what was begun before the time is counted, too


def test_a_node_that_does_not_answer_is_given_up(domain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "START", 0.2)
    way = Course(PICTURES, os.getpid(), lambda: None)
    try:
        with pytest.raises(CourseError, match="in vain for the node to listen to the camera"):
            way.begin()
    finally:
        way.close()


@pytest.mark.long
def test_the_whole_table_is_measured_on_nodes_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "openpose_ros", "benchmark", "end-to-end", "--backend", "synthetic"]
    command += ["--size", "64x96", "--camera", "64x48", "--seconds", "0.5", "--rates", "10", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["end_to_end"]
    assert [(row["decoder"], row["mode"]) for row in rows] == [
        (decoder, mode) for decoder in ("openpose_ros", "textbook") for mode in ("peak", "10 Hz")
    ]
    for row in rows:
        assert row.keys() >= {"backend", "precision", "cpu_percent", "memory_mb", "loss_percent"}
        assert row["fps"] > 0 and row["latency_ms_p95"] >= row["latency_ms_median"] > 0 < row["network_ms_median"]
    assert "times those of synthetic in float32 with the textbook's decoder" in done.stdout
