"""A new bag has its name when it is whole, and never before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")

from openpose_ros.bags import BagError
from openpose_ros.bags.messages import people_message, skeleton_message
from openpose_ros.bags.reading import Bag
from openpose_ros.bags.types import PEOPLE, SKELETON, ros2
from openpose_ros.bags.writing import NewBag, Quality, check_target, storage_of
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18


def header(seconds: int = 7) -> Any:
    types = ros2().types
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=8)
    return types["std_msgs/msg/Header"](stamp=time, frame_id="front")


def written(target: Path, storage: str = "") -> Path:
    places = np.full((2, 18, 2), 5.5)
    places[1, 3] = np.nan
    people = People.from_arrays(COCO_18, places, (48, 64), score=0.5)
    with NewBag(target, storage) as bag:
        bag.add("/poses", PEOPLE, Quality(depth=10))
        bag.add("/poses/skeleton", SKELETON, Quality(depth=1, latched=True))
        bag.write("/poses/skeleton", 123, skeleton_message(COCO_18))
        bag.write("/poses", 124, people_message(people, header()))
        bag.finish()
    return target


@pytest.mark.parametrize(
    ("name", "storage", "file"),
    [
        ("a.mcap", "", "a.mcap"),
        ("a.db3", "", "a.db3"),
        ("a", "", "a/a.mcap"),
        ("run.2", "sqlite3", "run.2/run.2.db3"),
    ],
)
def test_the_name_says_what_the_bag_is(tmp_path: Path, name: str, storage: str, file: str) -> None:
    target = written(tmp_path / name, storage)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / file).is_file()
    assert target.is_dir() == (target / "metadata.yaml").exists()
    with Bag(target) as bag:
        assert {topic.name: (topic.type, topic.messages) for topic in bag.topics.values()} == {
            "/poses": (PEOPLE, 1), "/poses/skeleton": (SKELETON, 1),
        }  # fmt: skip


def test_ros_reads_the_people_that_were_written(tmp_path: Path) -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="needs ROS 2")
    msg = pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")
    with Bag(written(tmp_path / "a.mcap")) as bag:
        skeleton, people = (recorded.data for recorded in bag.messages(bag.topics.values()))
    read = serialization.deserialize_message(people, msg.People)
    assert (read.header.stamp.sec, read.header.stamp.nanosec, read.header.frame_id) == (7, 8, "front")
    assert (read.skeleton, read.image_width, read.image_height) == ("COCO-18", 64, 48)
    seen, unknown = read.people[1].keypoints[2:4]
    assert (seen.x, seen.y, seen.score, seen.state) == (5.5, 5.5, 0.5, msg.Keypoint.SEEN)
    assert np.isnan([unknown.x, unknown.y, seen.position.z]).all()
    assert (unknown.score, unknown.state) == (0.0, msg.Keypoint.UNKNOWN)
    read = serialization.deserialize_message(skeleton, msg.Skeleton)
    assert read.joints == list(COCO_18.joints)
    assert np.reshape(read.limbs, (-1, 2)).tolist() == [list(limb) for limb in COCO_18.limbs]


def test_the_skeleton_is_latched_for_players(tmp_path: Path) -> None:
    with Bag(written(tmp_path / "bag")) as bag:
        kept = {name: bag.definition(bag.topics[name]) for name in bag.topics}
    assert kept["/poses/skeleton"].qualities[0].durability.name == "TRANSIENT_LOCAL"
    assert kept["/poses"].qualities[0].durability.name == "VOLATILE"
    assert {kept[name].qualities[0].reliability.name for name in kept} == {"RELIABLE"}


def test_a_bag_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    for storage in ("mcap", "sqlite3"):
        with NewBag(tmp_path / "bag", storage) as bag:
            bag.add("/poses", PEOPLE, Quality(depth=10))
            assert not (tmp_path / "bag").exists()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["bag", "bag.mcap"])
def test_what_is_replaced_stays_until_the_new_bag_is_whole(tmp_path: Path, name: str) -> None:
    before = written(tmp_path / name)
    with NewBag(before) as bag:
        bag.add("/other", PEOPLE, Quality(depth=10))
        with Bag(before) as old:
            assert "/poses" in old.topics
        bag.finish()
    with Bag(before) as new:
        assert list(new.topics) == ["/other"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BagError, match="out.mcap cannot be written: .+"):
        NewBag(tmp_path / "file" / "out.mcap")


def test_what_must_stay_is_not_overwritten(tmp_path: Path) -> None:
    bag = written(tmp_path / "bag")
    (tmp_path / "home").mkdir()
    for target, overwrite, told in [
        (bag, True, "is the bag that is read"),
        (bag / "new.mcap", True, "lies in the bag"),
        (tmp_path / "home", True, "no bag; it is not overwritten"),
        (written(tmp_path / "other.mcap"), False, "is there already; --overwrite replaces it"),
    ]:
        with pytest.raises(BagError, match=told):
            check_target(target, bag, overwrite)
    check_target(tmp_path / "other.mcap", bag, True)
    check_target(tmp_path / "new", bag, False)


@pytest.mark.parametrize(
    ("name", "storage", "told"),
    [("a.bag", "", "a bag of ROS 1, which can only be read"), ("a.db3", "mcap", "is stored as sqlite3, not as mcap")],
)
def test_a_storage_that_cannot_be_is_told(name: str, storage: str, told: str) -> None:
    with pytest.raises(BagError, match=told):
        storage_of(Path(name), storage)
