"""Bags of all kinds, whole and torn: which of their topics hold pictures, and what is said about the others."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")

from openpose_ros.bags import BagError, is_bag
from openpose_ros.bags.reading import Bag, picture
from openpose_ros.bags.types import ros2
from openpose_ros.encodings import ImageError

WriteBag = Callable[..., Path]
SECOND = 10**9
GREY = np.full((6, 8, 3), 90, np.uint8)
JPEG = {"format": "jpeg", "data": cv2.imencode(".jpg", GREY)[1].reshape(-1)}
DEPTH = {"image": np.zeros((2, 2), np.uint16), "encoding": "16UC1", "data": np.zeros(8, np.uint8)}


def image(topic: str, time: int = SECOND, **fields: Any) -> tuple[str, str, int, Any]:
    return topic, "sensor_msgs/Image", time, {"image": GREY, **fields}


def compressed(topic: str, time: int = SECOND) -> tuple[str, str, int, Any]:
    return topic, "sensor_msgs/CompressedImage", time, JPEG


def chosen(path: Path, *asked: str, depth: bool = False) -> list[str]:
    with Bag(path) as bag:
        return [topic.name for topic in bag.image_topics(asked, depth)]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("as_file", [False, True], ids=["folder", "file"])
def test_images_come_with_their_times_in_order(
    write_bag: WriteBag, tmp_path: Path, storage: str, as_file: bool
) -> None:
    messages = [image("/a/image", SECOND + n, image=np.full((4, 4, 3), n, np.uint8)) for n in range(5)]
    path = write_bag(tmp_path / "bag", [*messages, compressed("/b/compressed", SECOND + 2)], storage)
    path = next(file for file in path.iterdir() if file.suffix != ".yaml") if as_file else path
    assert is_bag(path)
    with Bag(path) as bag:
        seen = [(r.topic.name, r.time, picture(bag.decoded(r), r.topic)) for r in bag.messages(bag.image_topics())]
    assert [(name, time) for name, time, _ in seen if name == "/a/image"] == [
        ("/a/image", SECOND + n) for n in range(5)
    ]
    assert [int(pixels[0, 0, 0]) for name, _, pixels in seen if name == "/a/image"] == list(range(5))
    assert sorted(time for _, time, _ in seen) == [time for _, time, _ in seen]
    assert [pixels.shape for name, _, pixels in seen if name == "/b/compressed"] == [GREY.shape]


def test_a_ros_1_bag_is_read_too(tmp_path: Path) -> None:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    time = store.types["builtin_interfaces/msg/Time"](sec=3, nanosec=4)
    header = store.types["std_msgs/msg/Header"](seq=0, stamp=time, frame_id="old")
    kind = "sensor_msgs/msg/Image"
    message = store.types[kind](header, 6, 8, "bgr8", 0, 24, GREY.reshape(-1))
    with Writer(tmp_path / "old.bag") as writer:
        connection = writer.add_connection("/usb_cam/image_raw", kind, typestore=store)
        writer.write(connection, SECOND, store.serialize_ros1(message, kind))
    with Bag(tmp_path / "old.bag") as bag:
        assert bag.is_ros1
        recorded = next(bag.messages(bag.image_topics()))
        read = bag.decoded(recorded)
        assert (picture(read, recorded.topic) == GREY).all()
        assert (read.header.frame_id, read.header.stamp.sec, recorded.time) == ("old", 3, SECOND)


def test_all_topics_with_pictures_are_taken_and_each_camera_once(write_bag: WriteBag, tmp_path: Path) -> None:
    text = ("/chatter", "std_msgs/String", SECOND, {"data": "image"})
    path = write_bag(
        tmp_path / "bag",
        [
            image("/front/image_raw"), compressed("/front/image_raw/compressed"), compressed("/back/image/compressed"),
            image("/front/depth", **DEPTH), text,
        ],
    )  # fmt: skip
    assert chosen(path) == ["/front/image_raw", "/back/image/compressed"]
    assert chosen(path, depth=True) == ["/front/image_raw", "/back/image/compressed", "/front/depth"]
    assert chosen(path, "/front/image_raw/compressed", "/front/depth") == [
        "/front/image_raw/compressed", "/front/depth",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["/nope"], "the topic /nope is not there in .*; its topics with images: /image"),
        (["/chatter"], "the topic /chatter holds std_msgs/msg/String"),
    ],
)
def test_a_topic_without_images_is_named_with_those_that_have_some(
    write_bag: WriteBag, tmp_path: Path, asked: list[str], told: str
) -> None:
    text = ("/chatter", "std_msgs/String", SECOND, {"data": ""})
    path = write_bag(tmp_path / "bag", [image("/image"), text])
    with pytest.raises(BagError, match=told):
        chosen(path, *asked)


def test_a_bag_without_pictures_is_told(write_bag: WriteBag, tmp_path: Path) -> None:
    text = ("/chatter", "std_msgs/String", SECOND, {"data": ""})
    with pytest.raises(BagError, match="no pictures in .*: none"):
        chosen(write_bag(tmp_path / "text", [text]))
    with pytest.raises(BagError, match="no pictures in .*: /depth"):
        chosen(write_bag(tmp_path / "depth", [image("/depth", **DEPTH)]))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_truncated_file_is_one_sentence(write_bag: WriteBag, tmp_path: Path, storage: str) -> None:
    big = {"image": np.full((200, 200, 3), 9, np.uint8)}
    folder = write_bag(tmp_path / "bag", [image("/image", n, **big) for n in range(20)], storage)
    file = next(file for file in folder.iterdir() if file.suffix != ".yaml")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for path in (file, folder):
        with pytest.raises(BagError) as caught:
            Bag(path)
        assert str(caught.value).startswith(f"{path} cannot be read as a bag: ")
        assert "\n" not in str(caught.value)
        assert ("mcap recover" in str(caught.value)) == (storage == "mcap")


def test_what_is_no_bag_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mcap").touch()
    (tmp_path / "junk.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(range(256)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    for name, told in [
        ("missing.mcap", "no bag .*missing.mcap; expected a folder"),
        ("empty.mcap", "empty.mcap is empty: nothing was recorded"),
        ("junk.bag", "junk.bag cannot be read as a bag"),
        ("photos", "has no metadata.yaml and holds no bag"),
        ("torn", "torn cannot be read as a bag"),
    ]:
        with pytest.raises(BagError, match=told):
            Bag(tmp_path / name)


def test_a_recording_that_was_cut_off_before_its_metadata_is_read_all_the_same(
    write_bag: WriteBag, tmp_path: Path
) -> None:
    folder = write_bag(tmp_path / "bag", [image("/image")], "sqlite3")
    (folder / "metadata.yaml").unlink()
    assert is_bag(folder)
    assert chosen(folder) == ["/image"]
    (folder / "bag.db3").rename(folder / "bag_0.db3")
    (folder / "bag_1.db3").write_bytes((folder / "bag_0.db3").read_bytes())
    with pytest.raises(BagError, match=r"the files bag_0\.db3, bag_1\.db3; expected a bag, or name one file"):
        chosen(folder)


def test_bytes_that_are_no_message_are_an_error_of_that_image_alone(write_bag: WriteBag, tmp_path: Path) -> None:
    torn = ("/image", "sensor_msgs/Image", 2 * SECOND, b"\0\1\0\0" + struct.pack("<I", 9))
    path = write_bag(tmp_path / "bag", [image("/image"), torn, image("/image", 3 * SECOND)])
    with Bag(path) as bag:
        recorded = list(bag.messages(bag.image_topics()))
        with pytest.raises(ImageError, match="8 bytes are no sensor_msgs/msg/Image"):
            bag.decoded(recorded[1])
        assert picture(bag.decoded(recorded[2]), recorded[2].topic).shape == GREY.shape


def test_without_rosbags_the_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rosbags.rosbag2", None)
    with pytest.raises(BagError, match="pip install 'rosbags"):
        Bag(tmp_path / "a.mcap")


def camera_info(width: int) -> dict[str, Any]:
    region = ros2().types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    matrices = {"d": np.zeros(5), "k": np.ones(9), "r": np.ones(9), "p": np.ones(12)}
    about = {"width": width, "height": 6, "distortion_model": "plumb_bob", "binning_x": 0, "binning_y": 0}
    return {**about, **matrices, "roi": region}


def test_the_camera_is_the_one_beside_the_images(write_bag: WriteBag, tmp_path: Path) -> None:
    infos = [(f"/{name}/camera_info", "sensor_msgs/CameraInfo", 1, camera_info(w)) for name, w in (("a", 8), ("b", 9))]
    path = write_bag(tmp_path / "bag", [*infos, image("/a/image_raw"), compressed("/b/image/compressed"), image("/c")])
    with Bag(path) as bag:
        cameras = [bag.camera(topic) for topic in bag.image_topics()]
    assert [camera and camera.width for camera in cameras] == [8, 9, None]
