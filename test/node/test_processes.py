"""The nodes as processes: how they start, refuse to start, and end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage
from visualization_msgs.msg import Marker, MarkerArray

from openpose_ros.card import Card
from openpose_ros.ros.interface import INTERFACES
from openpose_ros.ros.manual import usage
from openpose_ros.skeleton import COCO_18

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(domain: None) -> Iterator[Start]:
    """Starts an executable; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, ros: list[str] | None = None, code: str = "") -> subprocess.Popen[str]:
        what = ["-c", code] if code else ["-m", "openpose_ros"]
        command = [sys.executable, *what, *arguments, *(["--ros-args", *ros] if ros else [])]
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What a process says up to a text; fails if it ends before."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, f"ended without {text!r}: {said}"
        said += line
    return said


def test_what_cannot_work_does_not_start_and_says_why_in_one_sentence(start: Start, tmp_path: Path) -> None:
    card = Card("torn", {"type": "lightweight"}, COCO_18, weights=tmp_path / "torn.safetensors", sha256="0" * 64)
    card = replace(card, path=tmp_path / "torn.yaml")
    card.save(tmp_path / "torn.yaml")
    (tmp_path / "torn.safetensors").write_bytes(bytes(1000))
    (tmp_path / "lost.yaml").write_text((tmp_path / "torn.yaml").read_text().replace("torn.", "lost."))
    expected = {
        f"model:={tmp_path}/nowhere.yaml": f"no model card at {tmp_path}/nowhere.yaml",
        f"model:={tmp_path}/lost.yaml": f"the weights {tmp_path}/lost.safetensors named by",
        f"model:={tmp_path}/torn.yaml": f"the weights {tmp_path}/torn.safetensors are not those of",
        "model:=cmu_body25": "`python -m openpose_ros download cmu_body25` fetches it",
        "backend:=tensorflow": "backend is 'tensorflow'; expected one of auto, tensorrt",
        "heat_threshold:=7.0": "heat_threshold is 7.0; expected 0.001 to 1",
    }
    processes = {text: start("pose_node", ros=["-p", argument]) for argument, text in expected.items()}
    processes["no file or folder"] = start("source_node", ros=["-p", f"source:={tmp_path}/nothing.jpg"])
    processes["no source is given"] = start("source_node")
    for text, process in processes.items():
        said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 1, said
        assert said.count(text) == 1, said
        assert "Traceback" not in said
        assert len(said.splitlines()) == 1, said


def test_a_model_is_taken_by_its_name(
    start: Start, random_card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "openpose_ros" / "models"
    folder.mkdir(parents=True)
    assert random_card.weights is not None
    shutil.copy(random_card.weights, folder / "mine.safetensors")
    replace(random_card, name="mine", weights=folder / "mine.safetensors").save(folder / "mine.yaml")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    process = start("pose_node", ros=["-p", "model:=mine", "-p", "input_size:=128"])
    assert "model mine, backend" in read_until(process, "images from /image")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_help_and_wrong_arguments(start: Start) -> None:
    helped = [(interface, start(interface.name, "--help")) for interface in INTERFACES]
    wrong = start("pose_node", "--backend", "torch")
    for interface, process in helped:
        said, complaint = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaint) == (0, "")
        assert said.strip() == usage(interface)
    complaint = wrong.communicate(timeout=PATIENCE)[1]
    assert wrong.returncode == 2
    assert "unknown argument '--backend'; parameters and remaps follow after --ros-args" in complaint


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 3 + [signal.SIGTERM]],
    ids=["SIGINT", "SIGTERM", "many"],
)
def test_signal_ends_the_node_cleanly(start: Start, signals: list[signal.Signals]) -> None:
    process = start("pose_node", ros=["-p", "backend:=synthetic"])
    read_until(process, "images from /image")
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_signal_during_the_start_ends_it(start: Start) -> None:
    process = start("pose_node", ros=["-p", "backend:=synthetic", "--log-level", "rcl:=debug"])
    read_until(process, "rcl")
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert "Traceback" not in said


SLOW = """
import sys, threading, time
from openpose_ros.ros import loading, pose_node, program
from openpose_ros.ros.interface import POSE_NODE

loading.PATIENCE = 3.0

def load(*options):
    print("loading", file=sys.stderr, flush=True)
    {loading}
    estimator = loading.network(*options)
    submit = estimator._answer
    def answer(*arguments):
        print("looking", file=sys.stderr, flush=True)
        time.sleep({looking})
        return submit(*arguments)
    estimator._answer = answer
    return estimator

sys.exit(program.run(POSE_NODE, lambda: pose_node.PoseNode(load=load), sys.argv[1:]))
"""
"""A pose node whose network takes its time, to be loaded or to look at an image."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_node_that_loads_its_network(graph: Any, start: Start, number: signal.Signals) -> None:
    """Also where that holds a lock that whoever is interrupted in it would never give back."""

    def there() -> bool:
        return "pose_node" in graph.node.get_node_names()

    lock = "lock = threading.Lock(); lock.acquire(); threading.Thread(target=lock.acquire).start(); lock.acquire()"
    process = start(code=SLOW.format(loading=lock, looking=0.0))
    read_until(process, "loading")
    graph.until(there)
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert "Traceback" not in said
    graph.until(lambda: not there(), "the node to take leave, instead of vanishing 20 s later")


def test_signal_waits_for_the_image_in_progress_and_no_longer(graph: Any, start: Start) -> None:
    process = start(ros=["-p", "backend:=synthetic", "-p", "input_size:=64"], code=SLOW.format(loading="", looking=1.5))
    poses, camera = graph.listen(People, "poses"), graph.camera()
    read_until(process, "images from /image")
    image = ImageMessage(encoding="bgr8", height=48, width=64, step=192)
    image.data.frombytes(bytes(3 * 48 * 64))
    graph.until(camera.get_subscription_count)
    graph.spin(0.5)
    camera.publish(image)
    read_until(process, "looking")
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    graph.until(lambda: poses, "the people of the image in progress")
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert time.monotonic() - asked < 10.0  # a hang is meant, not a busy machine


def test_signal_does_not_wait_for_a_network_that_hangs(graph: Any, start: Start) -> None:
    process = start(ros=["-p", "backend:=synthetic", "-p", "input_size:=64"], code=SLOW.format(loading="", looking=1e6))
    graph.listen(People, "poses")
    camera = graph.camera()
    read_until(process, "images from /image")
    image = ImageMessage(encoding="bgr8", height=48, width=64, step=192)
    image.data.frombytes(bytes(3 * 48 * 64))
    graph.until(camera.get_subscription_count)
    graph.spin(0.5)
    camera.publish(image)
    read_until(process, "looking")
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert "ended without the image that it was at work on for" in said
    assert "Traceback" not in said
    graph.until(lambda: "pose_node" not in graph.node.get_node_names(), "the node to take leave")


def test_signal_takes_the_markers_away(graph: Any, start: Start) -> None:
    process = start("pose_node", ros=["-p", "backend:=synthetic", "-p", "input_size:=64"])
    markers = graph.listen(MarkerArray, "poses/markers")
    camera, infos = graph.camera(), graph.camera("camera_info", CameraInfo)
    read_until(process, "images from /image")
    image = ImageMessage(encoding="bgr8", height=48, width=64, step=192)
    image.data.frombytes(np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8).tobytes())
    info = CameraInfo(width=64, height=48, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]

    def shown() -> bool:
        infos.publish(info)
        camera.publish(image)
        graph.spin(0.1)
        return any(marker.action == Marker.ADD for array in markers for marker in array.markers)

    graph.until(shown, "markers")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    graph.until(lambda: [marker.action for marker in markers[-1].markers] == [Marker.DELETEALL])


def test_photos_become_people_from_process_to_process(graph: Any, start: Start, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    remaps = ["-r", "image:=camera/image_raw", "-r", "__ns:=/robot"]
    pose = start("pose_node", ros=["-p", "backend:=synthetic", "-p", "input_size:=128", *remaps])
    source = start("source_node", ros=["-p", f"source:={tmp_path}", "-p", "rate:=20", "-p", "wait:=true", *remaps])
    poses = graph.listen(People, "/robot/poses")
    images = graph.listen(ImageMessage, "/robot/camera/image_raw")
    annotated = graph.listen(ImageMessage, "/robot/annotated")
    end = time.monotonic() + PATIENCE
    while not (len(poses) > 3 and annotated and images) and time.monotonic() < end:
        graph.spin(0.1)
    assert len(poses) > 3
    assert (poses[0].image_width, poses[0].image_height) == (320, 240)
    assert poses[0].header.frame_id == "camera_optical_frame"
    assert max(len(message.people) for message in poses) > 0
    assert (annotated[0].width, annotated[0].height, annotated[0].encoding) == (320, 240, "bgr8")
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in images}
    assert {(m.header.stamp.sec, m.header.stamp.nanosec) for m in poses[1:-1]} <= stamps
    for process in (source, pose):
        process.send_signal(signal.SIGINT)
    for process in (source, pose):
        said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "ERROR" not in said
