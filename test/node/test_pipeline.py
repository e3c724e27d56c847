"""The node's worker: the network never waits for the publishing, and the size of its input follows the load."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from openpose_msgs.msg import People

from openpose_ros import adaptive
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.ros.stream import Stream

PATIENCE = 15.0


class Work:
    """In place of the estimator's gate: an image takes so many seconds, by the size that the estimator is set to."""

    def __init__(self, estimator: Any, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.sizes: list[str] = []
        self._estimator = estimator

    def wait(self, timeout: float) -> bool:
        self.sizes.append(self._estimator.inputs.input_size)
        time.sleep(self.seconds[self.sizes[-1]])
        return True


def test_the_next_image_is_in_the_network_while_one_is_published(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_time: list[bool] = []
    publish = Stream.publish

    def slow(stream: Stream, *arguments: Any) -> None:
        if not in_time:
            end = time.monotonic() + PATIENCE
            while len(estimator.seen) < 2 and time.monotonic() < end:
                time.sleep(1e-3)
            in_time.append(len(estimator.seen) == 2)
        publish(stream, *arguments)

    monkeypatch.setattr(Stream, "publish", slow)
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1), sec=1))
    graph.until(lambda: estimator.seen)
    graph.send(camera, picture((2, 1, 1), sec=2))
    graph.spin(0.2)
    estimator.gate.set()
    graph.until(lambda: len(poses) == 2)
    assert in_time == [True]
    assert [message.header.stamp.sec for message in poses] == [1, 2]


def test_with_one_image_in_flight_the_network_waits_for_the_publishing(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by_then: list[int] = []
    publish = Stream.publish

    def slow(stream: Stream, *arguments: Any) -> None:
        time.sleep(0.3)
        seen_by_then.append(len(estimator.seen))
        publish(stream, *arguments)

    monkeypatch.setattr(Stream, "publish", slow)
    node = graph.run(PoseNode, ["-p", "in_flight:=1"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1), sec=1))
    graph.until(lambda: estimator.seen)
    graph.send(camera, picture((2, 1, 1), sec=2))
    graph.spin(0.2)
    estimator.gate.set()
    graph.until(lambda: len(poses) == 2)
    assert seen_by_then == [1, 2]
    node.set_parameters([type(node.get_parameter("in_flight"))("in_flight", value=2)])
    graph.send(camera, picture((3, 1, 1), sec=3))
    graph.until(lambda: len(poses) == 3)


def test_a_result_does_not_wait_for_an_image_that_does_not_come(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: poses)


def test_the_last_image_is_published_before_the_end(graph: Any, loader: Any, picture: Any) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: estimator.seen)
    pipeline = node._pipeline
    threading.Timer(0.1, estimator.gate.set).start()
    assert pipeline.close(lambda: 60.0)
    graph.until(lambda: poses)


def test_the_size_follows_the_load_and_the_node_says_so(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    monkeypatch.setattr(adaptive, "CALM", 0.3)
    monkeypatch.setattr(adaptive, "LATE", 0.1)
    arguments = ["-p", "target_rate:=10", "-p", "adaptive_sizes:=[64,128]", "-p", "diagnostics_period:=0.1"]
    graph.run(PoseNode, arguments, load=loader)
    graph.listen(People, "poses", 1000)
    told, camera = graph.listen(DiagnosticArray, "/diagnostics"), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate = work = Work(estimator, {"64": 0.001, "128": 0.002, "368": 0.0})
    graph.send(camera, picture((1, 1, 1)))

    def status() -> tuple[bytes, str, dict[str, str]]:
        entry = next(entry for entry in told[-1].status if entry.name == "pose_node")
        return entry.level, entry.message, {value.key: value.value for value in entry.values}

    def filmed_until(condition: Any, what: str) -> None:
        def after_an_image() -> Any:
            camera.publish(picture((1, 1, 1)))
            return condition()

        graph.until(after_an_image, what)

    filmed_until(lambda: work.sizes[-1:] == ["128"], "the larger size")
    assert work.sizes[0] == "64"
    filmed_until(lambda: told and status()[2].get("input size") == "128", "the diagnostics to say so")
    work.seconds = {"64": 0.12, "128": 0.15, "368": 0.0}
    filmed_until(lambda: work.sizes[-1:] == ["64"], "the smaller size")
    filmed_until(lambda: status()[0] == DiagnosticStatus.WARN, "the warning")
    assert status()[1] == "target_rate is not kept: too much even for 64, the smallest input size"
    assert "input 64 or 128 for 10 images/s of each camera" in log.text
    assert "input size 64 -> 128: an image took" in log.text
    assert "target_rate 10 allows 100 ms" in log.text
    node = graph._node
    node.set_parameters([type(node.get_parameter("target_rate"))("target_rate", value=0.0)])
    filmed_until(lambda: work.sizes[-1] == "368", "input_size again")
    filmed_until(lambda: status()[0] == DiagnosticStatus.OK, "the warning to end")
