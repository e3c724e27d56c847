"""The world around a pose node that is put to the test: a camera, listeners that come and go, and whoever commands it.

One thread does all of it, in turns of at most the time between two images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from openpose_msgs.msg import People
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from openpose_ros.benchmark.ledger import Ledger, under_way
from openpose_ros.ros.diagnostics import COUNTS
from openpose_ros.ros.images import to_message
from openpose_ros.ros.source_node import camera_info
from openpose_ros.ros.tally import Tally

CAMERA = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LISTENER = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

LISTENERS = {
    "poses": People, "annotated": ImageMessage, "annotated/compressed": CompressedImage, "poses/markers": MarkerArray,
}  # fmt: skip
"""Topics of the node that somebody may listen to."""

DIAGNOSTICS_PERIOD = 0.2
"""Seconds between two messages of the node about itself: a look at its counts takes that long."""

PATIENCE = 30.0
"""Seconds until the node is given up."""

LAST_IMAGE = 0.05
"""Seconds that the last image is given to reach the node."""

ASK_AGAIN = 3.0
"""Seconds without an effect after which a request is sent once more: the first may come before discovery is done."""

PICTURES = 3


class SoakError(RuntimeError):
    """The node did not do what it must; the text says what."""


class Rig:
    """Camera, listeners and clients of one pose node.

    Args:
        width, height: of the images in pixels.
        rate: images a second.
        check: called every now and then; raises when the node's process has ended.

    Attributes:
        filming: whether the camera sends images.
        rate: images a second; may be changed.
        counted: whether the node will tell of what is sent now.
        ledger: what was sent, and what the node says of it.
        state: of the node's life, as it says itself.
        told_at: when it last said something, by time.monotonic().
        latencies: seconds from the stamp of an image to its people on ``poses``.
        answered: stamp of the last image that had an answer, in nanoseconds.
    """

    def __init__(self, width: int, height: int, rate: float, check: Callable[[], None]) -> None:
        self.filming = False
        self.rate = rate
        self.counted = True
        self.ledger = Ledger()
        self.state = ""
        self.told_at = 0.0
        self.latencies: list[float] = []
        self.answered = 0
        self._check = check
        self._due = 0.0
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[])
        self.node = rclpy.create_node("soak", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._camera = self.node.create_publisher(ImageMessage, "image", CAMERA)
        self._info = self.node.create_publisher(CameraInfo, "camera_info", CAMERA)
        self._subscriptions: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._told, LISTENER)
        random = np.random.default_rng(0)
        pictures = random.integers(0, 255, (PICTURES, height, width, 3), np.uint8)
        self._messages = [to_message(picture, Header(frame_id="soak_camera")) for picture in pictures]
        self._camera_info = camera_info(width, height, 60.0, Header(frame_id="soak_camera"))

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def listen(self, topic: str, listening: bool) -> None:
        """Begin to listen to one of ``LISTENERS``, or cease to."""
        known = self._subscriptions.pop(topic, None)
        if known is not None:
            self.node.destroy_subscription(known)
        if listening:
            hear = self._people if topic == "poses" else (lambda message: None)
            self._subscriptions[topic] = self.node.create_subscription(LISTENERS[topic], topic, hear, LISTENER)

    @property
    def heard(self) -> bool:
        """Whether the node listens to the camera."""
        return bool(self._camera.get_subscription_count())

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(time.monotonic() + seconds, lambda: False)

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        """Let time pass until something holds.

        Raises:
            SoakError: it did not within ``patience`` seconds; ``what`` says what was waited for.
        """
        if not self._pass(time.monotonic() + patience, condition):
            raise SoakError(f"waited {patience:g} s in vain for {what}; the node says of itself: {self.state}")

    def now(self) -> int:
        """What a stamp would be, in nanoseconds."""
        return int(self.node.get_clock().now().nanoseconds)

    def answer(self, stamp: int, what: str) -> None:
        """Let time pass until there are people of an image taken then or later; see ``until``."""
        self.until(lambda: self.answered >= stamp, what)

    def ask(
        self, kind: Any, name: str, request: Any, done: Callable[[], bool] | None = None, patience: float = PATIENCE
    ) -> Any:
        """Call a service of the node until it has the effect.

        Args:
            name: of the service, below the node's.
            done: whether it has; None takes the answer for it.

        Returns:
            The answer; None if the effect came without one.
        """
        client = self._clients.get(name) or self.node.create_client(kind, f"/pose_node/{name}")
        self._clients[name] = client
        self.until(client.service_is_ready, f"the service {name}", patience)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            future = client.call_async(request)
            has_effect = done or future.done
            if self._pass(min(end, time.monotonic() + ASK_AGAIN), has_effect):
                self._pass(time.monotonic() + ASK_AGAIN, future.done)
                return future.result() if future.done() else None
            client.remove_pending_request(future)
        raise SoakError(f"the service {name} had no effect within {patience:g} s; the node is {self.state}")

    def quiet(self, where: str) -> None:
        """Let the camera rest until the node says that nothing is under way, and look at the sum.

        Args:
            where: in which moment that is, for the sentence if the sum is wrong.
        """
        filmed, self.filming = self.filming, False
        self.wait(LAST_IMAGE)
        since = time.monotonic() + DIAGNOSTICS_PERIOD  # what is told before may have been counted before
        self._pass(since + PATIENCE, lambda: self.told_at > since and not under_way(self.ledger.now))
        self.ledger.check(where)
        self.filming = filmed

    def shoot(self) -> int:
        """Publish one image, stamped now; the stamp in nanoseconds."""
        message = self._messages[(self.ledger.sent + self.ledger.unheard) % PICTURES]
        message.header.stamp = self.node.get_clock().now().to_msg()
        if self._info.get_subscription_count():
            self._camera_info.header.stamp = message.header.stamp
            self._info.publish(self._camera_info)
        heard = self.heard
        self._camera.publish(message)
        if not (heard or self.heard):  # the node may have begun to listen between the two
            self.ledger.unheard += 1
        elif self.counted:
            self.ledger.sent += 1
        else:
            self.ledger.between += 1
        return nanoseconds(message.header)

    def _pass(self, end: float, condition: Callable[[], Any]) -> bool:
        """Let time pass until the end or until something holds; whether it does."""
        while not condition():
            now = time.monotonic()
            if now >= end:
                return False
            if self.filming and now >= self._due:
                self._due = max(self._due + 1.0 / self.rate, now)  # what was missed is not made up
                self.shoot()
                continue
            self._check()
            turn = min(end, self._due) - now if self.filming else end - now
            self._executor.spin_once(timeout_sec=min(max(turn, 0.0), 0.05))
        return True

    def _people(self, message: People) -> None:
        self.answered = nanoseconds(message.header)
        self.latencies.append(1e-9 * (self.now() - self.answered))

    def _told(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "pose_node":
                self.state = next(v.value for v in status.values if v.key == "lifecycle state")
                self.told_at = time.monotonic()
            elif status.name == "pose_node: /image" and self.counted:
                self.ledger.now = tally_of(status)


def nanoseconds(header: Header) -> int:
    """The stamp of a header."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def tally_of(status: DiagnosticStatus) -> Tally:
    """The counts that a camera's status on /diagnostics tells."""
    values = {entry.key: entry.value for entry in status.values}
    return Tally(**{name: int(values[name]) for name in COUNTS})
