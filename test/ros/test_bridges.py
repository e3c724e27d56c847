"""The bridges against stand-ins for messages that are not installed: the fields and constants of the real ones."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from geometry_msgs.msg import PoseWithCovariance
from rclpy.qos import DurabilityPolicy
from std_msgs.msg import Header

from openpose_ros.options import BridgeOptions
from openpose_ros.people import People
from openpose_ros.ros.bridges import bridges
from openpose_ros.ros.bridges.foxglove import ImageAnnotations
from openpose_ros.ros.bridges.hri import MOST, PATIENCE, Bodies
from openpose_ros.ros.bridges.vision import Detections
from openpose_ros.skeleton import BODY_25, COCO_18, Skeleton

HEADER = Header(frame_id="camera_optical_frame")
HEADER.stamp.sec = 12

SKELETON_CODES = [
    "NOSE", "NECK", "RIGHT_SHOULDER", "RIGHT_ELBOW", "RIGHT_WRIST", "LEFT_SHOULDER", "LEFT_ELBOW", "LEFT_WRIST",
    "RIGHT_HIP", "RIGHT_KNEE", "RIGHT_ANKLE", "LEFT_HIP", "LEFT_KNEE", "LEFT_ANKLE", "LEFT_EYE", "RIGHT_EYE",
    "LEFT_EAR", "RIGHT_EAR",
]  # fmt: skip


def message(name: str, constants: dict[str, int] | None = None, **fields: Callable[[], Any]) -> type:
    """A message type: only these fields, and only values of the type that a field begins with."""

    class Message:
        def __init__(self, **values: Any) -> None:
            for field, default in fields.items():
                object.__setattr__(self, field, default())
            for field, value in values.items():
                setattr(self, field, value)

        def __setattr__(self, field: str, value: Any) -> None:
            if field not in fields:
                raise AttributeError(f"{name} has no field {field}")
            if type(value) is not type(getattr(self, field)):
                raise TypeError(f"{name}.{field} is {value!r}")
            object.__setattr__(self, field, value)

    for constant, value in (constants or {}).items():
        setattr(Message, constant, value)
    Message.__name__ = name
    return Message


def foxglove_messages() -> list[type]:
    stamp = lambda: Header().stamp  # noqa: E731
    point = message("Point2", x=float, y=float)
    colour = message("Color", r=float, g=float, b=float, a=float)
    kinds = {"UNKNOWN": 0, "POINTS": 1, "LINE_LOOP": 2, "LINE_STRIP": 3, "LINE_LIST": 4}
    return [
        point,
        colour,
        message(
            "PointsAnnotation", kinds, timestamp=stamp, type=int, points=list, outline_color=colour,
            outline_colors=list, fill_color=colour, thickness=float,
        ),
        message(
            "TextAnnotation", timestamp=stamp, position=point, text=str, font_size=float, text_color=colour,
            background_color=colour,
        ),
        message("ImageAnnotations", circles=list, points=list, texts=list),
    ]  # fmt: skip


def hri_messages() -> list[type]:
    point = message("NormalizedPointOfInterest2D", x=float, y=float, c=float)
    codes = {name: code for code, name in enumerate(SKELETON_CODES)}
    return [
        message("IdsList", header=Header, ids=list),
        message("Skeleton2D", codes, header=Header, skeleton=lambda: [point() for _ in range(18)]),
        message("NormalizedRegionOfInterest2D", header=Header, xmin=float, ymin=float, xmax=float, ymax=float, c=float),
    ]


def vision_messages() -> list[type]:
    pose = message("Pose2D", position=message("Point2D", x=float, y=float), theta=float)
    box = message("BoundingBox2D", center=pose, size_x=float, size_y=float)
    hypothesis = message("ObjectHypothesis", class_id=str, score=float)
    return [
        message("Detection2DArray", header=Header, detections=list),
        message("Detection2D", header=Header, results=list, bbox=box, id=str),
        message("ObjectHypothesisWithPose", hypothesis=hypothesis, pose=PoseWithCovariance),
    ]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes message packages importable, and no others of the three."""

    def install(*packages: str) -> None:
        made = {"foxglove_msgs": foxglove_messages, "hri_msgs": hri_messages, "vision_msgs": vision_messages}
        for package, types in made.items():
            module = ModuleType(f"{package}.msg")
            for kind in types():
                setattr(module, kind.__name__, kind)
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
            monkeypatch.setitem(sys.modules, f"{package}.msg", module if package in packages else None)

    return install


class FakePublishers:
    """Remembers publishers and what was sent. As the real ones: for lifecycle publishers, with a node for others."""

    def __init__(self) -> None:
        self.open: dict[str, Any] = {}
        self.opened: list[str] = []
        self.node = SimpleNamespace(create_publisher=self, destroy_publisher=self.remove)

    def __call__(self, kind: type, topic: str, profile: Any) -> Any:
        sent: list[Any] = []

        def publish(what: Any) -> None:
            assert type(what) is kind
            sent.append(copy.deepcopy(what))

        publisher = SimpleNamespace(
            topic_name=topic, profile=profile, sent=sent, publish=publish, get_subscription_count=lambda: 1
        )
        assert topic not in self.open
        self.open[topic] = publisher
        self.opened.append(topic)
        return publisher

    def remove(self, *publishers: Any) -> None:
        for publisher in publishers:
            del self.open[publisher.topic_name]

    def last(self, topic: str) -> Any:
        return self.open[topic].sent[-1]


def crowd(ids: list[int], skeleton: Skeleton = COCO_18) -> People:
    """Each person's joint number j is at (10 j, 5 j), with a score of j / 100; the nose is unknown."""
    joints = np.arange(len(skeleton.joints), dtype=float)
    xy = np.tile(np.stack([10 * joints, 5 * joints], -1), (len(ids), 1, 1))
    xy[:, 0] = np.nan
    people = People.from_arrays(skeleton, xy, (200, 400), joints / 100, np.full(len(ids), 0.75))
    return replace(people, id=np.array(ids, np.int32))


def send(bridge: Any, people: People) -> None:
    bridge.publish(SimpleNamespace(header=HEADER, people=people), settings=None)


def test_nothing_is_bridged_unless_it_is_asked_for(installed: Callable[..., None]) -> None:
    installed()
    publishers = FakePublishers()
    assert bridges(publishers, COCO_18, BridgeOptions()) == []
    assert not publishers.open


def test_what_is_asked_for_is_bridged_and_closed(installed: Callable[..., None]) -> None:
    installed("foxglove_msgs", "hri_msgs", "vision_msgs")
    publishers = FakePublishers()
    made = bridges(publishers, COCO_18, BridgeOptions(foxglove=True, hri=True, vision=True))
    assert [bridge.topics for bridge in made] == [("annotations",), ("/humans/bodies/tracked",), ("detections",)]
    for bridge in made:
        assert bridge.wanted
        send(bridge, crowd([1]))
        bridge.close()
    assert not publishers.open


@pytest.mark.parametrize("parameter", ["foxglove", "hri", "vision"])
def test_missing_package_is_named_with_the_parameter(
    parameter: str, installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("foxglove_msgs" if parameter != "foxglove" else "")
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    publishers = FakePublishers()
    options = replace(BridgeOptions(foxglove=True), **{parameter: True})
    with pytest.raises(ValueError, match=f"ros-jazzy-{parameter}-msgs, or set {parameter} to false"):
        bridges(publishers, COCO_18, options)
    assert not publishers.open


def test_hri_names_joints_by_their_codes_not_by_order(installed: Callable[..., None]) -> None:
    """OpenPose has the right eye and ear first, Skeleton2D the left ones."""
    installed("hri_msgs")
    for skeleton in (COCO_18, BODY_25):
        publishers = FakePublishers()
        send(Bodies(publishers, skeleton, prefix="abc"), crowd([7], skeleton))
        points = publishers.last("/humans/bodies/abc7/skeleton2d").skeleton
        for code, name in enumerate(SKELETON_CODES[1:], start=1):
            joint = skeleton.joint(name.lower())
            assert points[code].x == pytest.approx(min(1.0, (10 * joint + 0.5) / 400)), name
            assert points[code].y == pytest.approx((5 * joint + 0.5) / 200), name
            assert points[code].c == pytest.approx(joint / 100), name
        assert (points[0].x, points[0].y, points[0].c) == (0.0, 0.0, 0.0)


def test_hri_joint_that_is_no_longer_seen_is_forgotten(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers = FakePublishers()
    bridge = Bodies(publishers, COCO_18, prefix="abc")
    send(bridge, crowd([7]))
    send(bridge, People.from_arrays(COCO_18, np.full((0, 18, 2), 0.0), (200, 400)))
    wrist = COCO_18.joint("right_wrist")
    people = crowd([7])
    people.xy[0, wrist], people.score[0, wrist], people.state[0, wrist] = np.nan, 0.0, 0
    send(bridge, people)
    point = publishers.last("/humans/bodies/abc7/skeleton2d").skeleton[SKELETON_CODES.index("RIGHT_WRIST")]
    assert (point.x, point.y, point.c) == (0.0, 0.0, 0.0)


def test_hri_region_is_the_box_of_the_joints_within_the_image(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers = FakePublishers()
    people = crowd([7])
    people.xy[0, 1] = (-50.0, 300.0)
    send(Bodies(publishers, COCO_18, prefix="abc"), people)
    roi = publishers.last("/humans/bodies/abc7/roi")
    assert (roi.xmin, roi.ymax, roi.c) == (0.0, 1.0, 0.75)
    assert (roi.xmax, roi.ymin) == pytest.approx((170.5 / 400, 10.5 / 200))
    assert roi.header == HEADER


def test_hri_lists_tracked_people_only(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers = FakePublishers()
    bridge = Bodies(publishers, COCO_18, prefix="abc")
    send(bridge, crowd([4, -1, 9]))
    tracked = publishers.last("/humans/bodies/tracked")
    assert (tracked.ids, tracked.header) == (["abc4", "abc9"], HEADER)
    assert set(publishers.open) == {
        "/humans/bodies/tracked",
        *(f"/humans/bodies/{body}/{topic}" for body in ("abc4", "abc9") for topic in ("roi", "skeleton2d")),
    }


def test_hri_body_survives_a_blink_and_goes_when_it_has_vanished(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers, now = FakePublishers(), [100.0]
    bridge = Bodies(publishers, COCO_18, prefix="abc", clock=lambda: now[0])
    send(bridge, crowd([4, 9]))
    now[0] += 0.9 * PATIENCE
    send(bridge, crowd([9]))
    assert publishers.last("/humans/bodies/tracked").ids == ["abc4", "abc9"]
    assert len(publishers.open["/humans/bodies/abc4/roi"].sent) == 1
    now[0] += 0.2 * PATIENCE
    send(bridge, crowd([9]))
    assert publishers.last("/humans/bodies/tracked").ids == ["abc9"]
    assert not any("abc4" in topic for topic in publishers.open)
    now[0] += 2 * PATIENCE
    send(bridge, crowd([]))
    assert publishers.last("/humans/bodies/tracked").ids == []
    assert set(publishers.open) == {"/humans/bodies/tracked"}


def test_hri_bodies_go_when_no_more_images_come(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers = FakePublishers()
    bridge = Bodies(publishers, COCO_18, prefix="abc")
    bridge.farewell()
    assert not publishers.open["/humans/bodies/tracked"].sent, "nobody was there whom one could take leave of"
    send(bridge, crowd([1, 2]))
    bridge.farewell()
    assert publishers.last("/humans/bodies/tracked").ids == []
    assert publishers.last("/humans/bodies/tracked").header == HEADER
    assert list(publishers.open) == ["/humans/bodies/tracked"]


def test_hri_publishers_are_bounded_however_fast_ids_change(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers, now = FakePublishers(), [0.0]
    bridge = Bodies(publishers, COCO_18, prefix="abc", clock=lambda: now[0])
    for image in range(10):
        now[0] += 0.01
        send(bridge, crowd(list(range(20 * image, 20 * image + 20))))
        assert len(publishers.open) <= 1 + 2 * MOST
        assert {f"abc{20 * image + n}" for n in range(20)} <= set(publishers.last("/humans/bodies/tracked").ids)
    now[0] += 0.01
    send(bridge, crowd(list(range(1000, 1000 + 2 * MOST))))
    assert len(publishers.last("/humans/bodies/tracked").ids) == MOST


def test_hri_body_tells_listeners_that_come_later(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    publishers = FakePublishers()
    send(Bodies(publishers, COCO_18, prefix="abc"), crowd([4]))
    for topic in ("roi", "skeleton2d"):
        durability = publishers.open[f"/humans/bodies/abc4/{topic}"].profile.durability
        assert durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_hri_ids_are_valid_in_topics_and_differ_between_nodes(installed: Callable[..., None]) -> None:
    installed("hri_msgs")
    lists = []
    for _ in range(5):
        publishers = FakePublishers()
        send(Bodies(publishers, COCO_18), crowd([0]))
        lists.append(publishers.last("/humans/bodies/tracked").ids[0])
    assert all(identity[:3].isalpha() and identity[3:] == "0" for identity in lists)
    assert len(set(lists)) > 1


def test_detection_is_the_box_of_a_persons_joints_in_pixels(installed: Callable[..., None]) -> None:
    installed("vision_msgs")
    publishers = FakePublishers()
    bridge = Detections(publishers)
    send(bridge, crowd([4, -1]))
    array = publishers.last("detections")
    assert [detection.id for detection in array.detections] == ["4", ""]
    for detection in array.detections:
        box = detection.bbox
        assert (box.center.position.x, box.center.position.y) == (90.0, 45.0)
        assert (box.size_x, box.size_y) == (160.0, 80.0)
        (result,) = detection.results
        assert (result.hypothesis.class_id, result.hypothesis.score) == ("person", 0.75)
        assert detection.header == array.header == HEADER


def test_nobody_is_an_empty_array_and_a_person_without_joints_has_no_box(installed: Callable[..., None]) -> None:
    installed("vision_msgs")
    publishers = FakePublishers()
    bridge = Detections(publishers)
    send(bridge, crowd([1, 2]))
    send(bridge, crowd([]))
    assert publishers.last("detections").detections == []
    hollow = People.from_arrays(COCO_18, np.full((1, 18, 2), np.nan), (200, 400))
    send(bridge, hollow)
    assert publishers.last("detections").detections == []


def test_annotations_count_from_the_corner_of_the_first_pixel(installed: Callable[..., None]) -> None:
    installed("foxglove_msgs")
    publishers = FakePublishers()
    send(ImageAnnotations(publishers, COCO_18), crowd([4]))
    limbs, joints = publishers.last("annotations").points
    assert (limbs.type, joints.type) == (4, 1)
    assert [(point.x, point.y) for point in joints.points] == [(10.0 * j + 0.5, 5.0 * j + 0.5) for j in range(1, 18)]
    assert len(joints.outline_colors) == len(joints.points)
    drawn = [limb for index, limb in enumerate(COCO_18.limbs) if index not in COCO_18.filling and 0 not in limb]
    ends = [10.0 * joint + 0.5 for limb in drawn for joint in limb]
    assert [point.x for point in limbs.points] == ends
    assert limbs.timestamp == joints.timestamp == HEADER.stamp


def test_annotations_name_people_and_are_empty_without_any(installed: Callable[..., None]) -> None:
    installed("foxglove_msgs")
    publishers = FakePublishers()
    bridge = ImageAnnotations(publishers, COCO_18)
    send(bridge, crowd([4, -1]))
    annotations = publishers.last("annotations")
    assert [text.text for text in annotations.texts] == ["4: 0.75", "0.75"]
    assert len(annotations.points) == 4
    colours = [vars(annotations.points[index].outline_color) for index in (0, 2)]
    assert colours[0] != colours[1]
    send(bridge, crowd([]))
    annotations = publishers.last("annotations")
    assert (annotations.points, annotations.texts, annotations.circles) == ([], [], [])
