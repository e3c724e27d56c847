"""The publishers of one camera's results: each works only while somebody listens to it."""

from __future__ import annotations

from collections.abc import Callable

from openpose_msgs import msg
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.draw import draw
from openpose_ros.options import DrawOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.ros import qos
from openpose_ros.ros.images import compress, to_message
from openpose_ros.ros.messages import PeopleMessage, skeleton_message
from openpose_ros.skeleton import Skeleton


class Outputs:
    """poses, poses/skeleton, annotated and annotated/compressed. Publishes from one thread.

    Args:
        node: a lifecycle node: what is published while it is not active is dropped.
        skeleton: of all people.
        listeners_changed: called when somebody begins or ceases to listen.
    """

    def __init__(self, node: LifecycleNode, skeleton: Skeleton, listeners_changed: Callable[[], None]) -> None:
        self._node = node
        self._skeleton = skeleton
        self._message = PeopleMessage(skeleton)
        events = qos.when_listeners_change(listeners_changed)
        compressed = f"{node.resolve_topic_name('annotated')}/compressed"
        create = node.create_lifecycle_publisher
        self._poses = create(msg.People, "poses", qos.RESULTS, event_callbacks=events)
        self._annotated = create(ImageMessage, "annotated", qos.PICTURES, event_callbacks=events)
        self._compressed = create(CompressedImage, compressed, qos.PICTURES, event_callbacks=events)
        self._latched = create(msg.Skeleton, "poses/skeleton", qos.LATCHED)

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to what is made of images."""
        return any(p.get_subscription_count() for p in (self._poses, self._annotated, self._compressed))

    @property
    def names(self) -> str:
        """The topics of which one must have a listener, for the log."""
        return " or ".join(p.topic_name for p in (self._poses, self._annotated, self._compressed))

    def describe(self) -> None:
        """Publish what the keypoints mean, for everybody who comes later too."""
        self._latched.publish(skeleton_message(self._skeleton))

    def publish(self, people: People, image: Image, header: Header, options: DrawOptions, jpeg_quality: int) -> None:
        """Publish the people of one image under its own header, and the picture of them if it is wanted."""
        if self._poses.get_subscription_count():
            self._poses.publish(self._message.fill(people, header))
        raw = self._annotated.get_subscription_count()
        compressed = self._compressed.get_subscription_count()
        if not (raw or compressed):
            return
        picture = draw(image, people, options)
        if raw:
            self._annotated.publish(to_message(picture, header))
        if compressed:
            self._compressed.publish(compress(picture, header, jpeg_quality))

    def close(self) -> None:
        """Take the publishers away."""
        for publisher in (self._poses, self._annotated, self._compressed, self._latched):
            self._node.destroy_lifecycle_publisher(publisher)
