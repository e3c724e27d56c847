"""One camera's stream: its images in, its results out, and what is remembered from one image to the next."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from openpose_ros.encodings import ImageError, decompress, to_bgr
from openpose_ros.lifting import lift
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.ros.bridge import sound_cv_bridge
from openpose_ros.ros.camera import Camera, Message
from openpose_ros.ros.depth import to_metres
from openpose_ros.ros.mailbox import Slot
from openpose_ros.ros.outputs import Outputs, Result
from openpose_ros.ros.settings import Settings
from openpose_ros.ros.tally import Tally, Window
from openpose_ros.tracking import Tracker

THROTTLE = 5.0
"""Seconds between two log lines about images that went wrong; all of them are counted."""


class Stream:
    """Reads the messages of one camera and publishes what they show; for the worker's thread.

    Args:
        node: for its log and its clock.
        camera: whose images these are.
        slot: where they wait.
        outputs: where people go.
        tracker: of this camera; it begins anew, but gives no id again.
        settings: of now.

    Attributes:
        settings: those that the next image is treated by.
        window: rates and latencies of the latest seconds.
        people: how many the last image showed.
        trouble: what was wrong with the last image that was lost; empty when none was.
    """

    def __init__(
        self,
        node: Node,
        camera: Camera,
        slot: Slot[Message],
        outputs: Outputs,
        tracker: Tracker,
        settings: Settings,
    ) -> None:
        self.camera = camera
        self.outputs = outputs
        self.window = Window()
        self.people = 0
        self.trouble = ""
        self._node = node
        self._log = node.get_logger()
        self._slot = slot
        self._tally = Tally()
        self._tracker = tracker
        self._tracker.reset()
        self._forget = threading.Event()
        self._last_stamp = -math.inf
        self._bridge = sound_cv_bridge()
        self.apply(settings)

    @property
    def tally(self) -> Tally:
        """What became of the images so far; never more of them than were received."""
        tally = replace(self._tally)
        tally.replaced = self._slot.replaced
        tally.received = self._slot.received  # last, because the others count on meanwhile
        return tally

    def apply(self, settings: Settings) -> None:
        """Treat the next image by other settings. For any thread."""
        self.settings = settings
        self._slot.period = 1.0 / settings.node.max_rate if settings.node.max_rate else 0.0

    def forget(self) -> None:
        """Give new ids from the next image on. For any thread."""
        self._forget.set()

    def read(self, message: Message) -> Image | None:
        """(H, W, 3) uint8 BGR of an image message; None if it is too old or cannot be read, which is counted."""
        limit = self.settings.node.max_age
        if limit > 0.0 and (age := self._age(message.header)) is not None and age > limit:
            self._tally.outdated += 1
            self.trouble = f"image older than max_age: {age:.3f} s"
            self._log.warning(
                f"an image on {self.camera.topic} was {age:.3f} s old when its turn came; those older than max_age, "
                f"{limit:g} s, are left out",
                throttle_duration_sec=THROTTLE,
            )
            return None
        try:
            if isinstance(message, CompressedImage):
                image = decompress(message)
            else:
                image = to_bgr(message, self.settings.node.black_and_white(), self._bridge)
        except ImageError as error:
            self._tally.broken += 1
            self.trouble = str(error)
            self._log.error(f"skipped an image on {self.camera.topic}: {error}", throttle_duration_sec=THROTTLE)
            return None
        self._check(message.header)
        return image

    def fail(self, error: Exception) -> None:
        """Count an image for which there is no result, and say why."""
        self._tally.failed += 1
        self.trouble = f"{type(error).__name__}: {error}"
        self._log.error(
            f"no result for an image on {self.camera.topic}: {self.trouble}", throttle_duration_sec=THROTTLE
        )

    def publish(self, header: Header, image: Image, people: People, began: float) -> None:
        """Follow people, place them in space, and publish them to whoever listens.

        Args:
            header, image: of the message.
            people: those that the network found.
            began: time.perf_counter() when the work on the image began.
        """
        settings, stamp = self.settings, seconds(header) or time.monotonic()
        if self._forget.is_set() or stamp < self._last_stamp:
            if stamp < self._last_stamp:
                self._tally.jumps += 1
                self._log.warning(
                    f"time jumped back on {self.camera.topic} (from {self._last_stamp:.3f} to {stamp:.3f} s): people "
                    "get new ids",
                    throttle_duration_sec=THROTTLE,
                )
            self._forget.clear()
            self._tracker.reset()
        self._last_stamp = stamp
        people = self._placed(people, header, settings)  # before joints are smoothed: an edge is where it was seen
        self._tracker.options = settings.track
        people = self._tracked(people, stamp)
        self.outputs.publish(Result(header, image, people, self.camera.model), settings)
        if (age := self._age(header)) is not None:
            self.window.latency(age)
        self.people = len(people)
        self._tally.people += len(people)
        self._tally.seconds += time.perf_counter() - began
        self._tally.processed += 1
        if self._tally.processed == 1:
            height, width = people.image_size
            self._log.info(
                f"first result from {self.camera.topic}: {width}x{height} pixels, people found: {len(people)}, "
                f"{1e3 * (time.perf_counter() - began):.0f} ms"
            )

    def _tracked(self, people: People, stamp: float) -> People:
        """With ids. What an exception leaves of the tracks is not to spoil the images that follow."""
        try:
            return self._tracker(people, stamp)
        except Exception:
            self._tracker.reset()
            raise

    def _placed(self, people: People, header: Header, settings: Settings) -> People:
        """With the places in space, where depth is used and there is a depth image of this very moment."""
        if self.camera.depths is None:
            return people
        model = self.camera.model
        message = self.camera.depths.nearest(header.stamp, settings.depth.depth_slop, settings.depth.depth_wait)
        if model is None or message is None:
            self._tally.unpaired += 1
            return people
        if message.header.frame_id != header.frame_id:
            self._log.warning(
                f"depth images are of the frame {message.header.frame_id!r}, images on {self.camera.topic} of "
                f"{header.frame_id!r}: places are right only if the depth is registered to the image",
                once=True,
            )
        try:
            return lift(people, to_metres(message), model, settings.depth)
        except ValueError as error:
            self._tally.unpaired += 1
            self.trouble = str(error)
            self._log.error(f"no depth for an image on {self.camera.topic}: {error}", throttle_duration_sec=THROTTLE)
            return people

    def _age(self, header: Header) -> float | None:
        """Seconds since an image was taken, by the node's clock; None for a zero stamp."""
        if header.stamp.sec == 0 and header.stamp.nanosec == 0:
            return None
        # rclpy's Time refuses stamps before 1970, which a broken clock may well give.
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        return float((self._node.get_clock().now().nanoseconds - stamp) * 1e-9)

    def _check(self, header: Header) -> None:
        """Say once what a header lacks; it is passed on as it is."""
        topic = self.camera.topic
        if header.stamp.sec == 0 and header.stamp.nanosec == 0:
            self._log.warning(
                f"images on {topic} have a zero stamp: nobody can tell when people were seen there", once=True
            )
        if not header.frame_id:
            self._log.warning(
                f"images on {topic} have an empty frame_id: nobody can tell which camera saw them", once=True
            )


def seconds(header: Header) -> float:
    """The stamp of a header."""
    return float(header.stamp.sec + 1e-9 * header.stamp.nanosec)
