"""The bridges over real DDS, each where the messages of its package are installed; elsewhere test/ros/test_bridges.py
has stand-ins for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from openpose_msgs.msg import People
from rclpy.qos import DurabilityPolicy, QoSProfile

from openpose_ros.ros.messages import people_from
from openpose_ros.ros.pose_node import PoseNode

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SIZE = (8.0, 6.0)
"""Width and height of the tester's images."""


def installed(package: str) -> Any:
    return pytest.importorskip(f"{package}.msg", reason=f"needs {package}, which is in no package index")


def show(graph: Any, loader: Any, picture: Any, parameter: str, topic: str, kind: Any) -> tuple[Any, Any]:
    """What is heard of a node with one bridge that sees one image, and the people of that image."""
    loader.whole = True
    graph.run(PoseNode, ["-p", f"{parameter}:=true"], load=loader)
    heard, poses, camera = graph.listen(kind, topic), graph.listen(People, "poses"), graph.camera()
    sent = picture((4, 3, 1))
    graph.send(camera, sent)
    graph.until(lambda: heard and poses)
    return heard, people_from(poses[0])


def test_foxglove_hears_limbs_joints_and_labels(graph: Any, loader: Any, picture: Any) -> None:
    msg = installed("foxglove_msgs")
    heard, people = show(graph, loader, picture, "foxglove", "annotations", msg.ImageAnnotations)
    limbs, joints = heard[0].points
    assert (limbs.type, joints.type) == (msg.PointsAnnotation.LINE_LIST, msg.PointsAnnotation.POINTS)
    assert (limbs.timestamp.sec, joints.timestamp.sec, heard[0].texts[0].timestamp.sec) == (1, 1, 1)
    np.testing.assert_allclose([(p.x, p.y) for p in joints.points], people.xy[0] + 0.5, atol=1e-4)
    assert heard[0].texts[0].text == f"{people.id[0]}: 0.50"


def test_ros4hri_hears_bodies_by_name_and_that_they_are_gone(graph: Any, loader: Any, picture: Any) -> None:
    msg = installed("hri_msgs")
    heard, people = show(graph, loader, picture, "hri", "/humans/bodies/tracked", msg.IdsList)
    (name,) = heard[0].ids
    assert name.endswith(str(people.id[0]))
    bodies = graph.listen(msg.Skeleton2D, f"/humans/bodies/{name}/skeleton2d", LATCHED)
    graph.until(lambda: bodies, "the skeleton, by somebody who came late")
    for joint in ("left_eye", "right_eye", "left_ear", "right_ear", "nose", "left_wrist"):
        point = bodies[0].skeleton[getattr(msg.Skeleton2D, joint.upper())]
        expected = np.clip((people.xy[0, people.skeleton.joint(joint)] + 0.5) / SIZE, 0.0, 1.0)
        np.testing.assert_allclose((point.x, point.y), expected, atol=1e-5)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert graph.call(ChangeState, "/pose_node/change_state", request).success
    graph.until(lambda: len(heard) == 2)
    assert list(heard[1].ids) == []


def test_vision_msgs_hears_boxes(graph: Any, loader: Any, picture: Any) -> None:
    msg = installed("vision_msgs")
    heard, people = show(graph, loader, picture, "vision", "detections", msg.Detection2DArray)
    (detection,) = heard[0].detections
    assert detection.id == str(people.id[0])
    assert (detection.results[0].hypothesis.class_id, detection.results[0].hypothesis.score) == ("person", 0.5)
    centre, low, high = detection.bbox.center.position, people.xy[0].min(0), people.xy[0].max(0)
    np.testing.assert_allclose((centre.x, centre.y), (low + high) / 2.0, atol=1e-4)
    np.testing.assert_allclose((detection.bbox.size_x, detection.bbox.size_y), high - low, atol=1e-4)
