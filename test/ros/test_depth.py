"""Depth and calibration as messages: every form a driver may send, and the depth of the very image."""

from __future__ import annotations

import array
import struct
import threading
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2 messages")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, RegionOfInterest
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.encodings import ImageError
from openpose_ros.ros.depth import DepthRing, to_camera, to_metres

NAN = float("nan")


def message(
    encoding: str, rows: list[list[float]], padding: int = 0, big: bool = False, **changes: object
) -> ImageMessage:
    """A depth image of these raw values, each row padded with 0xAA."""
    code = {"16UC1": "H", "mono16": "H", "32FC1": "f"}.get(encoding, "H")
    order = ">" if big else "<"
    lines = [struct.pack(f"{order}{len(row)}{code}", *row) + b"\xaa" * padding for row in rows]
    image = ImageMessage(encoding=encoding, height=len(rows), width=len(rows[0]), is_bigendian=int(big))
    image.step = len(lines[0])
    image.data = array.array("B", b"".join(lines))
    for name, value in changes.items():
        setattr(image, name, value)
    return image


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 1, 6])
def test_millimetres_become_metres_and_zero_unknown(encoding: str, big: bool, padding: int) -> None:
    depth = to_metres(message(encoding, [[1500, 0, 65535], [1, 2, 4000]], padding, big))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[1.5, NAN, 65.535], [0.001, 0.002, 4.0]], rtol=1e-6)


@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 3, 8])
def test_metres_stay_and_whatever_is_no_depth_is_unknown(big: bool, padding: int) -> None:
    sent = message("32FC1", [[1.25, NAN, float("inf")], [0.0, -2.0, -float("inf")]], padding, big)
    before = bytes(sent.data)
    np.testing.assert_array_equal(to_metres(sent), np.float32([[1.25, NAN, NAN], [NAN, NAN, NAN]]))
    assert bytes(sent.data) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb8"}, "'rgb8'; expected 16UC1 .* or 32FC1"),
        ({"encoding": "64FC1"}, "'64FC1'; expected"),
        ({"width": 0}, "0x2 pixels; expected at least 1x1"),
        ({"height": 0}, "3x0 pixels"),
        ({"step": 5}, "step is 5 bytes; 3 pixels of 16UC1 need at least 6"),
        ({"height": 3}, "the data has 12 bytes; 3 rows .* need 18"),
        ({"data": array.array("B")}, "the data has 0 bytes"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_broken_depth_image_is_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        to_metres(message(**{"encoding": "16UC1", "rows": [[1, 2, 3], [4, 5, 6]], **changes}))


def compressed(
    encoding: str, values: np.ndarray, a: float = 0.0, b: float = 0.0, kind: str = " png"
) -> CompressedImage:
    """A message of compressedDepth whose picture holds these values."""
    coded = cv2.imencode(".png", values)[1].tobytes()
    sent = CompressedImage(format=f"{encoding}; compressedDepth{kind}")
    sent.data = array.array("B", struct.pack("<iff", 0, a, b) + coded)
    return sent


@pytest.mark.parametrize("kind", [" png", ""], ids=["named", "old"])
def test_compressed_millimetres_become_metres(kind: str) -> None:
    depth = to_metres(compressed("16UC1", np.uint16([[1500, 0, 65535], [1, 2, 4000]]), kind=kind))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[1.5, NAN, 65.535], [0.001, 0.002, 4.0]], rtol=1e-6)


def test_compressed_metres_come_back_as_fine_as_they_were_sent() -> None:
    """A and B as the publisher of image_transport chooses them for 10 m and a quantum of 100."""
    a, b = np.float32(100.0 * 101.0), np.float32(1.0 - 100.0 * 101.0 / 10.0)
    metres = np.float32([[0.5, 1.0, 2.0], [4.0, 9.0, 9.9]])
    sent = np.uint16(a / metres + b)
    sent[1, 2] = 0
    depth = to_metres(compressed("32FC1", sent, a, b))
    assert np.isnan(depth[1, 2])
    assert (np.abs(depth - metres)[np.isfinite(depth)] <= metres[np.isfinite(depth)] ** 2 / a + 1e-4).all()
    np.testing.assert_array_equal(to_metres(compressed("32FC1", np.uint16([[7, 3]]), 1.0, 7.0)), [[NAN, NAN]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "jpeg"}, "expected a format such as '16UC1; compressedDepth png'"),
        ({"format": "8UC1; compressedDepth png"}, "expected a format such as"),
        (
            {"format": "16UC1; compressedDepth rvl"},
            "RVL, which is not read here; set the format of its publisher",
        ),
        ({"data": array.array("B", bytes(12))}, "holds no picture; expected 12 bytes and a PNG"),
        ({"data": array.array("B", bytes(99))}, "cannot be decoded"),
    ],
    ids=["no depth", "8 bits", "rvl", "header only", "zeros"],
)
def test_a_broken_compressed_depth_image_is_one_sentence(change: dict[str, Any], words: str) -> None:
    sent = compressed("16UC1", np.uint16([[1, 2], [3, 4]]))
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(ImageError, match=words):
        to_metres(sent)


def test_a_compressed_depth_image_that_is_cut_off_or_of_eight_bits_is_refused() -> None:
    sent = compressed("16UC1", np.uint16([[1, 2], [3, 4]]))
    sent.data = sent.data[:-20]
    with pytest.raises(ImageError, match="truncated"):
        to_metres(sent)
    with pytest.raises(ImageError, match="uint8 values; expected one of 16 bits"):
        to_metres(compressed("16UC1", np.uint8([[1, 2], [3, 4]])))


def info(**changes: Any) -> CameraInfo:
    sent = CameraInfo(width=640, height=480, distortion_model="plumb_bob", d=[-0.2, 0.05, 0.001, 0.002, 0.0])
    sent.k = [500.0, 0.0, 319.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0]
    sent.p = [450.0, 0.0, 310.0, -45.0, 0.0, 450.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    for name, value in changes.items():
        setattr(sent, name, value)
    return sent


def test_camera_info_becomes_a_camera() -> None:
    camera = to_camera(info())
    assert (camera.width, camera.height, camera.distortion_model) == (640, 480, "plumb_bob")
    assert camera.k.ravel().tolist() == [500.0, 0.0, 319.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0]
    assert camera.d.tolist() == [-0.2, 0.05, 0.001, 0.002, 0.0]


def test_a_rectified_image_is_described_by_p_and_not_distorted() -> None:
    camera = to_camera(info(), rectified=True)
    assert camera.k.ravel().tolist() == [450.0, 0.0, 310.0, 0.0, 450.0, 230.0, 0.0, 0.0, 1.0]
    assert not camera.d.any()


def test_a_part_of_the_sensor_sees_what_the_whole_sees_there() -> None:
    whole = to_camera(info())
    part = to_camera(info(roi=RegionOfInterest(x_offset=100, y_offset=40, width=320, height=200)))
    assert (part.width, part.height) == (320, 200)
    np.testing.assert_allclose(part.rays([10.0, 20.0]), whole.rays([110.0, 60.0]), atol=1e-9)


def test_a_binned_pixel_looks_where_the_pixels_it_was_made_of_look() -> None:
    whole = to_camera(info())
    roi = RegionOfInterest(x_offset=100, y_offset=40, width=320, height=200)
    part = to_camera(info(binning_x=2, binning_y=4, roi=roi))
    assert (part.width, part.height) == (160, 50)
    np.testing.assert_allclose(part.rays([5.0, 3.0]), whole.rays([110.5, 53.5]), atol=1e-9)
    np.testing.assert_allclose(to_camera(info(binning_x=1, binning_y=0)).k, whole.k)


@pytest.mark.parametrize(
    ("changes", "rectified", "words"),
    [
        ({"k": [0.0] * 9}, False, r"not calibrated \(K is all zero\)"),
        ({"p": [0.0] * 12}, True, r"not calibrated \(P is all zero\)"),
        ({"d": [0.1, 0.2, 0.3]}, False, "3 coefficients"),
        ({"distortion_model": "kannala"}, False, "'kannala'"),
        ({"width": 0}, False, "0x480"),
    ],
)
def test_a_calibration_that_is_none_is_one_sentence(changes: dict[str, Any], rectified: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_camera(info(**changes), rectified)


def at(seconds: float) -> ImageMessage:
    sent = ImageMessage()
    sent.header.stamp = time(seconds)
    return sent


def time(seconds: float) -> Time:
    whole = int(seconds)
    return Time(sec=whole, nanosec=round((seconds - whole) * 1e9))


def test_the_depth_nearest_to_the_image_is_taken() -> None:
    ring = DepthRing()
    sent = [at(10 + 0.033 * index) for index in range(20)]
    for each in sent:
        ring.put(each)
    assert ring.nearest(time(10 + 0.033 * 7 + 0.01), 0.02) is sent[7]
    assert ring.nearest(time(10 + 0.033 * 7 + 0.02), 0.02) is sent[8]
    assert ring.nearest(time(10.66), 0.05) is sent[19]


def test_a_depth_too_far_off_is_none() -> None:
    ring = DepthRing()
    assert ring.nearest(time(10), 10.0) is None
    ring.put(at(10))
    assert ring.nearest(time(10.021), 0.02) is None
    assert ring.nearest(time(9.979), 0.02) is None
    assert ring.nearest(time(10.0), 0.0) is not None


def test_depths_out_of_order_are_found_all_the_same() -> None:
    ring = DepthRing()
    for seconds in (1.0, 1.2, 1.1, 1.3):
        ring.put(at(seconds))
    for seconds in (1.0, 1.1, 1.2, 1.3):
        assert ring.nearest(time(seconds), 0.01) is not None


def test_the_oldest_are_forgotten() -> None:
    ring = DepthRing(length=3)
    for seconds in (1.0, 2.0, 3.0, 4.0):
        ring.put(at(seconds))
    assert ring.nearest(time(1.0), 0.1) is None
    assert ring.nearest(time(2.0), 0.1) is not None


def test_a_bag_played_once_more_does_not_meet_its_own_past() -> None:
    ring = DepthRing()
    for seconds in (100.0, 100.1, 100.2):
        ring.put(at(seconds))
    again = at(90.0)
    ring.put(again)
    assert ring.nearest(time(100.1), 0.05) is None
    assert ring.nearest(time(90.0), 0.05) is again


def test_of_equal_stamps_the_later_message_counts() -> None:
    ring = DepthRing()
    ring.put(at(5.0))
    later = at(5.0)
    ring.put(later)
    assert ring.nearest(time(5.0), 0.01) is later


def test_one_thread_may_put_while_another_asks() -> None:
    ring, failed = DepthRing(length=5), []

    def put() -> None:
        for index in range(2000):
            ring.put(at(1.0 + 0.001 * index))

    putter = threading.Thread(target=put)
    putter.start()
    while putter.is_alive():
        found = ring.nearest(time(1.5), 0.0005)
        if found is not None and found.header.stamp != time(1.5):
            failed.append(found.header.stamp)
    putter.join()
    assert not failed
    assert ring.nearest(time(2.999), 0.0005) is not None


def test_a_depth_image_that_comes_later_is_waited_for_and_one_that_never_comes_is_not_for_long() -> None:
    ring = DepthRing()
    ring.put(at(4.9))
    late = at(5.0)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(ring.nearest(time(5.0), 0.01, wait=30.0)))
    waiting.start()
    ring.put(late)
    waiting.join(30)
    assert found == [late]
    assert ring.nearest(time(6.0), 0.01, wait=0.01) is None
