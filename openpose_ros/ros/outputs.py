"""The publishers of one camera's results: each works only while somebody listens to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from openpose_msgs import msg
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from openpose_ros.camera_model import CameraModel
from openpose_ros.draw import draw
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.ros import qos
from openpose_ros.ros.images import compress, to_message
from openpose_ros.ros.markers import Markers
from openpose_ros.ros.messages import PeopleMessage, skeleton_message
from openpose_ros.ros.settings import Settings
from openpose_ros.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Result:
    """All that is known about one image.

    Attributes:
        header: of the image, untouched.
        image: (H, W, 3) uint8 BGR.
        people: those it shows.
        camera: the calibration; None while it is not known.
    """

    header: Header
    image: Image
    people: People
    camera: CameraModel | None


class Output(Protocol):
    """What is made of the results of one camera, on one or several topics."""

    needs_calibration: bool
    """Whether it shows people in space."""

    topics: tuple[str, ...]
    """Full names of its topics."""

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""

    def publish(self, result: Result, settings: Settings) -> None:
        """Publish one result to those who listen."""

    def close(self) -> None:
        """Take the publishers away."""


@runtime_checkable
class Lasting(Protocol):
    """An output whose last message stays in sight until another one comes."""

    def farewell(self) -> None:
        """Publish that there is nobody, because no more images come."""


class Publishers:
    """Makes lifecycle publishers: what is published while the node is not active is dropped.

    Args:
        node: the lifecycle node.
        prefix: before the topics' names: empty, or a camera's name and a slash.
        listeners_changed: called when somebody begins or ceases to listen.
    """

    def __init__(self, node: LifecycleNode, prefix: str, listeners_changed: Callable[[], None]) -> None:
        self.node = node
        self._prefix = prefix
        self._changed = listeners_changed

    def __call__(self, kind: Any, topic: str, profile: Any, below: str = "") -> Any:
        """A publisher on a topic of this camera, or on one that lies below it wherever it is remapped to."""
        name = topic if topic.startswith("/") else f"{self._prefix}{topic}"
        if below:
            name = f"{self.node.resolve_topic_name(name)}/{below}"
        return self.node.create_lifecycle_publisher(
            kind,
            name,
            profile,
            event_callbacks=qos.for_publisher(self.node, name, self._changed),
            qos_overriding_options=qos.overridable(),
        )

    def remove(self, *publishers: Any) -> None:
        """Take publishers away."""
        for publisher in publishers:
            self.node.destroy_lifecycle_publisher(publisher)


class Poses:
    """poses, and poses/skeleton, which says what the keypoints mean to everybody who comes."""

    needs_calibration = False

    def __init__(self, publishers: Publishers, skeleton: Skeleton) -> None:
        self._publishers = publishers
        self._skeleton = skeleton
        self._message = PeopleMessage(skeleton)
        self._poses = publishers(msg.People, "poses", qos.results())
        self._latched = publishers(msg.Skeleton, "poses/skeleton", qos.latched())
        self.topics: tuple[str, ...] = (self._poses.topic_name,)

    @property
    def wanted(self) -> bool:
        return bool(self._poses.get_subscription_count())

    def describe(self) -> None:
        """Publish what the keypoints mean; to be called when the node has become active."""
        self._latched.publish(skeleton_message(self._skeleton))

    def publish(self, result: Result, settings: Settings) -> None:
        self._poses.publish(self._message.fill(result.people, result.header))

    def close(self) -> None:
        self._publishers.remove(self._poses, self._latched)


class MarkersInSpace:
    """poses/markers."""

    needs_calibration = True

    def __init__(self, publishers: Publishers, skeleton: Skeleton) -> None:
        self._publishers = publishers
        self._skeleton = skeleton
        self._markers = Markers(skeleton)
        self._publisher = publishers(MarkerArray, "poses/markers", qos.results())
        self._listeners = 0
        self._header: Header | None = None
        self.topics: tuple[str, ...] = (self._publisher.topic_name,)

    @property
    def wanted(self) -> bool:
        return bool(self._publisher.get_subscription_count())

    def publish(self, result: Result, settings: Settings) -> None:
        listeners = self._publisher.get_subscription_count()
        if listeners > self._listeners:
            # Whoever came may still show what was there before it went away, or before this node was started anew.
            self._markers = Markers(self._skeleton)
        self._listeners, self._header = listeners, result.header
        self._publisher.publish(self._markers.fill(result.people, result.header, result.camera, settings.markers))
        if self._markers.unplaced and result.camera is None:
            self._publishers.node.get_logger().warning(
                f"{self.topics[0]} shows nobody while there is neither depth nor camera_info", once=True
            )

    def farewell(self) -> None:
        if self._header is not None:
            self._publisher.publish(self._markers.clear(self._header))
            self._header = None

    def close(self) -> None:
        self._publishers.remove(self._publisher)


class Annotated:
    """annotated and annotated/compressed: drawn once for both."""

    needs_calibration = False

    def __init__(self, publishers: Publishers) -> None:
        self._publishers = publishers
        self._raw = publishers(ImageMessage, "annotated", qos.pictures())
        # As image_transport does it: remap the base name, then append.
        self._compressed = publishers(CompressedImage, "annotated", qos.pictures(), below="compressed")
        self.topics: tuple[str, ...] = (self._raw.topic_name, self._compressed.topic_name)

    @property
    def wanted(self) -> bool:
        return bool(self._raw.get_subscription_count() or self._compressed.get_subscription_count())

    def publish(self, result: Result, settings: Settings) -> None:
        picture = draw(result.image, result.people, settings.draw)
        if self._raw.get_subscription_count():
            self._raw.publish(to_message(picture, result.header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(compress(picture, result.header, settings.node.jpeg_quality))

    def close(self) -> None:
        self._publishers.remove(self._raw, self._compressed)


class Outputs:
    """All outputs of one camera, the most urgent first. Publishes from one thread."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._resting = False
        self._publishing = threading.Lock()

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to what is made of images."""
        return any(output.wanted for output in self._outputs)

    @property
    def needs_calibration(self) -> bool:
        """Whether somebody wants to see people in space."""
        return any(output.needs_calibration and output.wanted for output in self._outputs)

    @property
    def topics(self) -> list[str]:
        """The topics of which one must have a listener."""
        return [topic for output in self._outputs for topic in output.topics]

    def publish(self, result: Result, settings: Settings) -> None:
        """Publish one result to all who listen.

        Raises:
            Exception: what one of the outputs raised; the others were published all the same.
        """
        raised: Exception | None = None
        with self._publishing:
            for output in self._outputs:
                try:
                    if output.wanted:
                        output.publish(result, settings)
                except Exception as error:
                    raised = error
            if self._resting:
                self._say_farewell()
        if raised is not None:
            raise raised

    def rest(self, resting: bool) -> None:
        """Say whether no more images come; from one thread, which may be another one. Then displays are told that there
        is nobody, at once and after a result that was on its way, instead of showing on those who were there last."""
        if resting == self._resting:
            return
        with self._publishing:
            self._resting = resting
            if resting:
                self._say_farewell()

    def farewell(self) -> None:
        """Tell displays that there is nobody, because no image has come for long; once, until one comes. From any
        thread."""
        with self._publishing:
            self._say_farewell()

    def close(self) -> None:
        """Take all publishers away."""
        for output in self._outputs:
            output.close()

    def _say_farewell(self) -> None:
        for output in self._outputs:
            if isinstance(output, Lasting):
                output.farewell()
