"""The demo: two real nodes over real DDS, and a sentence for everything that can go wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from openpose_ros.card import Card, file_digest
from openpose_ros.commands.demo import main
from openpose_ros.demo import story
from openpose_ros.skeleton import COCO_18

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy", reason="the demo needs ROS 2")
    pytest.importorskip("openpose_msgs.msg", reason="the demo needs the messages: make build")
    monkeypatch.delenv("DEMO_INPUT", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def demo(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openpose_ros", "demo", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, env={**os.environ, **environment}
    )


def photo(path: Path) -> Path:
    cv2.imwrite(str(path), np.random.default_rng(7).integers(0, 255, (240, 320, 3), np.uint8))
    return path


def broken_model(folder: Path) -> Path:
    """A card whose weights were cut short after it was written."""
    weights = folder / "net.safetensors"
    weights.write_bytes(b"whole")
    card = Card("net", {"type": "lightweight"}, COCO_18, weights=weights, sha256=file_digest(weights))
    card.save(folder / "net.yaml")
    weights.write_bytes(b"who")
    return folder / "net.yaml"


def nodes_of(domain: str) -> list[str]:
    """Commands of this machine's processes that run a node in a ROS domain."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environment = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if f"ROS_DOMAIN_ID={domain}" in environment and {"pose_node", "source_node"} & set(command):
            found.append(" ".join(command))
    return found


@pytest.mark.usefixtures("ros")
def test_the_demo_prints_a_table_writes_pictures_and_leaves_no_process(tmp_path: Path) -> None:
    done = demo("--input", "synthetic", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^  (\d_\w+\.png) +(\d+) +(\d+) +([\d.]+)$", done.stdout, re.MULTILINE)
    assert "2_crowd.png" in [name for name, *_ in rows]
    assert all(int(people) > 0 and int(keypoints) > int(people) for _, people, keypoints, _ in rows)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(name for name, *_ in rows)
    assert cv2.imread(str(tmp_path / "out" / "0_astronaut.png")).shape == (512, 512, 3)
    domain = re.search(r"ROS domain (\d+)", done.stdout)
    assert domain is not None
    assert nodes_of(domain[1]) == []


@pytest.mark.usefixtures("ros")
def test_a_node_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    done = demo(
        "--model", broken_model(tmp_path), "--output", tmp_path / "out", DEMO_INPUT=str(photo(tmp_path / "a.png"))
    )
    assert done.returncode == 1
    assert done.stderr.startswith("demo: pose_node ended with exit code 1")
    assert "net.safetensors" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("ros")
def test_no_message_in_time_is_a_failure_with_a_sentence(tmp_path: Path) -> None:
    done = demo("--input", "synthetic", "--timeout", "0.01", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "no message on /poses within" in done.stderr


@pytest.mark.usefixtures("ros")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_ctrl_c_and_an_end_from_outside_stop_the_nodes(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "openpose_ros", "demo", "--input", "synthetic", "--output", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    domain = None
    for line in process.stdout:
        domain = re.search(r"Started .* ROS domain (\d+)", line)
        if domain is not None:
            break
    assert domain is not None
    assert nodes_of(domain[1]) != []
    process.send_signal(number)
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in complained
    assert "Traceback" not in complained
    time.sleep(0.1)
    assert nodes_of(domain[1]) == []


@pytest.mark.usefixtures("ros")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--input", "missing.png"], "missing.png"),
        (["--input", "97"], "webcam 97"),
        (["--model", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_a_bad_input_or_model_is_one_sentence(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(story, "local_model", lambda: ROOT / "model" / "none.yaml")
    monkeypatch.setattr(story.Card, "load", lambda path: Card("none", {"type": "graph"}, COCO_18))
    if told.endswith(".yaml"):
        monkeypatch.undo()
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_ros_the_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "openpose_ros.ros.demo_listener", None)
    assert main(["--input", "synthetic"]) == 1
    assert "make demo" in capsys.readouterr().err
