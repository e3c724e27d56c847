"""source_node: photos, a folder of photos, a video, a bag or a webcam, published as a camera would."""

from __future__ import annotations

import math
import sys
import threading
import time
from typing import Any

import cv2
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.media import Frame, Frames, MediaError, frames, listed
from openpose_ros.options import SourceNodeOptions
from openpose_ros.preprocess import Image
from openpose_ros.ros import program, qos
from openpose_ros.ros.images import to_message
from openpose_ros.ros.interface import SOURCE_NODE
from openpose_ros.ros.parameters import Parameters

PHOTOS_PER_SECOND = 1.0
FRAME_ID = "camera_optical_frame"
LAST_WORDS = 5.0
"""Seconds after which the node ends even if a subscriber has not confirmed the last image."""

TURN = Duration(seconds=0.1)
"""Between two looks at whether somebody asked to stop meanwhile."""


class SourceNode(Node):
    """A node that publishes pictures as images of a camera, bgr8, stamped with the time of publishing.

    Args:
        arguments: those of rclpy's Node.

    Attributes:
        finished: whether the source has ended; nothing is published any more.

    Raises:
        program.StartError: a parameter has a value that it must not have.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(SOURCE_NODE.name, **arguments)
        self.finished = False
        self.asked = threading.Event()
        self._published = 0
        self._frames: Frames | None = None
        self._timer: Timer | None = None
        self._ahead: Frame | None = None
        self._began = 0.0
        try:
            self._options = Parameters(self, SOURCE_NODE.options, lambda: None).read(SourceNodeOptions)
        except ValueError as error:
            self.destroy_node()
            raise program.StartError(str(error)) from None
        overrides = qos.overridable()
        self._images = self.create_publisher(ImageMessage, "image", qos.camera(), qos_overriding_options=overrides)
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos.camera(), qos_overriding_options=overrides)

    def start(self) -> None:
        """Open the source and begin to publish.

        Raises:
            program.StartError: the source cannot be opened.
        """
        if not self._options.source:
            raise program.StartError(
                "no source is given; expected -p source:=PHOTO, FOLDER, VIDEO, BAG or a webcam's index"
            )
        try:
            self._frames = self._open()
        except MediaError as error:
            raise program.StartError(str(error)) from None
        # A webcam's pictures come when they come, and reading waits for them; the timer only keeps asking.
        rate = self._options.rate or self._frames.rate or PHOTOS_PER_SECOND
        period = 5e-3 if self._frames.live and not self._options.rate else 1.0 / rate
        self._timer = self.create_timer(period, self._next, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"{self._frames.source} as a camera of {rate:g} images/s on {self._images.topic_name}")

    def stop(self) -> None:
        """Close the source."""
        if self._frames is not None:
            self._frames.close()

    def _open(self) -> Frames:
        return frames(listed(self._options.source), topic=self._options.topic)

    def _next(self) -> None:
        """Publish one picture, or wait for the first subscriber."""
        if self._options.wait and not self._published and not self._images.get_subscription_count():
            return
        frame = self._ahead or self._read()
        self._ahead = None
        if frame is None:
            self._end()
            return
        self._publish(frame)
        if self._frames is not None and self._frames.recorded and not self._options.rate:
            self._wait_for_next(frame)

    def _publish(self, frame: Frame) -> None:
        assert self._frames is not None
        image = scaled(frame.image, self._options.width)
        frame_id = self._options.frame_id or frame.frame_id or FRAME_ID
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=frame_id)
        self._images.publish(to_message(image, header))
        height, width = image.shape[:2]
        recorded = self._frames.camera
        info = camera_info(width, height, self._options.hfov, header)
        self._infos.publish(info if recorded is None else recorded_info(recorded, width, height, header))
        self._published += 1

    def _wait_for_next(self, frame: Frame) -> None:
        """Read the next image of a bag, and have it published as long after this one as it was recorded."""
        assert self._timer is not None
        now = time.monotonic()
        if not self._began:
            self._began = now - frame.stamp_seconds
        self._ahead = self._read()
        if self._ahead is None:
            return
        if self._ahead.index <= frame.index:  # it begins again, after the time between the last two
            self._began = 0.0
            return
        late = self._began + self._ahead.stamp_seconds - now
        self._timer.timer_period_ns = max(1, round(1e9 * late))
        self._timer.reset()

    def _read(self) -> Frame | None:
        """The next picture, from the beginning again if the source is to be repeated; None at the end."""
        assert self._frames is not None
        frame = next(self._frames, None)
        if frame is None and self._options.loop and self._published:
            self._frames = self._open()
            frame = next(self._frames, None)
        return frame

    def _end(self) -> None:
        source = self._options.source
        if not self._published:
            raise program.StartError(f"nothing in {source} could be read")
        last = time.monotonic() + LAST_WORDS
        while not (self._images.wait_for_all_acked(TURN) or self.asked.is_set() or time.monotonic() > last):
            pass
        self.get_logger().info(f"{source} has ended after {self._published} images")
        self.finished = True


def scaled(image: Image, width: int) -> Image:
    """The image at a width in pixels, its shape kept; as it is at width 0."""
    height = round(image.shape[0] * width / image.shape[1])
    if width in (0, image.shape[1]):
        return image
    how = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, max(1, height)), interpolation=how), np.uint8)


def camera_info(width: int, height: int, hfov: float, header: Header) -> CameraInfo:
    """An ideal camera with square pixels, its axis through the middle of the picture.

    Args:
        width, height: of the image in pixels.
        hfov: horizontal field of view in degrees, from the left border of the picture to the right one.
        header: that of the image.
    """
    focal = width / (2.0 * math.tan(math.radians(hfov) / 2.0))
    x, y = (width - 1) / 2.0, (height - 1) / 2.0  # pixel centres are at whole numbers
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def recorded_info(recorded: Any, width: int, height: int, header: Header) -> CameraInfo:
    """What a bag says about its camera, for images of a width and height in pixels.

    Args:
        recorded: a sensor_msgs/CameraInfo of ROS 2 as rosbags reads it; of ROS 1 its D, K, R and P in capitals.
        header: that of the image.
    """
    d, k, r, p = (
        np.asarray(getattr(recorded, name, getattr(recorded, name.upper(), ())), np.float64).tolist() for name in "dkrp"
    )
    across, down = width / (recorded.width or width), height / (recorded.height or height)
    k, p = scaled_matrix(k, 3, across, down), scaled_matrix(p, 4, across, down)
    return CameraInfo(
        header=header, width=width, height=height, distortion_model=recorded.distortion_model, d=d, k=k, r=r, p=p
    )


def scaled_matrix(matrix: list[float], columns: int, across: float, down: float) -> list[float]:
    """K or P for a picture that is so many times as wide and as high; pixel centres are at whole numbers."""
    rows = np.reshape(matrix, (3, columns)).copy()
    for row, factor in ((0, across), (1, down)):
        rows[row] *= factor
        rows[row, 2] += (factor - 1.0) / 2.0
    return rows.reshape(-1).tolist()


def main(argv: list[str] | None = None) -> int:
    """Run the node; exit status 0 after a clean end, 1 if there is nothing to publish, 2 after wrong arguments."""
    return program.run(SOURCE_NODE, SourceNode, argv)


if __name__ == "__main__":
    sys.exit(main())
