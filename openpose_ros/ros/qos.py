"""Quality of service, and the events of publishers and subscriptions in every supported ROS 2."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

RELIABLE = ReliabilityPolicy.RELIABLE
BEST_EFFORT = ReliabilityPolicy.BEST_EFFORT

HAS_MATCHED_EVENTS = "matched" in inspect.signature(PublisherEventCallbacks).parameters
"""Not in Humble: whoever needs to know of listeners and publishers there has to look now and then."""

RESULTS = QoSProfile(depth=10, reliability=RELIABLE)
PICTURES = QoSProfile(depth=1, reliability=RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def images(reliability: ReliabilityPolicy) -> QoSProfile:
    """For a subscription to a camera: depth 1, because no image waits behind another."""
    return QoSProfile(depth=1, reliability=reliability)


def offered(node: Node, topic: str) -> set[ReliabilityPolicy]:
    """What the publishers of a topic offer."""
    return {publisher.qos_profile.reliability for publisher in node.get_publishers_info_by_topic(topic)}


def when_listeners_change(act: Callable[[], None]) -> Any:
    """For a publisher: ``act`` is called when a subscription comes or goes (never in Humble)."""
    return PublisherEventCallbacks(matched=lambda _: act()) if HAS_MATCHED_EVENTS else PublisherEventCallbacks()


def when_publishers_change(act: Callable[[], None]) -> Any:
    """For a subscription: ``act`` is called when a publisher comes or goes, or turns out not to fit."""
    matched = {"matched": lambda _: act()} if HAS_MATCHED_EVENTS else {}
    return SubscriptionEventCallbacks(incompatible_qos=lambda _: act(), **matched)
