"""The messages: the joint names of Coco18.msg are those of the skeleton, and what is built says what the files say."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType

import pytest

from openpose_ros.skeleton import COCO_18

MESSAGES = Path(__file__).parents[2] / "openpose_msgs" / "msg"
CONSTANT = re.compile(r"^uint8 ([A-Z_]+)=(\d+)", re.MULTILINE)


def constants(message: str) -> dict[str, int]:
    return {name: int(value) for name, value in CONSTANT.findall((MESSAGES / f"{message}.msg").read_text())}


@pytest.fixture(scope="module")
def built() -> ModuleType:
    # The folder of the same name in the checkout imports as an empty package, so that a name inside decides.
    try:
        import openpose_msgs.msg
        from openpose_msgs.msg import People  # noqa: F401
    except ImportError as error:
        pytest.skip(f"openpose_msgs is not built, or its installation not sourced ({error})")
    return openpose_msgs.msg


def test_coco18_names_the_joints_of_the_skeleton_in_its_order() -> None:
    assert constants("Coco18") == {name.upper(): index for index, name in enumerate(COCO_18.joints)}


def test_cmake_builds_every_message_file() -> None:
    listed = re.findall(r'"msg/(\w+)\.msg"', (MESSAGES.parent / "CMakeLists.txt").read_text())
    assert listed == sorted(path.stem for path in MESSAGES.glob("*.msg"))


@pytest.mark.parametrize("message", ["Coco18", "Keypoint"])
def test_built_constants_are_those_of_the_file(built: ModuleType, message: str) -> None:
    cls = getattr(built, message)
    assert constants(message)
    assert {name: getattr(cls, name) for name in constants(message)} == constants(message)


def test_person_is_untracked_until_told_otherwise(built: ModuleType) -> None:
    assert built.Person().id == -1


def test_keypoint_starts_as_unknown(built: ModuleType) -> None:
    keypoint = built.Keypoint()
    assert keypoint.state == built.Keypoint.UNKNOWN
    assert keypoint.score == 0.0


def test_people_survive_serialisation(built: ModuleType) -> None:
    from rclpy.serialization import deserialize_message, serialize_message

    sent = built.People(skeleton="COCO-18", image_width=640, image_height=480)
    sent.header.frame_id = "camera_optical"
    sent.header.stamp.nanosec = 7
    person = built.Person(id=3, score=0.5)
    person.keypoints = [built.Keypoint(x=1.5, y=-0.5, score=0.25, state=built.Keypoint.SEEN) for _ in COCO_18.joints]
    person.keypoints[0].position.z = math.nan
    sent.people = [person]

    got = deserialize_message(serialize_message(sent), built.People)

    assert (got.skeleton, got.image_width, got.image_height) == ("COCO-18", 640, 480)
    assert got.header == sent.header
    assert got.people[0].id == 3
    assert got.people[0].keypoints[1] == person.keypoints[1]
    assert math.isnan(got.people[0].keypoints[0].position.z)


def test_limbs_of_the_skeleton_fit_its_message(built: ModuleType) -> None:
    flat = [joint for limb in COCO_18.limbs for joint in limb]
    message = built.Skeleton(name=COCO_18.name, joints=list(COCO_18.joints), limbs=flat)
    assert [tuple(message.limbs[i : i + 2]) for i in range(0, len(flat), 2)] == [tuple(limb) for limb in COCO_18.limbs]
