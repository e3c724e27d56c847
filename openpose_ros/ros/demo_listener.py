"""The demo's ears: pairs each source image with its people and its annotated picture, by their stamp."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field

import rclpy
from openpose_msgs.msg import Keypoint, People
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.encodings import to_bgr
from openpose_ros.preprocess import Image

KEPT = 64
"""Incomplete frames remembered; older ones have lost a message and will never be complete."""


@dataclass
class Sighting:
    """What was heard about one frame.

    Attributes:
        people, keypoints: how many, over all people.
        milliseconds: from the stamp of the image to the arrival of its people.
        picture: (H, W, 3) uint8 BGR, annotated.
        digest: of the source image's pixels, as :func:`digest` gives it.
    """

    people: int = -1
    keypoints: int = 0
    milliseconds: float = 0.0
    picture: Image | None = None
    digest: str = ""

    @property
    def complete(self) -> bool:
        """Whether all three messages are there."""
        return self.people >= 0 and self.picture is not None and bool(self.digest)


@dataclass
class _Inbox:
    frames: dict[int, Sighting] = field(default_factory=dict)

    def at(self, message: ImageMessage | People) -> Sighting:
        stamp = _nanoseconds(message)
        while len(self.frames) > KEPT:
            del self.frames[next(iter(self.frames))]
        return self.frames.setdefault(stamp, Sighting())

    def take(self) -> list[Sighting]:
        whole = [stamp for stamp, frame in self.frames.items() if frame.complete]
        return [self.frames.pop(stamp) for stamp in whole]


class Listener:
    """A node that subscribes to ``image``, ``poses`` and ``annotated``; a context manager."""

    def __init__(self) -> None:
        # Ctrl-C stays Python's own, so that it ends the demo's blocks in their order.
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("demo_listener")
        self._inbox = _Inbox()
        # Best effort understands every publisher; what is lost comes again with the next round of photos.
        quality = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._node.create_subscription(ImageMessage, "image", self._image, quality)
        self._node.create_subscription(People, "poses", self._people, quality)
        self._node.create_subscription(ImageMessage, "annotated", self._annotated, quality)

    def wait(self, seconds: float) -> list[Sighting]:
        """Listen for so long, or until frames are complete, and return those."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0.0:
            rclpy.spin_once(self._node, timeout_sec=left)
            if whole := self._inbox.take():
                return whole
        return []

    def close(self) -> None:
        """Leave the ROS graph."""
        self._node.destroy_node()
        rclpy.try_shutdown()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _image(self, message: ImageMessage) -> None:
        self._inbox.at(message).digest = digest(to_bgr(message))

    def _people(self, message: People) -> None:
        sighting = self._inbox.at(message)
        sighting.milliseconds = (self._node.get_clock().now().nanoseconds - _nanoseconds(message)) / 1e6
        sighting.people = len(message.people)
        sighting.keypoints = sum(k.state != Keypoint.UNKNOWN for person in message.people for k in person.keypoints)

    def _annotated(self, message: ImageMessage) -> None:
        self._inbox.at(message).picture = to_bgr(message).copy()


def _nanoseconds(message: ImageMessage | People) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def digest(image: Image) -> str:
    """The same for the same pixels."""
    return f"{image.shape[1]}x{image.shape[0]} {hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest()}"
