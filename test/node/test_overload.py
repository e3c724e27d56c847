"""More images than there is time for. Nothing here looks at a clock: how late a result is, is counted in images."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from sensor_msgs.msg import Image

from openpose_ros.ros.pose_node import PoseNode

PATIENCE = 15.0
TIMES = 3
"""Images that come while the network works on one."""


class Turnstile:
    """In place of the estimator's gate: lets one image through for every push."""

    def __init__(self) -> None:
        self._pushes = threading.Semaphore(0)

    def push(self) -> None:
        self._pushes.release()

    def wait(self, timeout: float) -> bool:
        return self._pushes.acquire(timeout=timeout)


class ServiceTime:
    """In place of the estimator's gate: every image takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def wait(self, timeout: float) -> bool:
        time.sleep(self.seconds)
        return True


def numbered(picture: Any, number: int) -> Image:
    """An image that says by its pixels and its stamp which one it is."""
    return picture((number % 256, number // 256, 255), sec=number)


def sees_publishers(node: Any, cameras: int) -> bool:
    """Whether the node listens to so many cameras, and knows it."""
    images = [s for s in list(node.subscriptions) if s.topic_name.endswith("/image")]
    try:
        return len(images) == cameras and all(subscription.get_publisher_count() for subscription in images)
    except RuntimeError:  # it subscribes anew just now
        return False


def soon(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(2e-4)


def test_at_three_times_the_capacity_the_newest_is_taken_and_the_others_are_counted(
    graph: Any, loader: Any, picture: Any
) -> None:
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses", 1000), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate = turnstile = Turnstile()
    tally = lambda: node._streams[0].tally  # noqa: E731
    rounds, sent, newest_at_publish = 60, 1, []
    graph.send(camera, numbered(picture, 1))
    soon(lambda: len(estimator.seen) == 1)
    for served in range(1, rounds + 1):
        for _ in range(TIMES):
            sent += 1
            camera.publish(numbered(picture, sent))
            soon(lambda count=sent: tally().received == count)
        soon(lambda count=served - 1: tally().processed == count)
        newest_at_publish.append(sent)
        turnstile.push()
        soon(lambda count=served + 1: len(estimator.seen) == count)
        blue, green, _ = estimator.seen[-1]
        assert blue + 256 * green == sent, "an older image was taken than the newest that was there"
    newest_at_publish.append(sent)
    turnstile.push()
    graph.until(lambda: len(poses) == rounds + 1)
    assert (tally().received, tally().processed, tally().replaced) == (sent, rounds + 1, (TIMES - 1) * rounds)
    late = [newest - message.header.stamp.sec for newest, message in zip(newest_at_publish, poses, strict=True)]
    assert late == [TIMES] * rounds + [0]  # never more than what came during the work on the image itself
    gc.collect()
    assert sum(type(held) is Image for held in gc.get_objects()) < TIMES + 3, "images are kept somewhere"


@pytest.mark.parametrize("cameras", [1, 2])
def test_flood_is_accounted_for_to_the_last_image(graph: Any, loader: Any, picture: Any, cameras: int) -> None:
    names = ["left/", "right/"] if cameras == 2 else [""]
    node = graph.run(PoseNode, ["-p", "cameras:=left,right"] if cameras == 2 else [], load=loader)
    heard = [graph.listen(People, f"{name}poses", 1000) for name in names]
    publishers = [graph.camera(f"{name}image") for name in names]
    graph.until(lambda: all(p.get_subscription_count() for p in publishers))
    graph.until(lambda: all(s.get_publisher_count() for s in graph.node.subscriptions))
    graph.until(lambda: sees_publishers(node, cameras))
    (estimator,) = loader.estimators
    estimator.gate = ServiceTime(0.005)
    for number in range(1, 201):
        for publisher in publishers:
            publisher.publish(numbered(picture, number))
        graph.spin(0.005 / TIMES)

    def settled(stream: Any) -> bool:
        tally = stream.tally
        return bool(tally.received == tally.replaced + tally.processed)

    graph.until(lambda: all(poses and poses[-1].header.stamp.sec == 200 for poses in heard), "the last image's people")
    graph.until(lambda: all(settled(stream) for stream in node._streams))
    for stream, poses in zip(node._streams, heard, strict=True):
        stamps = [message.header.stamp.sec for message in poses]
        assert stamps == sorted(set(stamps)), "an image came out twice or out of order"
        assert stream.tally.processed == len(poses)
        assert stream.tally.failed == stream.tally.broken == 0


def test_counts_never_claim_more_images_than_came(graph: Any, loader: Any, picture: Any) -> None:
    """Also while they are counted, which happens in two threads."""
    node = graph.run(PoseNode, load=loader)
    graph.listen(People, "poses")
    camera = graph.camera()
    graph.send(camera)
    stream, wrong, ended = node._streams[0], [], threading.Event()

    def look() -> None:
        while not ended.is_set():
            tally = stream.tally
            if tally.received < tally.replaced + tally.processed:
                wrong.append(tally)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for number in range(1, 301):
            camera.publish(numbered(picture, number))
            graph.spin(5e-4)
    finally:
        ended.set()
        watcher.join()
    assert not wrong, wrong[0]
