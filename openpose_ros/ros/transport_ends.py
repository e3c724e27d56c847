"""The two processes of ``benchmark transport``: one publishes images as a camera does, one receives them as pose_node
does. Run as ``python -m openpose_ros.ros.transport_ends send|receive JSON``; each prints what it measured as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.benchmark.table import timed
from openpose_ros.encodings import decompress, to_bgr
from openpose_ros.preprocess import Image
from openpose_ros.ros.images import compress, to_message

TOPIC = "benchmark/image"
PATIENCE = 20.0
"""Seconds until the other end must have been found."""

SILENCE = 2.0
"""Seconds without an image after which no more will come."""

SETTLE = 0.5
"""Seconds between finding the other end and the first image."""


@dataclass(frozen=True)
class Stream:
    """What is sent and how.

    Attributes:
        width, height: of the images in pixels.
        compressed: as JPEG, else raw bgr8.
        reliable: else best effort.
        images: how many.
        rate: images a second.
    """

    width: int
    height: int
    compressed: bool
    reliable: bool
    images: int
    rate: float

    @property
    def kind(self) -> Any:
        """The message type."""
        return CompressedImage if self.compressed else ImageMessage

    @property
    def quality(self) -> QoSProfile:
        """Depth 1, as of cameras' subscribers that want the newest image."""
        reliability = ReliabilityPolicy.RELIABLE if self.reliable else ReliabilityPolicy.BEST_EFFORT
        return QoSProfile(depth=1, reliability=reliability)

    def message(self, image: Image, number: int) -> Any:
        """An image as it is sent; its frame_id is its number."""
        header = Header(frame_id=str(number))
        return compress(image, header) if self.compressed else to_message(image, header)

    def as_json(self) -> str:
        """For the command line of the two processes."""
        return json.dumps(asdict(self))


def send(stream: Stream, node: Node) -> dict[str, float]:
    """Publish all images, one every period, from the moment somebody listens.

    Returns:
        ``make_ms`` and ``publish_ms``, medians of an image; ``cpu_ms`` of this process for an image; ``kilobytes``.
    """
    image = picture(stream.height, stream.width)
    publisher = node.create_publisher(stream.kind, TOPIC, stream.quality)
    give_up = time.monotonic() + PATIENCE
    while not publisher.get_subscription_count():
        if time.monotonic() > give_up:
            raise TimeoutError(f"nobody listened to {TOPIC} within {PATIENCE:g} s")
        time.sleep(0.01)
    time.sleep(SETTLE)
    made, published = [], []
    began, cpu = time.monotonic(), time.process_time()
    for number in range(stream.images):
        time.sleep(max(0.0, began + number / stream.rate - time.monotonic()))
        start = time.perf_counter()
        message = stream.message(image, number)
        made.append(1e3 * (time.perf_counter() - start))
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
        start = time.perf_counter()
        publisher.publish(message)
        published.append(1e3 * (time.perf_counter() - start))
    spent = 1e3 * (time.process_time() - cpu) / stream.images
    if stream.reliable:
        publisher.wait_for_all_acked(Duration(seconds=SILENCE))
    time.sleep(SETTLE)  # the last image must have left before this process does
    return {
        "make_ms": float(np.median(made)), "publish_ms": float(np.median(published)), "cpu_ms": spent,
        "kilobytes": len(message.data) / 1e3,
    }  # fmt: skip


def receive(stream: Stream, node: Node) -> dict[str, Any]:
    """Receive until the last image, or until none comes any more.

    Returns:
        ``arrived``, how many; ``latency_ms``, from stamp to callback of each; ``cpu_ms`` of this process for an image;
        ``read_ms``, median of what it takes to make pixels of one.
    """
    latencies: list[float] = []
    cpu: list[float] = []
    last: list[Any] = []

    def take(message: Any) -> None:
        stamp = message.header.stamp
        latencies.append((time.time_ns() - stamp.sec * 10**9 - stamp.nanosec) / 1e6)
        cpu.append(1e3 * time.process_time())
        last[:] = [message]

    node.create_subscription(stream.kind, TOPIC, take, stream.quality)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not (last and int(last[0].header.frame_id) == stream.images - 1):
        before = len(latencies)
        executor.spin_once(timeout_sec=0.1)
        if len(latencies) > before:
            until = time.monotonic() + SILENCE
    executor.shutdown()
    read = timed(lambda: (decompress if stream.compressed else to_bgr)(last[0]), 20) if last else []
    return {
        "arrived": len(latencies),
        "latency_ms": latencies,
        "cpu_ms": (cpu[-1] - cpu[0]) / (len(cpu) - 1) if len(cpu) > 1 else None,
        "read_ms": float(np.median(read)) if read else None,
    }


def picture(height: int, width: int) -> Image:
    """(H, W, 3) uint8 with shades and edges, so that its JPEG is about as large as a photo's."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (height // 40 + 1, width // 40 + 1, 3)).astype(np.uint8)
    shades = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.asarray(np.clip(shades + random.normal(0.0, 4.0, shades.shape), 0, 255), np.uint8)


def main(argv: list[str]) -> int:
    """One end."""
    end, text = argv
    stream = Stream(**json.loads(text))
    rclpy.init(args=[])
    node = rclpy.create_node(f"benchmark_{end}")
    try:
        print(json.dumps({"send": send, "receive": receive}[end](stream, node)))
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
