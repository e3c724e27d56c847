"""What goes wrong around the node, one thing at a time, costs what it must and nothing more."""

from __future__ import annotations

import array
import gc
import os
import threading
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from openpose_msgs.msg import People
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool

from openpose_ros.benchmark.process import held
from openpose_ros.ros import outputs, stream
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.tracking import Tracker

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

FLAT = 48.0
"""Megabytes by which the process may grow over a hundred rounds: half a megabyte a round, which a thread, a publisher
or an estimator that stays behind takes soon enough."""


def answered(node: Any) -> int:
    """Images that the node is done with, for better or worse."""
    tally = node._streams[0].tally
    return int(tally.processed + tally.failed)


def asked_of(graph: Any) -> list[ReliabilityPolicy]:
    return [info.qos_profile.reliability for info in graph.node.get_subscriptions_info_by_topic("/image")]


def films(graph: Any, camera: Any, heard: list[Any], image: Any) -> None:
    """Publish an image as a camera does, again and again, until somebody is seen on it."""

    def seen() -> bool:
        camera.publish(image)
        graph.spin(0.02)
        return any(message.header == image.header for message in heard)

    graph.until(seen, f"the people of image {image.header.stamp.sec}")


@pytest.mark.parametrize(
    ("before", "after"),
    [(RELIABLE, RELIABLE), (RELIABLE, BEST_EFFORT), (BEST_EFFORT, RELIABLE)],
    ids=["same", "to-best-effort", "to-reliable"],
)
def test_camera_that_dies_and_comes_back_is_heard_again(
    graph: Any, loader: Any, picture: Any, before: QoSProfile, after: QoSProfile
) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera(qos=before)
    films(graph, camera, poses, picture((1, 1, 1)))
    graph.node.destroy_publisher(camera)
    graph.spin(0.2)
    camera = graph.camera(qos=after)
    films(graph, camera, poses, picture((2, 2, 2), sec=2))
    graph.until(lambda: asked_of(graph) == [after.reliability])


def test_camera_that_comes_and_goes_many_times_leaves_one_subscription(graph: Any, loader: Any, picture: Any) -> None:
    node = graph.run(PoseNode, load=loader)
    poses = graph.listen(People, "poses")
    for number in range(1, 11):
        camera = graph.camera(qos=(RELIABLE, BEST_EFFORT)[number % 2])
        films(graph, camera, poses, picture((1, 1, 1), sec=number))
        graph.node.destroy_publisher(camera)
    assert sum(s.topic_name == "/image" for s in list(node.subscriptions)) == 1


def test_network_that_fails_now_and_then_is_counted_logged_seldom_and_asked_again(
    graph: Any, loader: Any, picture: Any, log: Any
) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    failures = [MemoryError("no room"), RuntimeError("CUDA error: an illegal memory access"), None, KeyError("x")] * 10
    for number, failure in enumerate(failures, 1):
        estimator.failure = failure
        graph.send(camera, picture((1, 1, 1), sec=number))
        graph.until(lambda count=number: node._streams[0].tally.received == count)
        graph.until(lambda count=number: answered(node) == count)
    tally = node._streams[0].tally
    assert (tally.received, tally.processed, tally.failed) == (40, 10, 30)
    graph.until(lambda: len(poses) == 10)
    assert "no result for an image on /image: MemoryError: no room" in log.text
    assert log.text.count("no result for an image") < 15
    assert "Traceback" not in log.text


def test_answer_of_the_wrong_length_costs_only_its_images(graph: Any, loader: Any, picture: Any) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    submit = estimator.submit
    estimator.submit = lambda images: submit([])
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: node._streams[0].tally.failed == 1)
    estimator.submit = submit
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: poses)


def test_no_memory_for_reading_an_image_costs_only_that_image(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one thread that works on images must outlive whatever an image does to it."""
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    monkeypatch.setattr(stream, "to_bgr", once(MemoryError("no room for the picture"), stream.to_bgr))
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: node._streams[0].tally.failed == 1)
    assert "no room for the picture" in node._streams[0].trouble
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: poses)


def once(error: Exception, act: Any) -> Any:
    """A function that raises the first time and then does what it always did."""
    errors = [error]

    def acting(*arguments: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop()
        return act(*arguments, **named)

    return acting


def test_tracker_that_fails_costs_one_image_and_the_ids(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.whole = True
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    for number in range(1, 7):
        if number == 3:
            monkeypatch.setattr(Tracker, "__call__", once(IndexError("index 7 is out of bounds"), Tracker.__call__))
        graph.send(camera, picture((100, 100, 1), sec=number))
        graph.until(lambda count=number: answered(node) == count)
    graph.until(lambda: len(poses) == 5)
    assert [message.header.stamp.sec for message in poses] == [1, 2, 4, 5, 6]
    ids = [message.people[0].id for message in poses]
    assert ids == [ids[0]] * 2 + [ids[2]] * 3
    assert ids[2] > ids[0]  # what the failure left of the tracks is not trusted


def test_drawing_that_fails_costs_only_that_image(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = graph.run(PoseNode, load=loader)
    pictures, camera = graph.listen(Image, "annotated"), graph.camera()
    monkeypatch.setattr(outputs, "draw", once(ValueError("nothing to draw on"), outputs.draw))
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: node._streams[0].tally.failed == 1)
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: pictures)
    assert pictures[0].header.stamp.sec == 2


def test_lifting_that_fails_costs_only_that_image(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = graph.run(PoseNode, ["-p", "depth:=true"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    depths, infos = graph.camera("depth"), graph.camera("camera_info", CameraInfo)
    graph.until(lambda: all(p.get_subscription_count() for p in (camera, depths, infos)))
    graph.until(lambda: poses_matched(graph, node))
    info = CameraInfo(width=8, height=6, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [10.0, 0.0, 4.0, 0.0, 10.0, 3.0, 0.0, 0.0, 1.0]
    infos.publish(info)
    graph.until(lambda: node._streams[0].camera.model)
    monkeypatch.setattr(stream, "lift", once(ArithmeticError("singular"), stream.lift))
    for number in (1, 2):
        depth = Image(encoding="16UC1", width=8, height=6, step=16)
        depth.data = array.array("B", b"\xe8\x03" * 48)
        depth.header = picture((0, 0, 0), sec=number).header
        depths.publish(depth)
        graph.until(lambda sec=number: node._streams[0].camera.depths.nearest(stamp(sec), 0.0))
        camera.publish(picture((4, 3, 1), sec=number))
        graph.until(lambda count=number: answered(node) == count)
    assert (node._streams[0].tally.failed, node._streams[0].tally.processed) == (1, 1)
    graph.until(lambda: poses)
    assert poses[0].people[0].keypoints[0].position.z == pytest.approx(1.0)


def stamp(sec: int) -> Any:
    from builtin_interfaces.msg import Time

    return Time(sec=sec)


def poses_matched(graph: Any, node: Any) -> bool:
    """Whether everybody knows everybody, on both sides."""
    here = all(subscription.get_publisher_count() for subscription in graph.node.subscriptions)
    there = [s.get_publisher_count() for s in list(node.subscriptions) if s.topic_name in ("/image", "/depth")]
    return here and len(there) == 2 and all(there)


def test_listener_that_vanishes_in_the_middle_of_an_image_takes_nothing_with_it(
    graph: Any, loader: Any, picture: Any
) -> None:
    node = graph.run(PoseNode, load=loader)
    graph.listen(People, "poses")
    graph.listen(Image, "annotated")
    camera = graph.camera()
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: estimator.seen)
    for subscription in list(graph.node.subscriptions):
        graph.node.destroy_subscription(subscription)
    graph.until(lambda: not camera.get_subscription_count(), "the node to let go of the camera")
    estimator.gate.set()
    graph.until(lambda: node._streams[0].tally.processed == 1)
    again = graph.listen(People, "poses")
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: again)
    tally = node._streams[0].tally
    assert (tally.received, tally.processed, tally.failed) == (2, 2, 0)


@pytest.mark.parametrize("rounds", [15, pytest.param(100, marks=pytest.mark.long)])
def test_rounds_of_deactivate_and_activate_leave_nothing_behind(
    graph: Any, loader: Any, picture: Any, rounds: int
) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()

    def change(transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        assert graph.call(ChangeState, "/pose_node/change_state", request).success

    def entities() -> tuple[int, ...]:
        kinds = (node.subscriptions, node.publishers, node.timers, node.waitables, node.services, node.guards)
        return (threading.active_count(), *(len(list(kind)) for kind in kinds))

    def round_of(number: int) -> None:
        change(Transition.TRANSITION_DEACTIVATE)
        change(Transition.TRANSITION_ACTIVATE)
        if number % 10 == 0:
            before = len(poses)
            graph.send(camera, picture((1, 1, 1), sec=number))
            graph.until(lambda: len(poses) > before)

    for number in range(1, 11):  # until caches are full
        round_of(number)
    gc.collect()
    before, process = entities(), held(os.getpid())
    for number in range(11, 11 + rounds):
        round_of(number)
    gc.collect()
    assert entities() == before
    after = held(os.getpid())
    assert after.files <= process.files + 2
    assert after.own - process.own < FLAT
    assert len(loader.estimators) == 1


@pytest.mark.parametrize("rounds", [15, pytest.param(100, marks=pytest.mark.long)])
def test_switching_off_and_on_leaves_nothing_behind(graph: Any, loader: Any, picture: Any, rounds: int) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: poses)
    before = (threading.active_count(), len(list(node.subscriptions)), len(list(node.waitables)))
    for number in range(2 * rounds):
        assert graph.call(SetBool, "/pose_node/set_enabled", SetBool.Request(data=bool(number % 2))).success
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: len(poses) == 2)
    assert (threading.active_count(), len(list(node.subscriptions)), len(list(node.waitables))) == before
