"""Malformed and strange images over real DDS: the node lives, counts every one, and answers the good ones between."""

from __future__ import annotations

import array
import gc
import os
import struct
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.benchmark.process import held
from openpose_ros.encodings import MOST_PIXELS, PACKED, PLANAR
from openpose_ros.ros.pose_node import PoseNode

PATIENCE = 30.0

EVERY = 20
"""So many strange messages between two good ones."""

FLAT = 64.0
"""Megabytes by which the process may grow: several times what its allocator wavers by, and a fraction of what the
messages of these tests hold, let alone the pictures made of them."""

NAMES = (*PACKED, *PLANAR, "8UC1", "8UC3", "8UC4", "16SC1", "32FC1", "32FC3", "32SC4", "64FC1")
NONSENSE = (
    "",
    "BGR8",
    "rgb",
    "8UC2",
    "8UC9",
    "32FC",
    "bgr8 ",
    "bgr8; jpeg",
    "缩略图",
    "\u202ebgr8",
    "a" * 5000,
    "🙂" * 99,
)
SIDES = (0, 1, 2, 3, 7, 8, 64, 333, 640, 65_535, 70_000, 2**31 - 1, 2**31, 2**32 - 1)
FRAMES = ("", "camera", "/camera/", "kamera größe", "光学", "\x01\n\t", "x" * 20_000, "🎥" * 500)
SECONDS = (-(2**31), -1, 0, 1, 1_700_000_000, 2**31 - 1)
NANOSECONDS = (0, 1, 999_999_999, 10**9, 2**32 - 1)
PHOTO = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8), (0, 0), 3)
TRANSPORTS = {"raw": (ImageMessage, "image"), "compressed": (CompressedImage, "image/compressed")}


class Strange:
    """Makes messages that no camera should send, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._coded = [cv2.imencode(extension, image)[1].tobytes() for extension, image in self._pictures()]

    def raw(self) -> ImageMessage:
        """Mostly a sound message in which one to three things are wrong."""
        encoding = self._one(NAMES)
        height, width = (int(side) for side in self._random.integers(1, 80, 2))
        size = {"16": 2, "32": 4, "64": 8}.get("".join(filter(str.isdigit, encoding.replace("422", "")))[:2], 1)
        step = width * size * int(self._random.integers(1, 5))
        message = ImageMessage(encoding=encoding, height=height, width=width, step=step)
        length = step * (3 * height if encoding == "nv24" else 3 * height // 2 if encoding in PLANAR else height)
        for _ in range(self._random.integers(0, 4)):
            match self._random.integers(0, 7):
                case 0:
                    message.encoding = self._one(NONSENSE)
                case 1:
                    message.height = self._one(SIDES)
                case 2:
                    message.width = self._one(SIDES)
                case 3:
                    message.step = self._one((0, 1, step - 1, step + 1, 2 * step, 2**32 - 1))
                case 4:
                    length = self._one((0, 1, length - 1, length + 1, 2 * length, length // 2, 1_500_000))
                case 5:
                    message.is_bigendian = self._one((1, 2, 255))
                case 6 if message.step * message.height < 10**6:
                    length = message.step * message.height
        values = self._random.bytes(max(0, length))
        if self._random.random() < 0.1:
            values = (struct.pack("<f", float("nan")) * (length // 4 + 1))[: max(0, length)]
        return self._sent(message, values)

    def compressed(self) -> CompressedImage:
        """A picture that is cut off, has some bytes changed, claims to be huge, or is none."""
        data = bytearray(self._one(self._coded))
        match self._random.integers(0, 8):
            case 0:
                del data[self._random.integers(0, len(data)) :]
            case 1 | 2:
                for _ in range(self._random.integers(1, 20)):
                    data[self._random.integers(0, len(data))] = self._random.integers(0, 256)
            case 3:
                data = bytearray(_bomb(self._one((30_000, 65_500)), jpeg=bool(self._random.integers(0, 2))))
            case 4:
                data = bytearray(self._random.bytes(self._random.integers(0, 400_000)))
            case 5:
                data = data[: self._random.integers(2, 30)] + self._random.bytes(self._random.integers(0, 2_000))
            case 6:
                data += self._random.bytes(self._random.integers(0, 500))
        known = ("jpeg", "png", "bgr8; jpeg compressed bgr8", "16UC1; compressedDepth png")
        return self._sent(CompressedImage(format=self._one((*known, *NONSENSE))), bytes(data))

    def _sent(self, message: Any, data: bytes) -> Any:
        message.data = array.array("B", data)
        message.header.frame_id = self._one(FRAMES)
        message.header.stamp.sec = self._one(SECONDS)
        message.header.stamp.nanosec = self._one(NANOSECONDS)
        return message

    def _one(self, choices: Any) -> Any:
        return choices[self._random.integers(0, len(choices))]

    def _pictures(self) -> list[tuple[str, Any]]:
        kinds = [(extension, PHOTO) for extension in (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm")]
        deep = PHOTO.astype(np.uint16) * 257
        return [*kinds, (".png", deep), (".tiff", deep), (".png", PHOTO[..., 0]), (".jpg", PHOTO[:1, :1])]


def _bomb(side: int, jpeg: bool) -> bytes:
    """A small picture whose header claims side x side pixels."""
    data = bytearray(cv2.imencode(".jpg" if jpeg else ".png", PHOTO)[1].tobytes())
    if jpeg:
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, side, side)
    else:
        struct.pack_into(">II", data, 16, side, side)
    return bytes(data)


def good(transport: str, number: int) -> Any:
    """A message that must be answered; nobody else has its frame_id."""
    image = np.full((6, 8, 3), (1 + number % 200, 2, 3), np.uint8)
    if transport == "raw":
        message = ImageMessage(encoding="bgr8", height=6, width=8, step=24)
        message.data = array.array("B", image.tobytes())
    else:
        message = CompressedImage(format="png")
        message.data = array.array("B", cv2.imencode(".png", image)[1].tobytes())
    message.header.frame_id = f"good {number}"
    message.header.stamp.sec = 1_800_000_000 + number
    return message


class Target:
    """A node with everything listened to, and a camera."""

    def __init__(self, graph: Any, loader: Any, transport: str) -> None:
        self.graph = graph
        self.transport = transport
        arguments = [f"image_transport:={transport}", "value_range:=0,4", "report_period:=0"]
        self.node = graph.run(PoseNode, [part for text in arguments for part in ("-p", text)], load=loader)
        self.poses = graph.listen(People, "poses")
        graph.listen(ImageMessage, "annotated", 1)
        graph.listen(CompressedImage, "annotated/compressed", 1)
        kind, topic = TRANSPORTS[transport]
        self.camera = graph.camera(topic, kind)
        self.sent = 0
        graph.send(self.camera)

    @property
    def tally(self) -> Any:
        return self.node._streams[0].tally

    def put(self, message: Any) -> None:
        """Send a message and wait until it is accounted for: the next would push it out of a queue of one."""
        self.camera.publish(message)
        self.sent += 1
        end = time.monotonic() + PATIENCE
        while not self.accounted():
            assert time.monotonic() < end, f"message {self.sent} is not accounted for: {self.tally}, {_said(message)}"
            time.sleep(2e-4)

    def accounted(self) -> bool:
        tally = self.tally
        known = tally.replaced + tally.outdated + tally.broken + tally.failed + tally.processed
        return bool(tally.received == self.sent == known)

    def must_answer(self, message: Any) -> None:
        before = self.tally.processed
        self.put(message)
        assert self.tally.processed == before + 1, f"{self.tally}, {self.node._streams[0].trouble}"
        self.graph.until(lambda: any(poses.header == message.header for poses in self.poses), "the good image's people")
        self.poses.clear()


def _said(message: Any) -> str:
    about = {n: getattr(message, n, "") for n in ("encoding", "format", "height", "width", "step", "is_bigendian")}
    return f"{ {k: str(v)[:40] for k, v in about.items()} }, {len(message.data)} bytes, {message.header.stamp}"


def fuzz(target: Target, seed: int, count: int) -> list[float]:
    """Send strange messages, every now and then a good one; the process's megabytes after each quarter."""
    strange, sizes = Strange(seed), []
    make = strange.raw if target.transport == "raw" else strange.compressed
    for number in range(count):
        target.put(make())
        if number % EVERY == EVERY - 1:
            target.must_answer(good(target.transport, number))
        if number % (count // 4) == count // 4 - 1:
            gc.collect()
            sizes.append(held(os.getpid()).own)
    return sizes


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_strange_images_are_counted_and_the_good_ones_between_are_answered(
    graph: Any, loader: Any, transport: str
) -> None:
    target = Target(graph, loader, transport)
    fuzz(target, seed=1, count=300)
    tally = target.tally
    assert tally.broken > 50, "the messages are not strange enough"
    assert tally.processed > 300 // EVERY, "the messages are too strange: none but the good ones got through"
    assert tally.failed < 30, f"an image that was read ought to be drawn and sent: {target.node._streams[0].trouble}"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_ten_thousand_strange_images_change_nothing(graph: Any, loader: Any, transport: str) -> None:
    target = Target(graph, loader, transport)
    sizes = fuzz(target, seed=2, count=5000)
    assert sizes[-1] - sizes[0] < FLAT, f"megabytes after each quarter: {sizes}"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_large_images_that_are_broken_leave_no_memory_behind(graph: Any, loader: Any, transport: str) -> None:
    target = Target(graph, loader, transport)
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3)).astype(np.uint8)
    png = cv2.imencode(".png", noise, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    before, megabytes = 0.0, 0.0
    for number in range(80):
        if transport == "raw":
            message = ImageMessage(encoding="bgr8", height=1000, width=1000, step=3000 + number % 2)
            message.data = array.array("B", noise.tobytes())
        else:
            message = CompressedImage(format="png")
            message.data = array.array("B", png[: len(png) - 100 * (number % 2)])
        target.put(message)
        megabytes += len(message.data) / 1e6
        if number == 15:
            gc.collect()
            before, megabytes = held(os.getpid()).own, 0.0
    assert (target.tally.broken, target.tally.processed) == (40, 40)
    assert megabytes > 2.5 * FLAT
    gc.collect()
    assert held(os.getpid()).own - before < FLAT


@pytest.mark.parametrize("jpeg", [True, False], ids=["jpeg", "png"])
def test_a_picture_that_claims_gigabytes_takes_none(graph: Any, loader: Any, jpeg: bool) -> None:
    target = Target(graph, loader, "compressed")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now
    before = _peak_megabytes()
    for _ in range(3):
        message = CompressedImage(format="jpeg" if jpeg else "png")
        message.data = array.array("B", _bomb(30_000, jpeg))
        target.put(message)
    assert target.tally.broken == 3
    assert f"claims 30000x30000 pixels; expected at most {MOST_PIXELS}" in target.node._streams[0].trouble
    assert _peak_megabytes() - before < 200.0  # decoded they would be 2.7 GB
    target.must_answer(good("compressed", 1))


@pytest.mark.parametrize("sec", [-1, -(2**31), 2**31 - 1])
def test_stamps_of_a_broken_clock_are_passed_on_even_where_the_age_counts(
    graph: Any, loader: Any, picture: Any, sec: int
) -> None:
    node = graph.run(PoseNode, ["-p", "max_age:=86400.0"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    sent = picture((1, 1, 1), sec=sec)
    graph.send(camera, sent)
    if sec > 0:
        graph.until(lambda: [message.header for message in poses] == [sent.header])
    else:
        graph.until(lambda: node._streams[0].tally.outdated == 1)
    graph.send(camera, picture((2, 2, 2), sec=2**31 - 2))
    graph.until(lambda: poses and poses[-1].header.stamp.sec == 2**31 - 2)


def _peak_megabytes() -> float:
    """The most memory that this process held lately."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6
