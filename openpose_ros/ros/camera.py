"""A camera: its images and, where people are to be placed in space or shown there, its depth and its calibration."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.camera_model import CameraModel
from openpose_ros.ros.depth import DepthRing, to_camera
from openpose_ros.ros.mailbox import Slot
from openpose_ros.ros.settings import Settings
from openpose_ros.ros.subscription import AdaptiveSubscription

DEPTHS = 5
"""Depth images that may wait for the executor: one of them belongs to the image that the network looks at."""

Message = Any
"""sensor_msgs/Image or sensor_msgs/CompressedImage."""


class Camera:
    """The topics of one camera. Methods are for the executor's thread where they do not say otherwise.

    Args:
        node: makes the subscriptions.
        prefix: before the names of the topics: empty, or the camera's name and a slash.
        settings: transport, reliability, and whether depth images are used.
        slot: gets every image.

    Attributes:
        topic: of the images, full name.
        depths: the latest depth images; None where none are used.
        model: the calibration, as soon as it is known. Replaced as a whole, so that any thread may take it.
        problem: what is wrong with the calibration, else empty.
    """

    def __init__(self, node: Node, prefix: str, settings: Settings, slot: Slot[Message]) -> None:
        self._node = node
        self.depths: DepthRing | None = DepthRing() if settings.depth.depth else None
        self.problem = ""
        self.model: CameraModel | None = None
        self._info: CameraInfo | None = None
        self._rectified = settings.depth.rectified

        # As image_transport does it: remap the base name, then append.
        base = node.resolve_topic_name(f"{prefix}image")
        reliability = settings.node.qos
        raw = settings.node.image_transport == "raw"
        self.topic = base if raw else f"{base}/compressed"
        self._images = AdaptiveSubscription(
            node, ImageMessage if raw else CompressedImage, self.topic, "images", reliability, slot.put,
            hint=" (parameter image_transport)",
        )  # fmt: skip
        self._infos = AdaptiveSubscription(
            node, CameraInfo, info_topic(node, prefix), "the calibration", reliability, self._calibrate
        )
        self._depth: AdaptiveSubscription | None = None
        if self.depths is not None:
            topic = node.resolve_topic_name(f"{prefix}depth")
            whole = settings.depth.depth_transport == "raw"
            self._depth = AdaptiveSubscription(
                node,
                ImageMessage if whole else CompressedImage,
                topic if whole else f"{topic}/compressedDepth",
                "depth images",
                reliability,
                self.depths.put,
                hint=" (the depth image registered to the colour image; parameter depth_transport)",
                queue=DEPTHS,
            )

    @property
    def listening(self) -> bool:
        """Whether images are let in now."""
        return self._images.listening

    @property
    def silence(self) -> float:
        """Seconds since the last image, or since images are let in."""
        return self._images.silence

    def need(self, images: bool, calibration: bool) -> None:
        """Subscribe to what is needed, let go of the rest.

        Args:
            images: whether people are to be found now.
            calibration: whether somebody wants to see them in space; always so with depth.
        """
        self._images.need(images)
        self._infos.need(images and (calibration or self._depth is not None))
        if self._depth is not None:
            self._depth.need(images)

    def remind(self) -> None:
        """Say in the log, every now and then, what does not come, and why that may be."""
        self._images.remind()
        if self.model is None:
            self._infos.remind()
        if self._depth is not None:
            self._depth.remind()

    def _calibrate(self, message: CameraInfo) -> None:
        if self._info is not None and _same(message, self._info):
            return
        self._info, self.model, self.problem = message, None, ""
        try:
            self.model = to_camera(message, self._rectified)
        except ValueError as error:
            self.problem = str(error)
            self._node.get_logger().error(f"the calibration on {self._infos.topic} cannot be used: {error}")


def info_topic(node: Node, prefix: str = "") -> str:
    """Where the calibration comes from: camera_info beside the images, unless it is remapped itself."""
    own = node.resolve_topic_name(f"{prefix}camera_info")
    if own != node.resolve_topic_name(f"{prefix}camera_info", only_expand=True):
        return str(own)
    beside = node.resolve_topic_name(f"{prefix}image").rpartition("/")[0]
    return str(node.resolve_topic_name(f"{beside}/camera_info"))


def _same(one: CameraInfo, other: CameraInfo) -> bool:
    """Whether two messages tell the same calibration; most cameras send one with every image."""
    header, one.header = one.header, other.header
    try:
        return bool(one == other)
    finally:
        one.header = header
