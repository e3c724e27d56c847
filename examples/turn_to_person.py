#!/usr/bin/env python3
"""Turns a robot towards the nearest person: poses in, cmd_vel out.

python3 turn_to_person.py --ros-args -p gain:=1.0 -r cmd_vel:=/base/cmd_vel

The camera looks forwards and upright. Safety comes first: the robot turns on the spot and never drives, never faster
than max_speed, and it stands still when nobody was seen for the time `timeout`, and when this program ends.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterable

import rclpy
from geometry_msgs.msg import Twist
from openpose_msgs.msg import Coco18, Keypoint, People, Person
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time

TORSO = (Coco18.NECK, Coco18.RIGHT_SHOULDER, Coco18.LEFT_SHOULDER, Coco18.RIGHT_HIP, Coco18.LEFT_HIP)
PERIOD = 0.05  # seconds between two commands


def found(joints: Iterable[Keypoint]) -> list[Keypoint]:
    """Those of some joints that were found in the image."""
    return [k for k in joints if k.state != Keypoint.UNKNOWN and math.isfinite(k.x + k.y)]


def known(person: Person) -> list[Keypoint]:
    """The joints of the torso that were found; if there are none, all that were."""
    return found(person.keypoints[joint] for joint in TORSO) or found(person.keypoints)


def place(person: Person) -> tuple[float, float] | None:
    """Metres to the right and forwards, the mean of the known joints that have a place; None if there is none."""
    placed = [k.position for k in known(person) if math.isfinite(k.position.x + k.position.y + k.position.z)]
    if not placed:
        return None
    return sum(p.x for p in placed) / len(placed), sum(p.z for p in placed) / len(placed)


def height(person: Person) -> float:
    """Pixels from the uppermost joint to the lowest."""
    rows = [k.y for k in found(person.keypoints)]
    return float(max(rows) - min(rows))


def nearest(people: Iterable[Person]) -> Person | None:
    """By distance; those without one come after the others, the largest in the image first."""
    seen = [person for person in people if known(person)]
    return min(seen, key=lambda p: (math.hypot(*(place(p) or (math.inf, 0.0))), -height(p)), default=None)


def bearing(person: Person, width: int, field_of_view: float) -> float:
    """Radians by which a person is to the left of the camera's axis.

    Args:
        width: of the image, in pixels.
        field_of_view: horizontal, in radians; counts only for a person without a place in space.
    """
    where = place(person)
    if where is not None:
        return math.atan2(-where[0], where[1])
    joints = known(person)
    x = sum(k.x for k in joints) / len(joints)
    # Pixel centres are at whole numbers, so that the image spans -0.5 to width - 0.5.
    return math.atan((1.0 - (2.0 * x + 1.0) / width) * math.tan(field_of_view / 2.0))


class TurnToPerson(Node):
    """Chooses a person, stays with that id, and turns there."""

    def __init__(self) -> None:
        super().__init__("turn_to_person")
        self.gain = self.setting("gain", 1.0, 10.0, "turn at so many rad/s for each rad that the person is off")
        self.max_speed = self.setting("max_speed", 0.5, 3.0, "never turn faster, rad/s")
        self.timeout = self.setting("timeout", 0.5, 5.0, "stand still when nobody was seen for so many seconds")
        degrees = self.setting("field_of_view", 60.0, 179.0, "of the camera, horizontal, in degrees")
        self.field_of_view = math.radians(degrees)
        self.person = -1
        self.error = 0.0
        self.seen = -math.inf
        self.commands = self.create_publisher(Twist, "cmd_vel", 1)
        # Only the newest counts, and a lost message is not worth waiting for. Best effort hears every publisher.
        latest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(People, "poses", self.look, latest)
        # By a clock that neither jumps nor stops: a simulator that hangs must not keep the robot turning.
        self.create_timer(PERIOD, self.command, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def setting(self, name: str, default: float, most: float, about: str) -> float:
        """The value of a parameter from 0 to `most`; rclpy refuses any other."""
        allowed = [FloatingPointRange(from_value=0.0, to_value=most)]
        return self.declare_parameter(
            name, default, ParameterDescriptor(description=about, floating_point_range=allowed)
        ).value

    def look(self, message: People) -> None:
        """Remember where the person is that the robot turns to."""
        if message.skeleton != "COCO-18":
            self.get_logger().error(f"cannot read people of {message.skeleton}; expected COCO-18", once=True)
            return
        age = (self.get_clock().now() - Time.from_msg(message.header.stamp)).nanoseconds * 1e-9
        if abs(age) > self.timeout:
            text = f"left out people seen {age:.2f} s ago; is the computer too slow, or do clocks differ?"
            self.get_logger().warning(text, throttle_duration_sec=5.0)
            return
        lost = self.person < 0 or time.monotonic() - self.seen > self.timeout
        mine = [person for person in message.people if person.id == self.person and known(person)]
        chosen = nearest(message.people if lost else mine)
        if chosen is not None:
            self.person, self.seen = chosen.id, time.monotonic()
            self.error = bearing(chosen, message.image_width, self.field_of_view)

    def command(self) -> None:
        """Turn, or stand still."""
        twist = Twist()
        if time.monotonic() - self.seen <= self.timeout:
            twist.angular.z = max(-self.max_speed, min(self.max_speed, self.gain * self.error))
        self.commands.publish(twist)

    def halt(self) -> None:
        """Stand still, and wait until the robot has heard it."""
        self.commands.publish(Twist())
        self.commands.wait_for_all_acked(Duration(seconds=1.0))


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    # rclpy's own handlers would take the publisher away before the robot is told to stand still.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    node = TurnToPerson()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.halt()
        node.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    main()
