"""A camera and a listener around a pose node in another process: how many images come back as people, and how late.

Images are sent from the caller's thread, people are received in another one, so that neither holds up the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import rclpy
from openpose_msgs.msg import People
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.benchmark.peak import Trial
from openpose_ros.benchmark.process import held
from openpose_ros.preprocess import Image
from openpose_ros.ros.images import to_message

CAMERA = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LISTENER = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)

START = 180.0
"""Seconds until the node is given up at its start, which loads and compiles the network."""

LAST = 2.0
"""Seconds without an answer after which the answers to the last images are not waited for any more."""

SLOW = 30.0
"""Seconds after which a node that is at work is given up."""

WARM_UP = 5
"""Images of a size before it is measured."""

TOGETHER = 2
"""Images under way while it is measured what there is time for: the one that is worked on, and the next."""


class CourseError(RuntimeError):
    """The node did not answer; the text says what was waited for."""


class Course:
    """One camera that shows pictures in turn, and one listener to ``poses``.

    Args:
        pictures: (H, W, 3) uint8 BGR, all of one size.
        pid: of the node's process.
        check: raises an exception when that process has ended.
    """

    def __init__(self, pictures: Sequence[Image], pid: int, check: Callable[[], None]) -> None:
        self._messages = [to_message(picture, Header(frame_id="camera")) for picture in pictures]
        self._pid = pid
        self._check = check
        self._shown = 0
        self._heard: dict[int, float] = {}
        self._news = threading.Condition()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[])
        self._node = rclpy.create_node("course", context=self._context)
        self._camera = self._node.create_publisher(ImageMessage, "image", CAMERA)
        self._node.create_subscription(People, "poses", self._people, LISTENER)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._listen, name="course listener")
        self._thread.start()

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def begin(self) -> None:
        """Wait until the node answers, and until it is used to images of this size.

        Raises:
            CourseError: it does not.
        """
        self._until(lambda: self._camera.get_subscription_count() > 0, "the node to listen to the camera", START)
        for _ in range(WARM_UP):
            self._answer(self._show(), START)

    def capacity(self, seconds: float) -> float:
        """Images a second while one is worked on and the next one waits."""
        began, first = time.monotonic(), len(self._heard)
        under_way = [self._show()]
        while time.monotonic() < began + seconds:
            while len(under_way) < TOGETHER:
                under_way.append(self._show())
            self._answer(under_way[0], SLOW)
            under_way = [stamp for stamp in under_way if stamp not in self._heard and stamp > under_way[0]]
        return (len(self._heard) - first) / (time.monotonic() - began)

    def drive(self, rate: float, seconds: float) -> Trial:
        """Send images so many times a second, as exactly as it can be done, and wait for the answers to the last."""
        stamps: list[int] = []
        before, own = held(self._pid).cpu, time.process_time()
        began = due = time.monotonic()
        end = began + seconds - 0.5 / rate
        while due < end or not stamps:
            time.sleep(max(0.0, due - time.monotonic()))
            stamps.append(self._show())
            due += 1.0 / rate
            if due < time.monotonic() - 1.0 / rate:  # what was missed is not made up, which would be a burst
                due = time.monotonic()
        passed = max(due, time.monotonic()) - began
        cpu, own_cpu = held(self._pid).cpu - before, time.process_time() - own
        self._until_quiet(stamps[-1])
        latencies = [self._heard[stamp] for stamp in stamps if stamp in self._heard]
        self._heard.clear()
        return Trial(passed, len(stamps), latencies, cpu, own_cpu)

    def _show(self) -> int:
        """Publish the next picture, stamped now; the stamp in nanoseconds."""
        self._check()
        message = self._messages[self._shown % len(self._messages)]
        self._shown += 1
        now = self._node.get_clock().now()
        message.header.stamp = now.to_msg()
        self._camera.publish(message)
        return int(now.nanoseconds)

    def _people(self, message: People) -> None:
        now = self._node.get_clock().now().nanoseconds
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        with self._news:
            self._heard[stamp] = 1e-9 * (now - stamp)
            self._news.notify_all()

    def _answer(self, stamp: int, patience: float) -> None:
        """Wait for the people of an image, or of a later one, which has taken its place."""
        self._until(lambda: any(heard >= stamp for heard in reversed(self._heard)), "the people of an image", patience)

    def _until_quiet(self, last: int) -> None:
        """Wait for the people of the last image, or until nothing comes any more."""
        with self._news:
            while last not in self._heard and self._news.wait(LAST):
                pass

    def _until(self, condition: Callable[[], bool], what: str, patience: float) -> None:
        end = time.monotonic() + patience
        while True:
            with self._news:
                if condition():
                    return
                self._news.wait(0.05)
            self._check()
            if time.monotonic() > end:
                raise CourseError(f"waited {patience:g} s in vain for {what}")

    def _listen(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
