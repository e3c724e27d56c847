"""/diagnostics: how the node and each of its cameras are, in words and numbers.

diagnostic_updater would do the sending, but its Python half is in no package index and there is little left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

from openpose_ros.adaptive import AdaptiveSize
from openpose_ros.machine import resident_mib
from openpose_ros.options import HealthOptions
from openpose_ros.ros.stream import Stream
from openpose_ros.ros.tally import Tally

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE
)  # fmt: skip

COUNTS = tuple(field.name for field in fields(Tally) if field.name not in ("seconds", "people"))


class Diagnostics:
    """Sends the statuses every now and then, in every state of the node.

    Args:
        node: sends them, on /diagnostics as everybody does.
        period: seconds between two messages; 0 sends none.
        statuses: asked each time, in the executor's thread.
    """

    def __init__(self, node: Node, period: float, statuses: Callable[[], list[DiagnosticStatus]]) -> None:
        self._node = node
        self._statuses = statuses
        self._timer: Timer | None = None
        if period > 0.0:
            self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
            self._timer = node.create_timer(period, self.send, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def send(self) -> None:
        """Send what is true now."""
        array = DiagnosticArray(status=self._statuses())
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


def status(name: str, level: bytes, message: str, values: Mapping[str, object], hardware: str = "") -> DiagnosticStatus:
    """One entry of /diagnostics; numbers with a fraction are told with three decimals."""
    return DiagnosticStatus(
        name=name,
        level=level,
        message=message,
        hardware_id=hardware,
        values=[
            KeyValue(key=key, value=f"{value:.3f}" if isinstance(value, float) else str(value))
            for key, value in values.items()
        ],
    )


def node_status(
    name: str,
    state: str,
    estimator: Estimator | None,
    input_size: str,
    limits: HealthOptions,
    sizing: AdaptiveSize | None = None,
    at_work: float = 0.0,
) -> DiagnosticStatus:
    """What runs, and in which state of its life the node is.

    Args:
        estimator: None while the node is not configured.
        input_size: that of the parameter.
        sizing: what chooses another one; None while nobody asks for that.
        at_work: seconds since the images were taken that it works on.
    """
    values: dict[str, object] = {"lifecycle state": state, "resident memory (MiB)": resident_mib()}
    if estimator is None:
        return status(name, OK, state, values)
    backend, card = estimator.backend, estimator.card
    values |= {
        "model": card.name,
        "backend": backend.name,
        "device": backend.device,
        "precision": backend.precision,
        "input size": input_size,
    }
    values |= estimator.about_gpu()
    level, message = OK, f"{state}: {card.name} on {backend.device}"
    if sizing is not None:
        cost = sizing.cost
        values["input size"] = sizing.size
        values["an image takes (s)"] = "not known yet" if cost is None else cost
        values["target_rate allows (s)"] = sizing.allowed
        if sizing.too_slow:
            level, message = WARN, f"target_rate is not kept: too much even for {sizing.size}, the smallest input size"
    if at_work > limits.stale_after:
        level, message = ERROR, f"at work on one image for {at_work:.1f} s: {backend.name} on {backend.device} hangs?"
    return status(name, level, message, values, backend.device)


def camera_status(name: str, stream: Stream, limits: HealthOptions, enabled: bool) -> DiagnosticStatus:
    """How one camera of an active node is."""
    tally = stream.tally
    before, passed = stream.window.look(tally)
    latencies = stream.window.latencies()
    lately = {key: getattr(tally, key) - getattr(before, key) for key in COUNTS}
    span = max(passed, 1e-9)
    rate_in, rate_out = lately["received"] / span, lately["processed"] / span
    work = (tally.seconds - before.seconds) / lately["processed"] if lately["processed"] else "none"
    values: dict[str, object] = {
        "topic": stream.camera.topic,
        "images in (1/s)": rate_in,
        "images processed (1/s)": rate_out,
        "latency, median (s)": latencies[0] if latencies else "none",
        "latency, 95th percentile (s)": latencies[1] if latencies else "none",
        "work on an image, mean (s)": work,
        "people in the last image": stream.people,
        **{key: getattr(tally, key) for key in COUNTS},
        "last trouble": stream.trouble or "none",
        "calibration": stream.camera.problem or ("known" if stream.camera.model else "not known"),
    }
    level, message = _judge(stream, limits, enabled, lately, latencies, rate_out, passed)
    return status(name, level, message, values, stream.camera.topic)


def _judge(
    stream: Stream,
    limits: HealthOptions,
    enabled: bool,
    lately: Mapping[str, int],
    latencies: tuple[float, float] | None,
    rate: float,
    passed: float,
) -> tuple[bytes, str]:
    """The worst that is true of a camera."""
    if not enabled:
        return OK, "switched off (set_enabled)"
    if not stream.camera.listening:
        return OK, "nobody listens"
    quiet = stream.camera.silence
    if quiet > limits.stale_after:
        return STALE, f"no image for {quiet:.1f} s"
    lost = {key: lately[key] for key in ("broken", "failed", "outdated") if lately[key]}
    told = ", ".join(f"{count} {key}" for key, count in lost.items())
    if lost and not lately["processed"]:
        return ERROR, f"no result any more: {told}; last: {stream.trouble}"
    high = latencies[1] if latencies else 0.0
    if 0.0 < limits.error_latency < high:
        hint = " (stamps of another clock: use_sim_time?)" if high > 3600.0 else ""
        return ERROR, f"latency {high:.2f} s is above error_latency, {limits.error_latency:g} s{hint}"
    if lost:
        return WARN, f"{told}; last: {stream.trouble}"
    if 0.0 < limits.warn_latency < high:
        return WARN, f"latency {high:.2f} s is above warn_latency, {limits.warn_latency:g} s"
    if rate < limits.warn_rate and passed > 1.0:
        return WARN, f"{rate:.1f} images/s processed, below warn_rate, {limits.warn_rate:g}"
    if stream.camera.problem:
        return WARN, f"calibration: {stream.camera.problem}"
    if lately["unpaired"]:
        return WARN, f"{lately['unpaired']} images without depth of their time or without calibration"
    return OK, f"{rate:.1f} images/s processed"
