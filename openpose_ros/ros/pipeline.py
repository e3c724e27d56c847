"""The way of an image: mailbox -> read -> estimator -> publish, in a thread of its own.

While the network looks at an image, the people of the one before are found and published; an image is taken from the
mailbox only when the network is free for it, so that it is the newest there is. With the parameter ``in_flight`` at 1
the network waits for the publishing, too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rclpy.node import Node
from std_msgs.msg import Header

from openpose_ros.adaptive import AdaptiveSize
from openpose_ros.backends import at_once
from openpose_ros.options import AdaptiveOptions
from openpose_ros.preprocess import Image
from openpose_ros.ros import loading
from openpose_ros.ros.camera import Message
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.stream import Stream

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator, Job


REMINDER = 10.0
"""Seconds between two log lines about an image that takes too long."""


class Whole(NamedTuple):
    """An image that could be read."""

    stream: Stream
    header: Header
    image: Image


class Batch(NamedTuple):
    """Images of different cameras that are in the network, or were, and when the work on them began."""

    images: list[Whole]
    job: Job
    began: float


class Pipeline:
    """Takes the newest image of each camera in turn, finds its people, publishes them; then what is the newest by now.

    Args:
        node: whose end is no error, and for its log.
        mailbox: where the cameras leave their images; closed together with this.
        estimator: images -> people; used by this thread alone.
        streams: the cameras, in the order of the mailbox's slots.

    Attributes:
        sizing: what chooses the size of the network's input; None while nobody asks for that.
    """

    def __init__(self, node: Node, mailbox: Mailbox[Message], estimator: Estimator, streams: Sequence[Stream]) -> None:
        self.sizing: AdaptiveSize | None = None
        self._adaptive = AdaptiveOptions()
        self._busy = 0.0
        self._turn: float | None = None
        self._node = node
        self._mailbox = mailbox
        self._estimator = estimator
        self._streams = streams
        self._thread = threading.Thread(target=self._work, name="pose_node worker")
        self._thread.start()

    @property
    def at_work(self) -> float:
        """Seconds since it took the images that it works on; 0 while it waits for some. For any thread."""
        turn = self._turn
        return 0.0 if turn is None else time.monotonic() - turn

    def remind(self, limit: float) -> None:
        """Say in the log, every now and then, that it works on one image for more than so many seconds."""
        if (at_work := self.at_work) > limit:
            self._node.get_logger().warning(f"at work on one image for {at_work:.0f} s", throttle_duration_sec=REMINDER)

    def close(self, patience: Callable[[], float]) -> bool:
        """End after the images in progress; False if they take more than so many seconds, and are not waited for.

        Args:
            patience: asked again and again, since who is in no hurry now may be asked to hurry.
        """
        self._mailbox.close()
        began = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - began <= patience():
            self._thread.join(loading.LOOK)
        if not self._thread.is_alive():
            return True
        self._node.get_logger().error(f"ended without the image that it was at work on for {self.at_work:.0f} s")
        return False

    def _work(self) -> None:
        seen: Batch | None = None  # by the network; nobody has heard of it yet
        while (taken := self._mailbox.take(self._most(), wait=seen is None)) or seen:
            began, self._turn = time.perf_counter(), time.monotonic()
            begun = self._begin(taken, began) if taken else None
            if seen is not None:
                self._finish(seen)
            if begun is not None:
                begun.job.wait()
            seen = begun
            if seen is not None and self._streams[0].settings.node.in_flight == 1:
                self._finish(seen)
                seen = None
            self._adapt(begun, time.perf_counter() - began)
            self._turn = None

    def _most(self) -> int:
        """Images that go through the network together."""
        asked = self._streams[0].settings.node.max_batch
        backend = self._estimator.backend
        on_gpu = backend.device.startswith("cuda")
        return asked or (len(self._streams) if on_gpu else min(len(self._streams), at_once(backend)))

    def _begin(self, taken: list[tuple[int, Message]], began: float) -> Batch | None:
        """Let the network look at images of different cameras; None if none of them can be read."""
        whole = []
        for number, message in taken:
            stream = self._streams[number]
            image = self._read(stream, message)
            if image is not None:
                whole.append(Whole(stream, message.header, image))
        if not whole:
            return None
        try:
            self._choose_size()
            return Batch(whole, self._estimator.submit([image for _, _, image in whole]), began)
        except Exception as error:
            self._fail([stream for stream, _, _ in whole], error)
            return None

    def _finish(self, batch: Batch) -> None:
        """Publish what the network saw. Nothing leaves this but results."""
        try:
            results = list(zip(batch.images, batch.job.result(), strict=True))
        except Exception as error:
            self._fail([stream for stream, _, _ in batch.images], error)
            return
        for (stream, header, image), people in results:
            try:
                stream.publish(header, image, people, batch.began)
            except Exception as error:
                self._fail([stream], error)

    def _read(self, stream: Stream, message: Message) -> Image | None:
        try:
            return stream.read(message)
        except Exception as error:  # such as no memory for the picture
            self._fail([stream], error)
            return None

    def _fail(self, streams: Sequence[Stream], error: Exception) -> None:
        if self._node.context.ok():  # else the node is ending, and that is what went wrong
            for stream in streams:
                stream.fail(error)

    def _choose_size(self) -> None:
        """Let the next image have the size that the options ask for, or that there is time for."""
        settings = self._streams[0].settings
        if settings.adaptive != self._adaptive:
            self._adaptive = settings.adaptive
            rate = self._adaptive.target_rate * len(self._streams)
            self.sizing = AdaptiveSize(self._adaptive.sizes(), rate) if rate else None
        size = settings.inputs.input_size if self.sizing is None else self.sizing.size
        self._estimator.inputs = replace(settings.inputs, input_size=size)

    def _adapt(self, batch: Batch | None, seconds: float) -> None:
        """Tell what chooses the size how long the work took, the waiting for images left out."""
        self._busy += seconds
        if batch is None:  # only results were published; they belong to the cost of images like the next
            return
        cost, self._busy = self._busy / len(batch.images), 0.0
        change = None if self.sizing is None else self.sizing.took(cost, time.monotonic())
        if change is not None:
            self._node.get_logger().info(
                f"input size {change.before} -> {change.after}: an image took {1e3 * change.cost:.0f} ms, "
                f"target_rate {self._adaptive.target_rate:g} allows {1e3 * change.allowed:.0f} ms"
            )
