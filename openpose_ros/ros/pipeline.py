"""The way of an image: mailbox -> read -> estimator -> publish, in a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from openpose_ros.options import DrawOptions, PoseNodeOptions
from openpose_ros.preprocess import Image
from openpose_ros.ros.bridge import sound_cv_bridge
from openpose_ros.ros.camera import Message
from openpose_ros.ros.images import ImageError, decompress, to_bgr
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.outputs import Outputs
from openpose_ros.ros.tally import Tally

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

THROTTLE = 5.0
"""Seconds between two log lines about images that went wrong; all of them are counted."""


class Pipeline:
    """Takes the newest image, finds its people, publishes them; then the image that is the newest by now.

    Args:
        node: for its log.
        topic: what the log calls the camera.
        mailbox: where the camera leaves its images; closed together with this.
        estimator: image -> people; used by this thread alone.
        outputs: where people go.

    Attributes:
        settings, drawing: may be replaced at any time; the next image is treated accordingly.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        mailbox: Mailbox[Message],
        estimator: Estimator,
        outputs: Outputs,
        settings: PoseNodeOptions,
        drawing: DrawOptions,
    ) -> None:
        self.settings = settings
        self.drawing = drawing
        self._node = node
        self._topic = topic
        self._mailbox = mailbox
        self._tally = Tally()
        self._log = node.get_logger()
        self._estimator = estimator
        self._outputs = outputs
        self._bridge = sound_cv_bridge()
        self._thread = threading.Thread(target=self._work, name="pose_node worker")
        self._thread.start()

    @property
    def tally(self) -> Tally:
        """What became of the images so far."""
        return replace(self._tally, received=self._mailbox.received, replaced=self._mailbox.replaced)

    def close(self) -> None:
        """End after the image in progress."""
        self._mailbox.close()
        self._thread.join()

    def _work(self) -> None:
        while (message := self._mailbox.take()) is not None:
            began = time.perf_counter()
            try:
                count = self._process(message)
            except ImageError as error:
                self._tally.broken += 1
                self._log.error(f"skipped an image on {self._topic}: {error}", throttle_duration_sec=THROTTLE)
            except Exception as error:
                if not self._node.context.ok():
                    return
                self._tally.failed += 1
                what = f"{type(error).__name__}: {error}"
                self._log.error(f"no result for an image on {self._topic}: {what}", throttle_duration_sec=THROTTLE)
            else:
                self._tally.processed += 1
                self._tally.people += count
                self._tally.seconds += time.perf_counter() - began

    def _process(self, message: Message) -> int:
        """One image, from the message to the published result; how many people it shows."""
        image = self._read(message)
        self._check(message.header)
        people = self._estimator(image)
        self._outputs.publish(people, image, message.header, self.drawing, self.settings.jpeg_quality)
        return len(people)

    def _read(self, message: Message) -> Image:
        if isinstance(message, CompressedImage):
            return decompress(message)
        return to_bgr(message, self.settings.black_and_white(), self._bridge)

    def _check(self, header: Header) -> None:
        """Say once what a header lacks; it is passed on as it is."""
        if header.stamp.sec == 0 and header.stamp.nanosec == 0:
            self._log.warning(
                f"images on {self._topic} have a zero stamp: nobody can tell when people were seen there", once=True
            )
        if not header.frame_id:
            self._log.warning(
                f"images on {self._topic} have an empty frame_id: nobody can tell which camera saw them", once=True
            )
