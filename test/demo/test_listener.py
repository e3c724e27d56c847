"""What the demo hears is paired by stamp."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs the messages: make build")

from openpose_msgs.msg import People
from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.ros import demo_listener
from openpose_ros.ros.demo_listener import digest


def stamped(kind: type, seconds: int) -> object:
    message = kind()
    message.header.stamp.sec = seconds
    return message


def test_a_frame_is_told_once_all_three_messages_are_there() -> None:
    inbox = demo_listener._Inbox()
    inbox.at(stamped(ImageMessage, 1)).digest = "a"
    inbox.at(stamped(ImageMessage, 2)).digest = "b"
    inbox.at(stamped(People, 2)).people = 3
    assert inbox.take() == []
    inbox.at(stamped(ImageMessage, 2)).picture = np.zeros((1, 1, 3), np.uint8)
    (sighting,) = inbox.take()
    assert (sighting.digest, sighting.people) == ("b", 3)
    assert inbox.take() == []


def test_frames_that_lost_a_message_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_listener, "KEPT", 4)
    inbox = demo_listener._Inbox()
    for second in range(100):
        inbox.at(stamped(People, second)).people = 1
    assert len(inbox.frames) <= 5
    assert max(inbox.frames) == 99 * 1_000_000_000


def test_the_digest_tells_pictures_apart_by_pixels_and_shape() -> None:
    one = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert digest(one) == digest(one.copy())
    assert digest(one) == digest(np.ascontiguousarray(one[:, ::-1])[:, ::-1])
    assert digest(one) != digest(one.reshape(4, 2, 3))
    assert digest(one) != digest(one + 1)
