"""A subscription that is there only while it is needed, and as reliable as its publishers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription

from openpose_ros.ros import qos

PATIENCE = 3.0
"""Seconds without a message after which the log says so."""

REMINDER = 10.0
"""Seconds between two such lines."""


class AdaptiveSubscription:
    """Listens to one topic of a camera. All methods are for the executor's thread.

    Args:
        node: makes the subscription.
        kind: message type.
        topic: full name.
        what: what the log calls the messages, such as ``images``.
        reliability: ``auto``, ``reliable`` or ``best_effort``.
        receive: gets every message.
        hint: what to change when the topic carries another type.
        queue: messages that may wait for the executor.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        topic: str,
        what: str,
        reliability: str,
        receive: Callable[[Any], None],
        hint: str = "",
        queue: int = 1,
    ) -> None:
        self.topic = topic
        self._node = node
        self._type = kind
        self._what = what
        self._hint = hint
        self._queue = queue
        self._wish = reliability
        self._deliver = receive
        self._subscription: Subscription | None = None
        self._asked: ReliabilityPolicy | None = None
        self._needed = False
        self._heard = 0.0
        self._remind_at = 0.0

    @property
    def listening(self) -> bool:
        """Whether there is a subscription now."""
        return self._subscription is not None

    @property
    def silence(self) -> float:
        """Seconds since the last message, or since it listens."""
        return time.monotonic() - self._heard

    def need(self, needed: bool) -> None:
        """Subscribe, or let go."""
        self._needed = needed
        self.refresh()

    def refresh(self) -> None:
        """Look at the publishers again and subscribe anew if another reliability suits them better."""
        asked = self._suitable() if self._needed else None
        if asked == self._asked:
            return
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
        self._asked = asked
        if asked is None:
            return
        self._heard = time.monotonic()
        self._remind_at = self._heard + PATIENCE
        # Deserialised by rclpy. A raw subscription that leaves this to the worker, for the images it takes, was
        # slower: at 30 Hz 1.3 ms of CPU per image against 3.0 (640x480), 1.8 against 6.1 (1280x720), and 1.4 against
        # 2.6, 2.7 against 4.4 when the worker takes one image of three.
        self._subscription = self._node.create_subscription(
            self._type,
            self.topic,
            self._receive,
            qos.latest(asked, self._queue),
            event_callbacks=qos.for_subscription(self._publishers_changed),
            qos_overriding_options=qos.overridable(reliability=False),
        )

    def remind(self) -> None:
        """Say in the log, every now and then, that nothing comes, and why that may be."""
        if self._subscription is not None and time.monotonic() > self._remind_at:
            self._node.get_logger().warning(f"waiting for {self._what} on {self.topic}: {self._why()}")
            self._remind_at = time.monotonic() + REMINDER

    def _receive(self, message: Any) -> None:
        self._heard = time.monotonic()
        self._remind_at = self._heard + PATIENCE
        self._deliver(message)

    def _publishers_changed(self) -> None:
        self.refresh()
        if self._wish == "reliable" and qos.BEST_EFFORT in qos.offered(self._node, self.topic):
            self._node.get_logger().warning(
                f"a publisher of {self.topic} offers best effort only and is not heard; set the parameter qos to auto "
                "or best_effort",
                once=True,
            )

    def _suitable(self) -> ReliabilityPolicy:
        """Reliable loses nothing, but hears no publisher that offers less."""
        if self._wish != "auto":
            return qos.RELIABLE if self._wish == "reliable" else qos.BEST_EFFORT
        offers = qos.offered(self._node, self.topic)
        if not offers:
            return self._asked or qos.RELIABLE
        return qos.RELIABLE if offers == {qos.RELIABLE} else qos.BEST_EFFORT

    def _why(self) -> str:
        own = f"{self._type.__module__.split('.')[0]}/msg/{self._type.__name__}"
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        others = sorted({p.topic_type for p in publishers} - {own})
        if others:
            return f"it carries {', '.join(others)}; expected {own}{self._hint}"
        if publishers:
            return f"it has {len(publishers)} publisher(s), but nothing came"
        there = [name for name, types in self._node.get_topic_names_and_types() if own in types and self._foreign(name)]
        return f"nobody publishes it; there is {', '.join(there)} (remap it)" if there else "nobody publishes it"

    def _foreign(self, topic: str) -> bool:
        """Whether somebody but this node publishes a topic."""
        me = (self._node.get_name(), self._node.get_namespace())
        return any((p.node_name, p.node_namespace) != me for p in self._node.get_publishers_info_by_topic(topic))
