"""A pose node with a depth camera, over real DDS."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from openpose_msgs.msg import People
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

from openpose_ros.ros.messages import people_from
from openpose_ros.ros.pose_node import PoseNode

WIDTH, HEIGHT, FOCAL = 64, 48, 60.0


def colour(sec: int, nanosec: int = 0) -> Image:
    """The nose of its person is at x 30, y 20."""
    message = Image(encoding="bgr8", width=WIDTH, height=HEIGHT, step=3 * WIDTH)
    message.header.frame_id = "optical"
    message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
    message.data = array.array("B", bytes((30, 20, 1)) * WIDTH * HEIGHT)
    return message


def depth(sec: int, millimetres: int, nanosec: int = 0) -> Image:
    message = Image(encoding="16UC1", width=WIDTH, height=HEIGHT, step=2 * WIDTH)
    message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
    message.data = array.array("B", np.full((HEIGHT, WIDTH), millimetres, "<u2").tobytes())
    return message


def info(focal: float = FOCAL) -> CameraInfo:
    x, y = (WIDTH - 1) / 2.0, (HEIGHT - 1) / 2.0
    return CameraInfo(
        width=WIDTH,
        height=HEIGHT,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0 if focal else 0.0] if focal else [0.0] * 9,
    )


class Rig:
    """A colour camera, its depth and its calibration."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.colour = graph.camera("camera/image_raw")
        self.depth = graph.camera("camera/depth")
        self.info = graph.camera("camera/camera_info", CameraInfo)

    def matched(self) -> None:
        publishers = (self.colour, self.depth, self.info)
        self.graph.until(lambda: all(p.get_subscription_count() for p in publishers), "subscriptions to the rig")
        self.graph.until(lambda: all(s.get_publisher_count() for s in self.graph.node.subscriptions))
        self.graph.spin(0.3)


ARGUMENTS = ["-r", "image:=camera/image_raw", "-r", "depth:=camera/depth", "-p", "depth:=true"]


def test_joints_are_placed_in_space_by_the_depth_of_the_very_image(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, ARGUMENTS, load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    rig.matched()
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    for sec, millimetres in ((1, 2000), (2, 3000), (3, 4000)):
        rig.depth.publish(depth(sec, millimetres, nanosec=5_000_000))
        graph.until(lambda count=sec: len(node._streams[0].camera.depths._messages) == count)
    rig.colour.publish(colour(2))
    graph.until(lambda: poses)
    xyz = people_from(poses[0]).xyz
    np.testing.assert_allclose(
        xyz[0, 0], (3.0 * (30 - 31.5) / FOCAL, 3.0 * (20 - 23.5) / FOCAL, 3.0), atol=1e-5
    )  # metres, optical frame
    assert np.isnan(xyz[0, 1:]).all()
    assert poses[0].header.frame_id == "optical"


def test_a_compressed_depth_image_comes_from_beside_the_remapped_topic(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, [*ARGUMENTS, "-p", "depth_transport:=compressedDepth"], load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    graph.node.destroy_publisher(rig.depth)
    rig.depth = graph.camera("camera/depth/compressedDepth", CompressedImage)
    rig.matched()
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    picture = cv2.imencode(".png", np.full((HEIGHT, WIDTH), 2500, np.uint16))[1].tobytes()
    sent = CompressedImage(header=depth(1, 0).header, format="16UC1; compressedDepth png")
    sent.data = array.array("B", bytes(12) + picture)
    rig.depth.publish(sent)
    graph.until(lambda: node._streams[0].camera.depths._messages)
    rig.colour.publish(colour(1))
    graph.until(lambda: poses)
    assert people_from(poses[0]).xyz[0, 0, 2] == pytest.approx(2.5)


def test_a_result_waits_a_little_for_a_late_depth_image(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, [*ARGUMENTS, "-p", "depth_wait:=10.0"], load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    rig.matched()
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    rig.colour.publish(colour(7))
    graph.until(lambda: loader.estimators[0].seen)
    rig.depth.publish(depth(7, 1500))
    graph.until(lambda: poses)
    assert people_from(poses[0]).xyz[0, 0, 2] == pytest.approx(1.5)


def test_without_depth_of_its_time_a_person_has_no_place_and_the_image_is_counted(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, ARGUMENTS, load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    rig.matched()
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    rig.depth.publish(depth(1, 2000))
    graph.until(lambda: node._streams[0].camera.depths._messages)
    rig.colour.publish(colour(1, nanosec=100_000_000))  # five times the slop
    graph.until(lambda: poses)
    assert people_from(poses[0]).xyz is None
    assert people_from(poses[0]).xy[0, 0].tolist() == [30.0, 20.0]
    graph.until(lambda: node._streams[0].tally.processed == 1)
    assert node._streams[0].tally.unpaired == 1


def test_depth_of_another_shape_is_named_and_costs_only_the_places(graph: Any, loader: Any, log: Any) -> None:
    node = graph.run(PoseNode, ARGUMENTS, load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    rig.matched()
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    wrong = depth(1, 2000)
    wrong.height, wrong.data = HEIGHT // 2, wrong.data[: WIDTH * HEIGHT]
    rig.depth.publish(wrong)
    graph.until(lambda: node._streams[0].camera.depths._messages)
    rig.colour.publish(colour(1))
    graph.until(lambda: poses)
    assert people_from(poses[0]).xyz is None
    assert "no depth for an image on /camera/image_raw" in log.text


def test_uncalibrated_camera_is_named_and_a_calibration_that_comes_later_is_used(
    graph: Any, loader: Any, log: Any
) -> None:
    node = graph.run(PoseNode, ARGUMENTS, load=loader)
    poses, rig = graph.listen(People, "poses"), Rig(graph)
    rig.matched()
    rig.info.publish(info(focal=0.0))
    graph.until(lambda: node._streams[0].camera.problem)
    assert "not calibrated" in log.text
    rig.info.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    assert not node._streams[0].camera.problem
    rig.depth.publish(depth(1, 2000))
    graph.until(lambda: node._streams[0].camera.depths._messages)
    rig.colour.publish(colour(1))
    graph.until(lambda: poses)
    assert people_from(poses[0]).xyz[0, 0, 2] == pytest.approx(2.0)


def test_without_depth_markers_lie_at_the_asked_distance_in_front_of_the_camera(graph: Any, loader: Any) -> None:
    loader.whole = True
    node = graph.run(PoseNode, ["-r", "image:=camera/image_raw", "-p", "marker_distance:=2.5"], load=loader)
    markers, camera = graph.listen(MarkerArray, "poses/markers"), graph.camera("camera/image_raw")
    infos = graph.camera("camera/camera_info", CameraInfo)
    graph.until(lambda: camera.get_subscription_count() and infos.get_subscription_count())
    graph.until(lambda: all(s.get_publisher_count() for s in graph.node.subscriptions))
    graph.spin(0.3)
    infos.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    camera.publish(colour(1))
    graph.until(lambda: markers)
    lines = [marker for marker in markers[0].markers if marker.type == Marker.LINE_LIST]
    assert len(lines) == 1
    assert {point.z for point in lines[0].points} == {2.5}
    assert lines[0].header.frame_id == "optical"
    assert not graph.node.count_subscribers("/camera/depth")


def test_calibration_is_heard_only_where_somebody_wants_to_see_people_in_space(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-r", "image:=camera/image_raw"], load=loader)
    graph.listen(People, "poses")
    camera = graph.camera("camera/image_raw")
    graph.until(camera.get_subscription_count)
    graph.spin(0.6)
    assert not graph.node.count_subscribers("/camera/camera_info")
    graph.listen(MarkerArray, "poses/markers")
    graph.until(lambda: graph.node.count_subscribers("/camera/camera_info"))


@pytest.mark.parametrize("way", ["deactivated", "switched off", "ended", "silent"])
def test_markers_go_when_no_more_images_come(graph: Any, loader: Any, way: str) -> None:
    loader.whole = True
    node = graph.run(PoseNode, ["-p", "stale_after:=1.0"], load=loader)
    markers, camera = graph.listen(MarkerArray, "poses/markers"), graph.camera()
    infos = graph.camera("camera_info", CameraInfo)
    graph.until(lambda: camera.get_subscription_count() and infos.get_subscription_count())
    graph.until(lambda: all(s.get_publisher_count() for s in graph.node.subscriptions))
    graph.spin(0.3)
    infos.publish(info())
    graph.until(lambda: node._streams[0].camera.model)
    (estimator,) = loader.estimators
    estimator.gate.clear()
    camera.publish(colour(1))
    graph.until(lambda: estimator.seen)
    if way == "switched off":  # what is on its way is shown, and taken away
        assert graph.call(SetBool, "/pose_node/set_enabled", SetBool.Request(data=False)).success
        estimator.gate.set()
    elif way == "silent":
        estimator.gate.set()
    else:
        estimator.gate.set()
        graph.until(lambda: markers)
        transition = {"deactivated": Transition.TRANSITION_DEACTIVATE, "ended": Transition.TRANSITION_ACTIVE_SHUTDOWN}
        request = ChangeState.Request(transition=Transition(id=transition[way]))
        assert graph.call(ChangeState, "/pose_node/change_state", request).success
    graph.until(lambda: len(markers) == 2)
    assert markers[0].markers[-1].action == Marker.ADD
    assert [marker.action for marker in markers[1].markers] == [Marker.DELETEALL]
    assert markers[1].markers[0].header == markers[0].markers[-1].header
    if way == "silent":  # that is said once, and an image that comes after all is shown
        graph.spin(1.2)
        assert len(markers) == 2
        camera.publish(colour(2))
        graph.until(lambda: len(markers) == 3)
        assert markers[2].markers[-1].action == Marker.ADD
