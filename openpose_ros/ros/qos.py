"""Quality of service, and the events of publishers and subscriptions in every supported ROS 2."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

RELIABLE = ReliabilityPolicy.RELIABLE
BEST_EFFORT = ReliabilityPolicy.BEST_EFFORT

HAS_MATCHED_EVENTS = "matched" in inspect.signature(PublisherEventCallbacks).parameters
"""Not in Humble: whoever needs to know of listeners and publishers there has to look now and then."""

THROTTLE = 10.0
"""Seconds between two log lines about listeners that ask for too much."""


def results() -> QoSProfile:
    """For a publisher of small results. A new object each time, because rclpy writes overrides into it."""
    return QoSProfile(depth=10, reliability=RELIABLE)


def pictures() -> QoSProfile:
    """For a publisher of images."""
    return QoSProfile(depth=1, reliability=RELIABLE)


def camera() -> QoSProfile:
    """For a publisher that stands in for a camera: reliable, so that every subscription hears it."""
    return QoSProfile(depth=10, reliability=RELIABLE)


def latched() -> QoSProfile:
    """For a publisher of what never changes."""
    return QoSProfile(depth=1, reliability=RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def latest(reliability: ReliabilityPolicy, depth: int = 1) -> QoSProfile:
    """For a subscription to a camera: depth 1 where no image waits behind another."""
    return QoSProfile(depth=depth, reliability=reliability)


def overridable(*, reliability: bool = True) -> QoSOverridingOptions:
    """Lets parameters such as ``qos_overrides./poses.publisher.depth`` have the last word.

    Args:
        reliability: whether also over the reliability; not where the node itself chooses it.
    """
    kinds = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
    return QoSOverridingOptions([*kinds, QoSPolicyKind.RELIABILITY] if reliability else kinds)


def offered(node: Node, topic: str) -> set[ReliabilityPolicy]:
    """What the publishers of a topic offer."""
    return {publisher.qos_profile.reliability for publisher in node.get_publishers_info_by_topic(topic)}


def for_publisher(node: Node, topic: str, act: Callable[[], None]) -> Any:
    """``act`` is called when a subscription comes or goes (never in Humble); one that does not fit is logged."""
    full = node.resolve_topic_name(topic)

    def misfit(info: Any) -> None:
        policy = info.last_policy_kind.name.removeprefix("RMW_QOS_POLICY_").lower()
        node.get_logger().warning(
            f"a subscriber of {full} asks for more than is offered ({policy}) and hears nothing; let it ask for less, "
            f"or set qos_overrides.{full}.publisher.{policy} at the start of this node",
            throttle_duration_sec=THROTTLE,
        )

    matched = {"matched": lambda _: act()} if HAS_MATCHED_EVENTS else {}
    return PublisherEventCallbacks(incompatible_qos=misfit, **matched)


def for_subscription(act: Callable[[], None]) -> Any:
    """``act`` is called when a publisher comes or goes, or turns out not to fit."""
    matched = {"matched": lambda _: act()} if HAS_MATCHED_EVENTS else {}
    return SubscriptionEventCallbacks(incompatible_qos=lambda _: act(), **matched)
