"""Several cameras through one network, and images that come too often or too late."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from rclpy.qos import QoSProfile

from openpose_ros.ros.pose_node import PoseNode


def test_each_camera_has_its_own_topics_and_all_share_one_network(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, ["-p", "cameras:=[left, right]", "-r", "right/image:=/back/image_raw"], load=loader)
    left, right = graph.listen(People, "left/poses"), graph.listen(People, "right/poses")
    one, other = graph.camera("left/image"), graph.camera("/back/image_raw")
    graph.until(lambda: one.get_subscription_count() and other.get_subscription_count())
    graph.until(lambda: all(s.get_publisher_count() for s in graph.node.subscriptions))
    graph.spin(0.3)
    one.publish(picture((11, 1, 1), frame_id="left"))
    other.publish(picture((22, 2, 2), frame_id="right"))
    graph.until(lambda: left and right)
    assert [m.header.frame_id for m in left] == ["left"]
    assert [m.people[0].keypoints[0].x for m in left] == [11.0]
    assert [m.header.frame_id for m in right] == ["right"]
    assert [m.people[0].keypoints[0].x for m in right] == [22.0]
    assert len(loader.estimators) == 1


def test_only_the_camera_with_a_listener_is_heard(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-p", "cameras:=left,right"], load=loader)
    one, other = graph.camera("left/image"), graph.camera("right/image")
    graph.listen(People, "right/poses")
    graph.until(other.get_subscription_count)
    graph.spin(0.6)
    assert not one.get_subscription_count()


@pytest.mark.parametrize(("most", "together"), [("0", [1, 1, 1]), ("2", [1, 2])])
def test_images_go_through_the_network_together_where_that_is_asked_for(
    graph: Any, loader: Any, picture: Any, most: str, together: list[int]
) -> None:
    node = graph.run(PoseNode, ["-p", "cameras:=left,right", "-p", f"max_batch:={most}"], load=loader)
    left, right = graph.listen(People, "left/poses"), graph.listen(People, "right/poses")
    one, other = graph.camera("left/image"), graph.camera("right/image")
    graph.until(lambda: one.get_subscription_count() and other.get_subscription_count())
    graph.until(lambda: all(s.get_publisher_count() for s in graph.node.subscriptions))
    graph.spin(0.3)
    (estimator,) = loader.estimators
    estimator.gate.clear()
    one.publish(picture((1, 1, 1)))
    graph.until(lambda: estimator.seen, "the first image to reach the estimator")
    one.publish(picture((2, 1, 1), sec=2))
    other.publish(picture((3, 1, 1), sec=2))
    graph.until(lambda: [s.tally.received for s in node._streams] == [2, 1])
    estimator.gate.set()
    graph.until(lambda: len(left) == 2 and len(right) == 1)
    assert estimator.batches == together
    assert [corner[0] for corner in estimator.seen] == [1, 3, 2]  # the other camera's turn


@pytest.mark.parametrize("bad", ["left,left", "left,,right", "1st", "left right", "/left"])
def test_names_of_cameras_are_checked(graph: Any, loader: Any, bad: str) -> None:
    from openpose_ros.ros.program import StartError

    with pytest.raises(StartError, match="cameras is .*; expected different names"):
        graph.run(PoseNode, ["-p", f"cameras:='{bad}'"], load=loader)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("cameras:=left,right", "REP-155 knows a single list of bodies"),
        ("track:=false", "only people with ids are bodies"),
    ],
)
def test_bodies_need_one_camera_and_ids(graph: Any, loader: Any, log: Any, other: str, message: str) -> None:
    from openpose_ros.ros.program import StartError

    with pytest.raises(StartError):
        graph.run(PoseNode, ["-p", "hri:=true", "-p", other], load=loader)
    assert message in log.text
    assert not loader.estimators


def test_no_more_images_are_looked_at_than_max_rate_allows(graph: Any, loader: Any, picture: Any) -> None:
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    node = graph.run(PoseNode, ["-p", "max_rate:=5.0"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera(qos=QoSProfile(depth=1))
    graph.send(camera, picture((1, 1, 1)))
    began = time.monotonic()
    sent = 1
    while time.monotonic() - began < 2.0:
        sent += 1
        camera.publish(picture((1, 1, 1), sec=sent))
        graph.spin(0.02)
    assert len(poses) <= 2.0 * 5.0 + 2
    assert len(poses) >= 3
    tally = node._streams[0].tally
    assert tally.received - tally.replaced - tally.processed <= 1
    request = SetParameters.Request(parameters=[Parameter("max_rate", value=0.0).to_parameter_msg()])
    assert graph.call(SetParameters, "/pose_node/set_parameters", request).results[0].successful
    before = len(poses)
    for number in range(10):
        graph.send(camera, picture((1, 1, 1), sec=sent + 1 + number))
        graph.until(lambda count=before + number + 1: len(poses) >= count)


def test_images_older_than_max_age_are_left_out_and_counted(graph: Any, loader: Any, picture: Any, log: Any) -> None:
    node = graph.run(PoseNode, ["-p", "max_age:=5.0"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    now = int(time.time())
    graph.send(camera, picture((1, 1, 1), sec=now - 60))
    graph.until(lambda: node._streams[0].tally.outdated == 1)
    graph.send(camera, picture((2, 2, 2), sec=now))
    graph.until(lambda: poses)
    assert [m.header.stamp.sec for m in poses] == [now]
    assert "max_age" in log.text


def test_two_nodes_side_by_side_do_not_collide(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, ["-r", "__ns:=/front"], load=loader)
    front, front_camera = graph.listen(People, "/front/poses"), graph.camera("/front/image")
    graph.send(front_camera, picture((1, 1, 1)))
    graph.until(lambda: front)
    graph.run(PoseNode, ["-r", "__ns:=/rear"], load=loader)
    rear, rear_camera = graph.listen(People, "/rear/poses"), graph.camera("/rear/image")
    graph.until(rear_camera.get_subscription_count)
    graph.spin(0.5)
    rear_camera.publish(picture((2, 2, 2)))
    graph.until(lambda: rear)
    assert (len(front), len(rear)) == (1, 1)
    names = [name for name, _ in graph.node.get_service_names_and_types() if name.endswith("/reset_ids")]
    assert sorted(names) == ["/front/pose_node/reset_ids", "/rear/pose_node/reset_ids"]
