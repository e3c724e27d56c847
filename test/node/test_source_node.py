"""The stand-in for a camera: what it publishes, and how it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.encodings import to_bgr
from openpose_ros.ros import source_node
from openpose_ros.ros.program import StartError
from openpose_ros.ros.source_node import SourceNode, camera_info, scaled


@pytest.fixture(autouse=True)
def _short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_node, "LAST_WORDS", 0.3)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos of different sizes and one that cannot be read."""
    generator = np.random.default_rng(0)
    for number, size in enumerate([(40, 60), (30, 50), (20, 20)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), generator.integers(0, 255, (*size, 3)).astype(np.uint8))
    (tmp_path / "1b.jpg").write_bytes(b"this is no photo")
    return tmp_path


def parameters(**values: Any) -> list[str]:
    return [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]


def test_every_photo_of_a_folder_is_published_once_and_then_the_node_ends(
    graph: Any, photos: Path, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    images, infos = graph.listen(ImageMessage, "image"), graph.listen(CameraInfo, "camera_info")
    node = graph.run(
        SourceNode, parameters(source=photos, rate=20, loop="false", wait="true", frame_id="front", hfov=90)
    )
    graph.until(lambda: node.finished)
    graph.until(lambda: len(images) == len(infos) == 3)
    for number, (image, info) in enumerate(zip(images, infos, strict=True)):
        expected = cv2.imread(str(photos / f"{number}.png"))
        assert (to_bgr(image) == expected).all()
        assert image.header == info.header
        assert image.header.frame_id == "front"
        assert (info.width, info.height) == (image.width, image.height) == expected.shape[1::-1]
        assert info.k[0] == pytest.approx(image.width / 2)
    stamps = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in images]
    assert stamps == sorted(set(stamps))
    assert "1b.jpg cannot be read" in caplog.text
    assert f"{photos} has ended after 3 images" in log.text


def test_photos_are_repeated(graph: Any, photos: Path) -> None:
    images = graph.listen(ImageMessage, "image")
    sources = f"{photos / '0.png'},{photos / '2.png'}"
    graph.run(SourceNode, parameters(source=sources, rate=50, wait="true"))
    graph.until(lambda: len(images) >= 5)
    assert [image.width for image in images[:5]] == [60, 20, 60, 20, 60]


def test_a_comma_may_be_part_of_a_photo_s_name(graph: Any, photos: Path) -> None:
    (photos / "0.png").rename(photos / "zero, null.png")
    images = graph.listen(ImageMessage, "image")
    sources = f"{photos / 'zero, null.png'},{photos / '2.png'}"
    node = graph.run(SourceNode, ["-p", f"source:='{sources}'", *parameters(rate=50, loop="false", wait="true")])
    graph.until(lambda: node.finished)
    graph.until(lambda: [image.width for image in images] == [60, 20])


def test_quality_of_the_images_can_be_overridden_by_parameters(graph: Any, photos: Path) -> None:
    override = ["-p", "qos_overrides./image.publisher.reliability:=best_effort"]
    graph.run(SourceNode, [*parameters(source=photos, wait="true"), *override])
    graph.until(lambda: graph.node.count_publishers("/image") and graph.node.count_publishers("/camera_info"))
    (images,) = graph.node.get_publishers_info_by_topic("/image")
    (infos,) = graph.node.get_publishers_info_by_topic("/camera_info")
    assert images.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    assert infos.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_nothing_is_published_before_somebody_subscribes(graph: Any, photos: Path) -> None:
    node = graph.run(SourceNode, parameters(source=photos / "0.png", rate=100, loop="false", wait="true"))
    graph.spin(0.3)
    assert not node.finished
    images = graph.listen(ImageMessage, "image")
    graph.until(lambda: node.finished and images)


def test_images_are_offered_reliably(graph: Any, photos: Path) -> None:
    graph.run(SourceNode, parameters(source=photos))
    infos = graph.until(lambda: graph.node.get_publishers_info_by_topic("/image"))
    assert [info.qos_profile.reliability for info in infos] == [ReliabilityPolicy.RELIABLE]


def test_video_is_published_frame_by_frame_and_its_end_is_told(graph: Any, tmp_path: Path, log: Any) -> None:
    file = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(file, cv2.VideoWriter_fourcc(*"MJPG"), 50.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write videos")
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    images = graph.listen(ImageMessage, "image")
    node = graph.run(SourceNode, parameters(source=file, loop="false", wait="true", width=32))
    graph.until(lambda: node.finished and len(images) == 6)
    assert [round(float(to_bgr(image).mean()) / 40) for image in images] == [0, 1, 2, 3, 4, 5]
    assert (images[0].width, images[0].height) == (32, 24)
    assert "has ended after 6 images" in log.text


def test_a_source_of_nothing_is_an_error(graph: Any, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no source is given"):
        graph.run(SourceNode)
    with pytest.raises(StartError, match="no photo in the folder"):
        graph.run(SourceNode, parameters(source=tmp_path))
    with pytest.raises(StartError, match="rate is -1"):
        graph.run(SourceNode, parameters(source=tmp_path, rate=-1))


def test_camera_info_is_a_pinhole_with_the_asked_field_of_view() -> None:
    info = camera_info(640, 480, 60.0, Header())
    focal, x, y = info.k[0], info.k[2], info.k[5]
    assert info.k[4] == focal
    assert (x, y) == (319.5, 239.5)
    left, right = (math.degrees(math.atan((edge - x) / focal)) for edge in (-0.5, 639.5))
    assert right - left == pytest.approx(60.0)
    assert list(info.p) == [focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1, 0]
    assert list(info.d) == [0.0] * 5


def test_scaling_keeps_the_shape() -> None:
    image = np.zeros((100, 201, 3), np.uint8)
    assert scaled(image, 0) is image
    assert scaled(image, 402).shape == (200, 402, 3)
    assert scaled(image, 3).shape == (1, 3, 3)


def test_a_bag_is_played_at_its_own_pace_with_stamps_of_now(
    graph: Any, write_bag: Callable[..., Path], tmp_path: Path
) -> None:
    from openpose_ros.bags.types import ros2

    region = ros2().types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k, p = np.array([50.0, 0, 10, 0, 50, 5, 0, 0, 1]), np.array([50.0, 0, 10, 0, 0, 50, 5, 0, 0, 0, 1, 0])
    info = {
        "width": 20, "height": 10, "distortion_model": "plumb_bob", "d": np.arange(5.0), "k": k, "r": np.eye(3).ravel(),
        "p": p, "binning_x": 0, "binning_y": 0, "roi": region,
    }  # fmt: skip
    times = [0, 50_000_000, 350_000_000, 400_000_000]
    pictures = [np.full((10, 20, 3), 10 * number, np.uint8) for number in range(len(times))]
    messages = [
        ("/front/image_raw", "sensor_msgs/Image", 10**18 + later, {"image": picture, "frame_id": "front"})
        for later, picture in zip(times, pictures, strict=True)
    ]
    path = write_bag(tmp_path / "bag", [("/front/camera_info", "sensor_msgs/CameraInfo", 10**18, info), *messages])
    images, infos = graph.listen(ImageMessage, "image"), graph.listen(CameraInfo, "camera_info")
    node = graph.run(SourceNode, parameters(source=path, loop="false", wait="true", width=40))
    graph.until(lambda: node.finished)
    graph.until(lambda: len(images) == len(infos) == 4)
    assert [int(to_bgr(image)[0, 0, 0]) for image in images] == [0, 10, 20, 30]
    assert {message.header.frame_id for message in [*images, *infos]} == {"front"}
    stamps = [image.header.stamp.sec * 10**9 + image.header.stamp.nanosec for image in images]
    assert abs(stamps[0] / 1e9 - time.time()) < 60
    # No earlier than it was recorded after the first one; how much later depends on the machine.
    assert all(stamp - stamps[0] >= later - 20_000_000 for stamp, later in zip(stamps, times, strict=True))
    assert (infos[0].width, infos[0].height, infos[0].distortion_model) == (40, 20, "plumb_bob")
    assert infos[0].k.tolist() == [100, 0, 20.5, 0, 100, 10.5, 0, 0, 1]
    assert infos[0].p.tolist() == [100, 0, 20.5, 0, 0, 100, 10.5, 0, 0, 0, 1, 0]
    assert list(infos[0].d) == [0, 1, 2, 3, 4]


def test_a_bag_begins_again_and_its_pace_can_be_set(graph: Any, write_bag: Callable[..., Path], tmp_path: Path) -> None:
    pictures = [np.full((4, 4, 3), 10 * number, np.uint8) for number in range(3)]
    messages = [("/image", "sensor_msgs/Image", 1 + n * 10**7, {"image": p}) for n, p in enumerate(pictures)]
    path = write_bag(tmp_path / "bag", messages)
    images = graph.listen(ImageMessage, "image")
    graph.run(SourceNode, parameters(source=path, wait="true"))
    graph.until(lambda: len(images) >= 5)
    assert [int(to_bgr(image)[0, 0, 0]) for image in images[:5]] == [0, 10, 20, 0, 10]
    slow = write_bag(tmp_path / "slow", [(*message[:2], number * 10**12, message[3]) for number, message in
                                         enumerate(messages)])  # fmt: skip
    hurried = graph.listen(ImageMessage, "hurried")
    node = graph.run(SourceNode, [*parameters(source=slow, wait="true", rate=50, loop="false"), "-r", "image:=hurried"])
    graph.until(lambda: node.finished and len(hurried) == 3)


def test_a_bag_of_several_cameras_needs_a_topic(graph: Any, write_bag: Callable[..., Path], tmp_path: Path) -> None:
    picture = {"image": np.zeros((4, 4, 3), np.uint8)}
    path = write_bag(tmp_path / "bag", [(topic, "sensor_msgs/Image", 1, picture) for topic in ("/a/image", "/b/image")])
    with pytest.raises(StartError, match="several image topics, /a/image, /b/image"):
        graph.run(SourceNode, parameters(source=path))
    images = graph.listen(ImageMessage, "image")
    graph.run(SourceNode, parameters(source=path, topic="/b/image", wait="true"))
    graph.until(lambda: images)
