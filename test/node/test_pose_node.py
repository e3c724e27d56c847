"""The pose node between a camera and its listeners, over real DDS, with an estimator that is only a stand-in."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People, Skeleton
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.draw import draw
from openpose_ros.encodings import decompress, to_bgr
from openpose_ros.ros import outputs, qos, subscription
from openpose_ros.ros.messages import people_from, skeleton_message
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.skeleton import COCO_18

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
Picture = Callable[..., ImageMessage]


def asked_of(graph: Any, topic: str = "/image") -> list[ReliabilityPolicy]:
    return [info.qos_profile.reliability for info in graph.node.get_subscriptions_info_by_topic(topic)]


def test_every_image_gives_one_message_with_its_own_header(graph: Any, loader: Any, picture: Picture) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    for number in range(1, 6):
        sent = picture((number, 2 * number, 0), sec=1000 + number, frame_id=f"camera_{number}")
        sent.header.stamp.nanosec = 999_999_999 - number
        graph.send(camera, sent)
        graph.until(lambda count=number: len(poses) == count)
        assert poses[-1].header == sent.header
        assert (poses[-1].image_width, poses[-1].image_height, poses[-1].skeleton) == (8, 6, COCO_18.name)
        people = people_from(poses[-1])
        assert people.xy[0, 0].tolist() == [number, 2 * number]
        assert np.isnan(people.xy[0, 1:]).all()
        assert people.person_score.tolist() == [0.5]
        assert (people.id >= 0).all()
    graph.spin(0.1)
    assert len(poses) == 5


def test_nobody_is_an_empty_message(graph: Any, loader: Any, picture: Picture) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    graph.send(camera, picture((0, 0, 0), sec=7))
    graph.until(lambda: poses)
    assert len(poses[0].people) == 0
    assert poses[0].header.stamp.sec == 7


def test_skeleton_is_there_for_whoever_comes_later(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, load=loader)
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard = graph.listen(Skeleton, "poses/skeleton", late)
    graph.until(lambda: heard)
    assert heard == [skeleton_message(COCO_18)]


@pytest.mark.parametrize("events", [True, False], ids=["matched-events", "polling"])
@pytest.mark.parametrize(
    ("kind", "topic"),
    [(People, "poses"), (ImageMessage, "annotated"), (CompressedImage, "annotated/compressed")],
    ids=["poses", "annotated", "compressed"],
)
def test_camera_is_heard_only_while_somebody_listens(
    graph: Any, loader: Any, picture: Picture, kind: Any, topic: str, events: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if events and not qos.HAS_MATCHED_EVENTS:
        pytest.skip("this ROS 2 has no matched events")
    monkeypatch.setattr(qos, "HAS_MATCHED_EVENTS", events)
    node, camera = graph.run(PoseNode, load=loader), graph.camera()
    graph.until(lambda: node.count_publishers("/image"))
    graph.spin(0.2)
    assert camera.get_subscription_count() == 0
    heard = graph.listen(kind, topic)
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: heard)
    graph.node.destroy_subscription(next(s for s in graph.node.subscriptions if s.topic_name == f"/{topic}"))
    graph.until(lambda: camera.get_subscription_count() == 0, "the node to let go")
    camera.publish(picture((2, 2, 2)))
    graph.spin(0.1)
    assert len(loader.estimators[0].seen) == 1


def test_picture_is_drawn_only_for_its_listeners(
    graph: Any, loader: Any, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(outputs, "draw", lambda *arguments: drawn.append(1) or draw(*arguments))
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    sent = picture((4, 4, 9), sec=3)
    graph.send(camera, sent)
    graph.until(lambda: poses)
    assert not drawn
    annotated = graph.listen(ImageMessage, "annotated")
    compressed = graph.listen(CompressedImage, "annotated/compressed")
    graph.until(
        lambda: graph.node.count_publishers("/annotated") and graph.node.count_publishers("/annotated/compressed")
    )
    while not (annotated and compressed):
        graph.send(camera, sent)
        graph.spin(0.1)
    expected = draw(to_bgr(sent), people_from(poses[0]))
    assert (expected != to_bgr(sent)).any()
    assert (to_bgr(annotated[0]) == expected).all()
    assert annotated[0].header == compressed[0].header == sent.header
    assert np.abs(decompress(compressed[0]).astype(int) - expected).mean() < 20
    assert len(drawn) <= len(poses) - 1


@pytest.mark.parametrize("offered", [RELIABLE, BEST_EFFORT], ids=["reliable", "best-effort"])
def test_auto_asks_for_what_the_camera_offers(graph: Any, loader: Any, picture: Picture, offered: QoSProfile) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera(qos=offered)
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: poses)
    assert asked_of(graph) == [offered.reliability]


def test_auto_follows_when_publishers_change(graph: Any, loader: Any, picture: Picture) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera(qos=RELIABLE)
    graph.until(lambda: asked_of(graph) == [ReliabilityPolicy.RELIABLE])
    other = graph.camera(qos=BEST_EFFORT)
    graph.until(lambda: asked_of(graph) == [ReliabilityPolicy.BEST_EFFORT], "best effort, which hears both")
    for number, publisher in enumerate((camera, other)):
        graph.send(publisher, picture((1, 1, 1), sec=number))
        graph.until(lambda count=number + 1: len(poses) == count)
    graph.node.destroy_publisher(other)
    graph.until(lambda: asked_of(graph) == [ReliabilityPolicy.RELIABLE], "reliable again")


def test_fixed_reliability_that_hears_nothing_is_explained(graph: Any, loader: Any, log: Any) -> None:
    graph.run(PoseNode, ["-p", "qos:=reliable"], load=loader)
    graph.listen(People, "poses")
    graph.camera(qos=BEST_EFFORT)
    graph.until(lambda: "best effort only" in log.text)
    assert "/image" in log.text
    assert "set the parameter qos to auto or best_effort" in log.text
    assert asked_of(graph) == [ReliabilityPolicy.RELIABLE]


def test_compressed_images_come_from_beside_the_remapped_topic(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-p", "image_transport:=compressed", "-r", "image:=/front/image_raw"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera("/front/image_raw/compressed", CompressedImage)
    sent = CompressedImage(format="png")
    sent.header.stamp.sec = 42
    sent.data = array.array("B", cv2.imencode(".png", np.full((30, 40, 3), (9, 8, 7), np.uint8))[1].tobytes())
    graph.send(camera, sent)
    graph.until(lambda: poses)
    assert (poses[0].header.stamp.sec, poses[0].image_width, poses[0].image_height) == (42, 40, 30)
    assert loader.estimators[0].seen == [[9, 8, 7]]


def test_topics_move_with_the_namespace(graph: Any, loader: Any, picture: Picture) -> None:
    graph.run(PoseNode, ["-r", "__ns:=/robot"], load=loader)
    poses, camera = graph.listen(People, "/robot/poses"), graph.camera("/robot/image")
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: poses)
    names = {name for name, _ in graph.node.get_topic_names_and_types() if name.startswith("/robot")}
    assert {"/robot/annotated", "/robot/annotated/compressed", "/robot/poses/skeleton"} <= names


def broken(change: dict[str, Any], message: ImageMessage) -> ImageMessage:
    for name, value in change.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"encoding": "rgb9"}, "the encoding is 'rgb9'; expected"),
        ({"data": array.array("B", bytes(5))}, "the data has 5 bytes"),
        ({"width": 0}, "0x6 pixels; expected at least 1x1"),
        ({"step": 2}, "step is 2 bytes; 8 pixels of bgr8 need at least 24"),
        ({"encoding": "32FC1", "step": 32, "data": array.array("B", bytes(192))}, "set the parameter|value_range"),
    ],
)
def test_broken_image_is_named_and_the_next_one_is_processed(
    graph: Any, loader: Any, picture: Picture, change: dict[str, Any], text: str, log: Any
) -> None:
    graph.run(PoseNode, ["-p", "report_period:=0.2"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    graph.send(camera, broken(change, picture((1, 1, 1))))
    graph.until(lambda: "skipped an image on /image: " in log.text)
    assert any(part in log.text for part in text.split("|"))
    assert not poses
    graph.send(camera, picture((2, 2, 2)))
    graph.until(lambda: poses)
    graph.until(lambda: "1 broken" in log.text, "the report")


def test_image_on_which_the_estimator_fails_costs_only_that_image(
    graph: Any, loader: Any, picture: Picture, log: Any
) -> None:
    graph.run(PoseNode, ["-p", "report_period:=0.2"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    estimator.failure = RuntimeError("out of memory")
    graph.send(camera, picture((1, 1, 1)))
    expected = "no result for an image on /image: RuntimeError: out of memory"
    graph.until(lambda: expected in log.text)
    estimator.failure = None
    graph.send(camera, picture((2, 2, 2)))
    graph.until(lambda: poses)
    assert poses[0].people[0].keypoints[0].x == 2.0
    graph.until(lambda: "1 failed" in log.text, "the report")


def test_missing_stamp_and_frame_are_warned_of_once_and_processed(
    graph: Any, loader: Any, picture: Picture, log: Any
) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    for number in range(3):
        graph.send(camera, picture((1, 1, 1), sec=0, frame_id=""))
        graph.until(lambda count=number + 1: len(poses) == count)
    assert log.text.count("zero stamp") == 1
    assert log.text.count("empty frame_id") == 1
    assert poses[-1].header == picture((1, 1, 1), sec=0, frame_id="").header


def test_one_pixel_is_an_image(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    pixel = ImageMessage(encoding="mono8", width=1, height=1, step=1)
    pixel.data = array.array("B", [0])
    graph.send(camera, pixel)
    graph.until(lambda: poses)
    assert (poses[0].image_width, poses[0].image_height, len(poses[0].people)) == (1, 1, 0)


def test_under_overload_the_newest_image_wins(graph: Any, loader: Any, picture: Picture) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera(qos=QoSProfile(depth=10))
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: estimator.seen, "the first image to reach the estimator")
    for number in range(2, 8):
        graph.send(camera, picture((number, 1, 1), sec=number))
        graph.until(lambda count=number: node._streams[0].tally.received == count)
    estimator.gate.set()
    graph.until(lambda: len(poses) == 2)
    graph.spin(0.1)
    assert [message.people[0].keypoints[0].x for message in poses] == [1.0, 7.0]
    assert poses[1].header.stamp.sec == 7
    tally = node._streams[0].tally
    assert (tally.received, tally.replaced, tally.processed) == (7, 5, 2)


def test_silence_is_explained(graph: Any, loader: Any, log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "PATIENCE", 0.2)
    monkeypatch.setattr(subscription, "REMINDER", 0.2)
    graph.run(PoseNode, load=loader)

    graph.spin(0.6)
    assert "waiting for images" not in log.text  # nobody listens yet
    graph.listen(People, "poses")
    graph.until(lambda: "waiting for images on /image: nobody publishes it" in log.text)
    graph.camera("/front/image_raw")
    graph.until(lambda: "there is /front/image_raw (remap it)" in log.text)
    graph.camera("image", CompressedImage)
    graph.until(lambda: "it carries sensor_msgs/msg/CompressedImage; expected sensor_msgs/msg/Image" in log.text)


def test_one_line_at_the_start_says_what_runs(graph: Any, loader: Any, log: Any) -> None:
    graph.run(PoseNode, ["-r", "image:=/front/image_raw", "-p", "input_size:=256x456"], load=loader)
    start = "model fake, backend fake on cpu in float32, input 256x456, people from score 0.25"
    assert sum(start in line for line in log.text.splitlines()) == 1
    assert (
        sum("images from /front/image_raw, while somebody listens to /poses" in line for line in log.text.splitlines())
        == 1
    )
    assert len(log.text.splitlines()) == 2


def test_the_first_result_is_told_once(graph: Any, loader: Any, picture: Any, log: Any) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    for number in (1, 2):
        graph.send(camera, picture((1, 1, 1), sec=number))
        graph.until(lambda count=number: len(poses) == count)
    assert log.text.count("first result from /image: 8x6 pixels, people found: 1, ") == 1
