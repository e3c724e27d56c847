from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")

from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from openpose_ros.camera_model import CameraModel
from openpose_ros.draw import joint_colours
from openpose_ros.options import MarkerOptions
from openpose_ros.people import JointState, People
from openpose_ros.ros.markers import JOINT_SIZE, Markers, marker_ids, person_colour
from openpose_ros.skeleton import BODY_25, COCO_18, SKELETONS, Skeleton

OPTIONS = MarkerOptions(marker_distance=2.0, marker_line_width=0.05, marker_labels=True)
CAMERA = CameraModel(640, 480, np.array([[500.0, 0.0, 320.0], [0.0, 400.0, 240.0], [0.0, 0.0, 1.0]]))
HEADER = Header(frame_id="camera_optical_frame")
HEADER.stamp.sec = 12


def crowd(ids: list[int], skeleton: Skeleton = COCO_18) -> People:
    """All joints known, everywhere in the image."""
    xy = np.random.default_rng(0).uniform(0, 480, (len(ids), len(skeleton.joints), 2))
    return replace(People.from_arrays(skeleton, xy, (480, 640)), id=np.array(ids, np.int32))


def with_depth(people: People, missing: tuple[int, ...] = ()) -> People:
    xyz = np.random.default_rng(1).normal(size=(*people.xy.shape[:2], 3)).astype(np.float32)
    xyz[:, list(missing)] = np.nan
    return replace(people, xyz=xyz)


def pick(array: MarkerArray, action: int, namespace: str = "") -> dict[int, Marker]:
    return {m.id: m for m in array.markers if m.action == action and m.ns.startswith(namespace)}


def points(marker: Marker) -> np.ndarray:
    return np.array([(point.x, point.y, point.z) for point in marker.points])


class Display:
    """What RViz would show: markers by namespace and id."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, int], Marker] = {}
        self.actions: Counter[int] = Counter()

    def show(self, array: MarkerArray) -> set[int]:
        self.actions = Counter(marker.action for marker in array.markers)
        for marker in deserialize_message(serialize_message(array), MarkerArray).markers:
            if marker.action == Marker.DELETEALL:
                self.shown.clear()
            elif marker.action == Marker.DELETE:
                del self.shown[marker.ns, marker.id]
            else:
                self.shown[marker.ns, marker.id] = marker
        return {identity for _, identity in self.shown}


def test_limbs_and_joints_are_where_depth_says() -> None:
    people = with_depth(crowd([4]))
    array = Markers(COCO_18).fill(people, HEADER, None, OPTIONS)
    joints = points(pick(array, Marker.ADD, "joints")[4])
    np.testing.assert_array_equal(joints, people.xyz[0].astype(float))
    limbs = [limb for index, limb in enumerate(COCO_18.limbs) if index not in COCO_18.filling]
    np.testing.assert_array_equal(points(pick(array, Marker.ADD, "limbs")[4]).reshape(-1, 2, 3), joints[limbs])


def test_limb_with_one_end_without_depth_is_left_out() -> None:
    neck = COCO_18.joint("neck")
    array = Markers(COCO_18).fill(with_depth(crowd([4]), (neck,)), HEADER, CAMERA, OPTIONS)
    untouched = [i for i, limb in enumerate(COCO_18.limbs) if neck not in limb and i not in COCO_18.filling]
    assert len(pick(array, Marker.ADD, "limbs")[4].points) == 2 * len(untouched)
    assert len(pick(array, Marker.ADD, "joints")[4].points) == 17


def test_people_without_depth_stand_on_a_plane_before_the_camera() -> None:
    people = crowd([4])
    markers = Markers(COCO_18)
    joints = points(pick(markers.fill(people, HEADER, CAMERA, OPTIONS), Marker.ADD, "joints")[4])
    np.testing.assert_allclose(joints[:, 2], 2.0)
    np.testing.assert_allclose(CAMERA.project(joints), people.xy[0], atol=1e-3)
    assert markers.unplaced == 0


def test_one_person_may_have_depth_and_another_none() -> None:
    people = with_depth(crowd([0, 1]))
    people.xyz[1] = np.nan
    shown = pick(Markers(COCO_18).fill(people, HEADER, CAMERA, OPTIONS), Marker.ADD, "joints")
    np.testing.assert_array_equal(points(shown[0]), people.xyz[0].astype(float))
    np.testing.assert_allclose(points(shown[1])[:, 2], 2.0)


def test_people_that_nothing_can_place_are_left_out_and_counted() -> None:
    people = with_depth(crowd([0, 1, 2]))
    people.xyz[1:] = np.nan
    markers = Markers(COCO_18)
    assert set(pick(markers.fill(people, HEADER, None, OPTIONS), Marker.ADD)) == {0}
    assert markers.unplaced == 2
    markers.fill(People.empty(COCO_18, (480, 640)), HEADER, None, OPTIONS)
    assert markers.unplaced == 0


def test_joint_that_no_direction_leads_to_is_left_out() -> None:
    people = crowd([4])
    people.xy[0, 3] = (1e6, 1e6)
    fisheye = CameraModel(640, 480, CAMERA.k, np.zeros(4), "equidistant")
    markers = pick(Markers(COCO_18).fill(people, HEADER, fisheye, OPTIONS), Marker.ADD, "joints")
    assert len(markers[4].points) == 17
    assert np.isfinite(points(markers[4])).all()


def test_markers_that_stay_are_updated_and_only_those_that_vanished_are_deleted() -> None:
    markers, display = Markers(COCO_18), Display()
    assert display.show(markers.fill(crowd([3, 5]), HEADER, CAMERA, OPTIONS)) == {3, 5}
    assert display.show(markers.fill(crowd([5, 3]), HEADER, CAMERA, OPTIONS)) == {3, 5}
    assert display.actions == {Marker.ADD: 6}
    assert display.show(markers.fill(crowd([5, 8]), HEADER, CAMERA, OPTIONS)) == {5, 8}
    assert display.actions == {Marker.ADD: 6, Marker.DELETE: 3}


def test_everything_is_deleted_at_the_start_and_when_nobody_is_left() -> None:
    markers, display = Markers(COCO_18), Display()
    display.shown["limbs", 99] = Marker()  # of a node that died
    display.show(markers.fill(crowd([3]), HEADER, CAMERA, OPTIONS))
    assert display.actions == {Marker.DELETEALL: 1, Marker.ADD: 3}
    assert set(display.shown) == {("limbs", 3), ("joints", 3), ("labels", 3)}
    nobody = People.empty(COCO_18, (480, 640))
    assert display.show(markers.fill(nobody, HEADER, CAMERA, OPTIONS)) == set()
    assert display.actions == {Marker.DELETEALL: 1}
    display.show(markers.fill(nobody, HEADER, CAMERA, OPTIONS))
    assert display.actions == {}


def test_clear_takes_everything_away_and_begins_anew() -> None:
    markers, display = Markers(COCO_18), Display()
    display.show(markers.fill(crowd([3]), HEADER, CAMERA, OPTIONS))
    assert display.show(markers.clear(HEADER)) == set()
    display.show(markers.fill(crowd([3]), HEADER, CAMERA, OPTIONS))
    assert display.actions == {Marker.DELETEALL: 1, Marker.ADD: 3}


def test_labels_vanish_when_they_are_switched_off() -> None:
    markers, display = Markers(COCO_18), Display()
    display.show(markers.fill(crowd([3]), HEADER, CAMERA, OPTIONS))
    display.show(markers.fill(crowd([3]), HEADER, CAMERA, replace(OPTIONS, marker_labels=False)))
    assert set(display.shown) == {("limbs", 3), ("joints", 3)}


def test_untracked_people_never_take_the_marker_of_a_tracked_one() -> None:
    assert marker_ids(crowd([-1, 0, -1, 1])) == [-1, 0, -2, 1]
    markers, display = Markers(COCO_18), Display()
    assert display.show(markers.fill(crowd([-1, 0, -1]), HEADER, CAMERA, OPTIONS)) == {-1, 0, -2}
    assert display.shown["labels", -1].text == "1.00"
    assert display.shown["labels", 0].text == "0: 1.00"


def test_no_marker_without_points_is_sent() -> None:
    xy = np.full((2, 18, 2), np.nan)
    xy[0, 4] = 100.0
    array = Markers(COCO_18).fill(People.from_arrays(COCO_18, xy, (480, 640)), HEADER, CAMERA, OPTIONS)
    assert [marker.ns for marker in array.markers] == ["", "joints", "labels"]


def test_every_marker_has_the_header_of_the_image_and_ends_with_a_dead_node() -> None:
    markers = Markers(COCO_18)
    markers.fill(crowd([1, 2]), Header(), CAMERA, OPTIONS)
    for marker in markers.fill(crowd([2]), HEADER, CAMERA, OPTIONS).markers:
        assert marker.header == HEADER
        assert marker.lifetime.sec == (5 if marker.action == Marker.ADD else 0)
        assert marker.pose.orientation.w == 1.0


def test_colours_tell_people_and_their_sides_apart() -> None:
    people = crowd([6, 7])
    people.state[0, 4] = JointState.COMPLETED
    array = Markers(COCO_18).fill(people, HEADER, CAMERA, OPTIONS)
    limbs, joints = pick(array, Marker.ADD, "limbs"), pick(array, Marker.ADD, "joints")
    assert (limbs[6].color.r, limbs[6].color.g, limbs[6].color.b) == person_colour(6)
    assert limbs[6].color != limbs[7].color
    drawn = np.array(joint_colours(COCO_18))[:, ::-1] / 255.0
    sent = np.array([(colour.r, colour.g, colour.b) for colour in joints[6].colors])
    np.testing.assert_allclose(np.delete(sent, 4, 0), np.delete(drawn, 4, 0))
    np.testing.assert_allclose(sent[4], (1.0 + drawn[4]) / 2.0)


def test_colours_of_neighbouring_ids_are_far_apart() -> None:
    colours = np.array([person_colour(identity) for identity in range(-5, 30)])
    assert np.abs(np.diff(colours, axis=0)).max(1).min() > 0.3
    assert colours.min() >= 0.0 and colours.max() <= 1.0


def test_sizes_follow_the_line_width() -> None:
    markers = Markers(COCO_18)
    array = markers.fill(crowd([1]), HEADER, CAMERA, replace(OPTIONS, marker_line_width=0.1))
    limbs, joints, label = (pick(array, Marker.ADD, name)[1] for name in ("limbs", "joints", "labels"))
    assert limbs.scale.x == 0.1
    assert joints.scale.x == joints.scale.y == joints.scale.z == JOINT_SIZE * 0.1
    assert label.pose.position.y < points(joints)[:, 1].min()


@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=list(SKELETONS))
def test_every_skeleton_survives_the_wire(skeleton: Skeleton) -> None:
    array = Markers(skeleton).fill(with_depth(crowd([0, -1], skeleton)), HEADER, None, OPTIONS)
    arrived = deserialize_message(serialize_message(array), MarkerArray)
    assert [(m.ns, m.id, m.text, m.points) for m in arrived.markers] == [
        (m.ns, m.id, m.text, m.points) for m in array.markers
    ]


def test_nothing_of_earlier_people_is_left_in_markers_that_are_filled_again() -> None:
    markers = Markers(BODY_25)
    for ids in ([1, 2, 3], [2], [9, 8, -1, 4]):
        people = with_depth(crowd(ids, BODY_25), missing=(len(ids),))
        fresh, reused = Markers(BODY_25), markers.fill(people, HEADER, CAMERA, OPTIONS)
        expected = pick(fresh.fill(people, HEADER, CAMERA, OPTIONS), Marker.ADD, "joints")
        assert pick(reused, Marker.ADD, "joints") == expected


def test_every_field_holds_pythons_own_numbers() -> None:
    """Without field checks, others abort the process or are sent as nonsense."""
    markers = pick(Markers(COCO_18).fill(with_depth(crowd([1])), HEADER, None, OPTIONS), Marker.ADD, "joints")
    values = [markers[1].points[0].x, markers[1].colors[0].r, markers[1].scale.x, markers[1].color.g]
    assert [type(value) for value in values] == [float] * 4
    assert type(markers[1].id) is int


def test_rviz_is_set_up_for_these_markers() -> None:
    file = Path(__file__).resolve().parents[2] / "config" / "pose.rviz"
    manager = yaml.safe_load(file.read_text())["Visualization Manager"]
    (display,) = (entry for entry in manager["Displays"] if entry["Class"] == "rviz_default_plugins/MarkerArray")
    array = Markers(COCO_18).fill(crowd([1]), HEADER, CAMERA, OPTIONS)
    assert set(display["Namespaces"]) == {marker.ns for marker in array.markers if marker.action == Marker.ADD}
    assert display["Topic"]["Value"] == "/poses/markers"
