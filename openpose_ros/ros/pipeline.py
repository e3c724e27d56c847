"""The way of an image: mailbox -> read -> estimator -> publish, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.node import Node

from openpose_ros.preprocess import Image
from openpose_ros.ros.camera import Message
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.stream import Stream

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator


class Pipeline:
    """Takes the newest image of each camera in turn, finds its people, publishes them; then what is the newest by now.

    Args:
        node: whose end is no error.
        mailbox: where the cameras leave their images; closed together with this.
        estimator: images -> people; used by this thread alone.
        streams: the cameras, in the order of the mailbox's slots.
    """

    def __init__(self, node: Node, mailbox: Mailbox[Message], estimator: Estimator, streams: Sequence[Stream]) -> None:
        self._node = node
        self._mailbox = mailbox
        self._estimator = estimator
        self._streams = streams
        self._thread = threading.Thread(target=self._work, name="pose_node worker")
        self._thread.start()

    def close(self) -> None:
        """End after the images in progress."""
        self._mailbox.close()
        self._thread.join()

    def _work(self) -> None:
        while taken := self._mailbox.take(self._most()):
            self._serve([(self._streams[number], message) for number, message in taken])

    def _most(self) -> int:
        """Images that go through the network together."""
        asked = self._streams[0].settings.node.max_batch
        on_gpu = self._estimator.backend.device.startswith("cuda")
        return asked or (len(self._streams) if on_gpu else 1)

    def _serve(self, taken: list[tuple[Stream, Message]]) -> None:
        """Images of different cameras, from the message to the published result. Nothing leaves this but results."""
        began = time.perf_counter()
        read = [(stream, message.header, self._read(stream, message)) for stream, message in taken]
        whole = [(stream, header, image) for stream, header, image in read if image is not None]
        if not whole:
            return
        try:
            found = self._estimator.submit([image for _, _, image in whole]).result()
            results = list(zip(whole, found, strict=True))
        except Exception as error:
            for stream, _, _ in whole:
                self._fail(stream, error)
            return
        for (stream, header, image), people in results:
            try:
                stream.publish(header, image, people, began)
            except Exception as error:
                self._fail(stream, error)

    def _read(self, stream: Stream, message: Message) -> Image | None:
        try:
            return stream.read(message)
        except Exception as error:  # such as no memory for the picture
            self._fail(stream, error)
            return None

    def _fail(self, stream: Stream, error: Exception) -> None:
        if self._node.context.ok():  # else the node is ending, and that is what went wrong
            stream.fail(error)
