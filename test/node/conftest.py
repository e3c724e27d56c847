"""A node under test and a tester, each with a context and an executor of its own: they meet over real DDS."""

from __future__ import annotations

import array
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openpose_ros.card import Card
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18

PATIENCE = 15.0
"""Seconds until a test gives up on something that normally takes a fraction of one."""


@pytest.fixture(scope="session", autouse=True)
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A ROS domain of this test session's own, on this machine only."""
    try:
        import openpose_msgs.msg  # noqa: F401
        import rclpy  # noqa: F401
    except ImportError as error:
        pytest.skip(f"needs ROS 2 and the built openpose_msgs: {error}")
    if os.environ.get("ROS_DISTRO") != "humble":
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    # Nodes of one process as if they were of two: Fast DDS's short cut between them loses endpoints now and then.
    profile = (Path(__file__).resolve().parents[2] / "config" / "fastdds.xml").read_text()
    apart = "<library_settings><intraprocess_delivery>OFF</intraprocess_delivery></library_settings>"
    file = tmp_path_factory.mktemp("fastdds") / "profile.xml"
    file.write_text(profile.replace("<transport_descriptors>", f"{apart}<transport_descriptors>", 1))
    for variable in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        os.environ[variable] = str(file)
    try:
        from domain_coordinator import domain_id
    except ImportError:
        os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
        yield
        return
    with domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        yield


class FakeEstimator:
    """One person for every image, its nose at the value of the upper left pixel (blue, green); none if that is black.

    Attributes:
        gate: while it is closed, images wait in here.
        failure: raised instead of a result.
        seen: the upper left pixel of every image.
        batches: how many images came together.
        whole: whether the person has all its joints, and not its nose alone.
    """

    def __init__(self, inputs: InputOptions, decode: DecodeOptions, card: Card) -> None:
        self.inputs = inputs
        self.decode = decode
        self.card = card
        self.skeleton = card.skeleton
        self.backend = type("Backend", (), {"name": "fake", "device": "cpu", "precision": "float32"})
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.seen: list[list[int]] = []
        self.batches: list[int] = []
        self.whole = False
        self.closed = False
        self._network = ThreadPoolExecutor(1)

    def submit(self, images: Any) -> Any:
        self.batches.append(len(images))
        answer = self._network.submit(lambda: [self._people(image) for image in images])
        return SimpleNamespace(wait=lambda: wait([answer]), result=answer.result)

    def about_gpu(self) -> dict[str, int | str]:
        return {"GPU memory (MiB)": 71}

    def _people(self, image: Any) -> People:
        corner = image[0, 0].tolist()
        self.seen.append(corner)
        assert self.gate.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        size = image.shape[:2]
        if not any(corner):
            return People.empty(self.skeleton, size)
        xy = np.full((1, len(self.skeleton.joints), 2), np.nan)
        xy[0, 0] = corner[:2]
        if self.whole:
            xy[0] = corner[:2] + 10.0 * np.random.default_rng(0).normal(size=xy.shape[1:])
        return People.from_arrays(self.skeleton, xy, size, person_score=[0.5])

    def close(self) -> None:
        self._network.shutdown()
        self.closed = True


class Loader:
    """Stands in for the loading of the network, and remembers what it was asked for.

    Attributes:
        failure: raised instead of loading.
        whole: of the estimators.
        calls: the arguments of every call.
        estimators: what was loaded.
    """

    def __init__(self) -> None:
        self.card = Card("fake", {"type": "fake"}, COCO_18, min_person_score=0.25)
        self.failure: Exception | None = None
        self.whole = False
        self.calls: list[tuple[str, BackendOptions]] = []
        self.estimators: list[FakeEstimator] = []

    def __call__(
        self, model: str, backend: BackendOptions, inputs: InputOptions, decode: DecodeOptions
    ) -> FakeEstimator:
        self.calls.append((model, backend))
        if self.failure is not None:
            raise self.failure
        self.estimators.append(FakeEstimator(inputs, decode, replace(self.card)))
        self.estimators[-1].whole = self.whole
        return self.estimators[-1]


def picture(corner: tuple[int, int, int], sec: int = 1, frame_id: str = "camera") -> Any:
    """A bgr8 message of 8x6 pixels, all of them of one colour."""
    from sensor_msgs.msg import Image

    message = Image(encoding="bgr8", width=8, height=6, step=24)
    message.header.frame_id = frame_id
    message.header.stamp.sec = sec
    message.data = array.array("B", bytes(corner) * 48)
    return message


class Log:
    """What this process writes to its standard error: the logs of its nodes. Told to pytest at the end.

    Reading takes nothing away: pytest's ``capfd`` empties its file after it read it, and a line that another thread
    writes between the two is lost.
    """

    def __init__(self) -> None:
        self._file, path = tempfile.mkstemp()
        os.unlink(path)
        self._before: int | None = None

    @property
    def text(self) -> str:
        return os.pread(self._file, 1 << 24, 0).decode()

    def begin(self) -> None:
        """Within the test itself: pytest turns standard error to a file of its own after the fixtures were made."""
        if self._before is None:
            self._before = os.dup(2)
            os.dup2(self._file, 2)

    def end(self) -> None:
        if self._before is not None:
            os.dup2(self._before, 2)
            os.close(self._before)
            sys.stderr.write(self.text)
        os.close(self._file)


class Graph:
    """The tester's node, and the nodes that it starts; ``close`` ends all of them."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.log = Log()
        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("tester", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._closing: list[Callable[[], None]] = []
        self._node: Any = None
        self._caller: Any = None

    def run(self, make: Callable[..., Any], arguments: list[str] | None = None, **more: Any) -> Any:
        """A node, started, in a context and a thread of its own; ``arguments`` are those after --ros-args."""
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.log.begin()
        context = rclpy.Context()
        rclpy.init(context=context, args=[])
        self._closing.append(context.try_shutdown)
        node = make(context=context, cli_args=["--ros-args", *(arguments or [])], use_global_arguments=False, **more)
        self._node, self._caller = node, rclpy.create_node("caller", context=context)
        ended = threading.Event()
        started: Future[None] = Future()

        def work() -> None:
            executor = SingleThreadedExecutor(context=context)
            executor.add_node(node)
            try:
                started.set_result(node.start())
            except Exception as error:
                started.set_exception(error)
            while not (ended.is_set() or node.finished):
                executor.spin_once(timeout_sec=0.05)
            node.stop()
            executor.shutdown()

        def close() -> None:
            ended.set()
            thread.join()
            self._caller.destroy_node()
            node.destroy_node()

        thread = threading.Thread(target=work)
        thread.start()
        self._closing.append(close)
        started.result(PATIENCE)
        return node

    def listen(self, kind: Any, topic: str, qos: Any = 10) -> list[Any]:
        """The messages of a topic, as they come."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def camera(self, topic: str = "image", kind: Any = None, qos: Any = 1) -> Any:
        """A publisher of images."""
        from sensor_msgs.msg import Image

        return self.node.create_publisher(kind or Image, topic, qos)

    def send(self, camera: Any, *messages: Any) -> None:
        """Publish, once everybody who is to hear of it is matched on both sides: else the first message may be lost."""
        self.until(lambda: self._matched(camera), f"a subscription to {camera.topic_name} and publishers of results")
        for message in messages:
            camera.publish(message)

    def _matched(self, camera: Any) -> bool:
        import rclpy.subscription

        topic = camera.topic_name
        if not hasattr(rclpy.subscription.Subscription, "get_publisher_count"):  # Humble
            return bool(camera.get_subscription_count() == 1)
        cameras = sum(publisher.topic_name == topic for publisher in self.node.publishers)
        listened = {subscription.topic_name for subscription in self.node.subscriptions}
        try:
            heard = [s.get_publisher_count() for s in list(self._node.subscriptions) if s.topic_name == topic]
            told = all(p.get_subscription_count() for p in list(self._node.publishers) if p.topic_name in listened)
        except RuntimeError:  # the node subscribes anew just now
            return False
        answers = all(subscription.get_publisher_count() for subscription in self.node.subscriptions)
        return heard == [cameras] and camera.get_subscription_count() == 1 and answers and told

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Spin until something holds; fails when it never does."""
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < end, f"waited in vain{': ' if what else ''}{what}"
            self._executor.spin_once(timeout_sec=0.02)
        return value

    def spin(self, seconds: float) -> None:
        """Give something that must not happen the time to happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """The answer of one of the node's services."""
        from rclpy.executors import SingleThreadedExecutor

        # From within the node's own participant: a server that has not discovered a client of another one yet loses
        # its request or the answer, and the client cannot see that.
        client = self._caller.create_client(kind, service)
        executor = SingleThreadedExecutor(context=self._caller.context)
        executor.add_node(self._caller)
        try:
            assert client.wait_for_service(PATIENCE), f"no service {service}"
            future = client.call_async(request)
            executor.spin_until_future_complete(future, PATIENCE)
            assert future.done(), f"no answer from {service}"
            return future.result()
        finally:
            executor.shutdown()
            self._caller.destroy_client(client)

    def close(self) -> None:
        for close in reversed(self._closing):
            close()
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        self.log.end()


@pytest.fixture
def graph(domain: None) -> Iterator[Graph]:
    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture
def log(graph: Graph) -> Log:
    return graph.log


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture(name="picture")
def _picture() -> Callable[..., Any]:
    return picture
