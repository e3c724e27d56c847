from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs import msg
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from openpose_ros.people import JointState, People
from openpose_ros.ros.messages import PeopleMessage, people_from, skeleton_message
from openpose_ros.skeleton import BODY_25, COCO_18, SKELETONS, Skeleton


def crowd(count: int, skeleton: Skeleton = COCO_18, seed: int = 0) -> People:
    """People with a few joints missing and one completed."""
    generator = np.random.default_rng(seed)
    joints = len(skeleton.joints)
    xy = generator.uniform(-5, 600, (count, joints, 2))
    xy[generator.random((count, joints)) < 0.2] = np.nan
    people = People.from_arrays(skeleton, xy, (480, 640), generator.random((count, joints)), generator.random(count))
    people.state[:, 3] = np.where(people.known[:, 3], JointState.COMPLETED, JointState.UNKNOWN)
    return replace(people, id=np.arange(count, dtype=np.int32) - 1)


def over_the_wire(message: msg.People) -> People:
    return people_from(deserialize_message(serialize_message(message), msg.People))


def same(one: People, other: People) -> bool:
    arrays = ("xy", "score", "state", "person_score", "id")
    return (
        one.skeleton is other.skeleton
        and one.image_size == other.image_size
        and all(np.array_equal(getattr(one, a), getattr(other, a), equal_nan=True) for a in arrays)
        and (one.xyz is None) == (other.xyz is None)
        and (one.xyz is None or np.array_equal(one.xyz, other.xyz, equal_nan=True))
    )


@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=list(SKELETONS))
@pytest.mark.parametrize("count", [0, 1, 20])
def test_people_come_back_from_the_wire(skeleton: Skeleton, count: int) -> None:
    people = crowd(count, skeleton)
    header = Header(frame_id="camera_optical_frame")
    header.stamp.sec, header.stamp.nanosec = 1234567890, 999999999
    message = PeopleMessage(skeleton).fill(people, header)
    assert message.header == header
    assert message.skeleton == skeleton.name
    assert (message.image_width, message.image_height) == (640, 480)
    assert same(over_the_wire(message), people)


def test_nothing_of_earlier_people_is_left_in_a_message_that_is_filled_again() -> None:
    message = PeopleMessage(COCO_18)
    for number, count in enumerate([3, 20, 0, 1, 7, 2]):
        people = crowd(count, seed=number)
        assert same(over_the_wire(message.fill(people, Header())), people)


def test_positions_are_sent_and_forgotten_when_depth_is_gone() -> None:
    message = PeopleMessage(COCO_18)
    three, one = crowd(3), crowd(1, seed=1)
    xyz = np.random.default_rng(2).normal(size=(3, 18, 3)).astype(np.float32)
    xyz[0, 0] = np.nan
    solid = replace(three, xyz=xyz)
    assert same(over_the_wire(message.fill(solid, Header())), solid)
    assert same(over_the_wire(message.fill(one, Header())), one)
    assert same(over_the_wire(message.fill(three, Header())), three)


def test_unknown_joint_is_nan_with_score_zero_never_the_origin() -> None:
    people = People.from_arrays(COCO_18, np.full((1, 18, 2), np.nan), (48, 64))
    for keypoint in PeopleMessage(COCO_18).fill(people, Header()).people[0].keypoints:
        assert np.isnan([keypoint.x, keypoint.y, keypoint.position.x, keypoint.position.z]).all()
        assert keypoint.score == 0.0
        assert keypoint.state == msg.Keypoint.UNKNOWN


def test_every_field_holds_pythons_own_numbers() -> None:
    """Without field checks, others abort the process or are sent as nonsense."""
    person = PeopleMessage(COCO_18).fill(crowd(1), Header()).people[0]
    assert type(person.id) is int
    assert type(person.score) is float
    for keypoint in person.keypoints:
        values = (keypoint.x, keypoint.y, keypoint.score, keypoint.state, keypoint.position.x)
        assert [type(value) for value in values] == [float, float, float, int, float]


def test_states_are_numbered_alike() -> None:
    for state in JointState:
        assert getattr(msg.Keypoint, state.name) == state


def test_skeleton_message_names_joints_and_limbs() -> None:
    message = skeleton_message(BODY_25)
    assert message.name == "BODY_25"
    assert message.joints == list(BODY_25.joints)
    assert list(zip(message.limbs[::2], message.limbs[1::2], strict=True)) == list(BODY_25.limbs)


def test_message_of_an_unknown_skeleton_is_refused() -> None:
    with pytest.raises(ValueError, match="octopus"):
        people_from(msg.People(skeleton="octopus"))
