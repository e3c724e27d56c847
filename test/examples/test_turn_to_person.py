"""examples/turn_to_person: whom the robot turns to, how fast, and that it stands still when it should.

The same scenarios are played to the Python and to the C++ example. The latter is compiled against a stand-in for
rclcpp, and against the real one where there is one.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from geometry_msgs.msg import Point32, Twist
from openpose_msgs.msg import Coco18, Keypoint, People, Person

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STAND_IN = Path(__file__).parent / "stand_in"
PATIENCE = 20.0
TIMEOUT = 0.2
"""Seconds, in the scenarios."""

NAN = math.nan
Joint = tuple[int, float, float, float, float, float]
"""Index, x and y in the image, and the place in space."""

NOSE, NECK, HIP = int(Coco18.NOSE), int(Coco18.NECK), int(Coco18.LEFT_HIP)


def there(identity: int, *joints: Joint) -> str:
    """A person in the next message."""
    values = " ".join(str(value) for joint in joints for value in joint)
    return f"person {identity} {len(joints)} {values}"


def flat(joint: int, x: float, y: float = 0.0) -> Joint:
    """A joint without depth."""
    return (joint, x, y, NAN, NAN, NAN)


def to_the_left(x: float) -> float:
    """Radians, for a column of an image of 640 pixels that shows 60 degrees."""
    return math.atan((1.0 - (2.0 * x + 1.0) / 640) * math.tan(math.radians(30.0)))


LOOK = "look 0.01"
SCENARIOS: dict[str, tuple[list[str], list[float]]] = {
    "it stands still before anybody was seen and while nobody is there": (["command", LOOK, "command"], [0.0, 0.0]),
    "it turns left to somebody on the left and right to somebody on the right": (
        [there(1, flat(NECK, 100.0)), LOOK, "command", there(1, flat(NECK, 600.0)), LOOK, "command"],
        [to_the_left(100.0), to_the_left(600.0)],
    ),
    "it stands still before somebody in the middle": ([there(1, flat(NECK, 319.5)), LOOK, "command"], [0.0]),
    "it never turns faster than max_speed": (
        [
            there(1, (NECK, 0.0, 0.0, -2.0, 0.0, 0.1)), LOOK, "command",
            there(1, (NECK, 0.0, 0.0, 2.0, 0.0, 0.1)), LOOK, "command",
        ],
        [0.5, -0.5],
    ),
    "the nearest in space is chosen although another one is larger": (
        [
            there(1, (NECK, 100.0, 0.0, -0.5, 0.0, 4.0), flat(HIP, 100.0, 400.0)),
            there(2, (NECK, 500.0, 0.0, 0.5, 0.0, 3.0), flat(HIP, 500.0, 90.0)),
            LOOK, "command",
        ],
        [-math.atan2(0.5, 3.0)],
    ),
    "without depth the largest is chosen": (
        [
            there(1, flat(NECK, 100.0), flat(HIP, 100.0, 90.0)),
            there(2, flat(NECK, 500.0), flat(HIP, 500.0, 400.0)),
            LOOK, "command",
        ],
        [to_the_left(500.0)],
    ),
    "the place is the mean of the torso and not of a hand that is stretched out": (
        [there(1, (NOSE, 0.0, 0.0, 1.0, 0.0, 1.0), (NECK, 9.0, 0.0, -0.2, 0.0, 2.0), (HIP, 9.0, 9.0, -0.4, 0.0, 2.0)),
         LOOK, "command"],
        [math.atan2(0.3, 2.0)],
    ),
    "joints beside the torso count where nothing else is seen": (
        [there(1, flat(NOSE, 200.0)), LOOK, "command"], [to_the_left(200.0)],
    ),
    "somebody who comes nearer does not take over": (
        [
            there(1, flat(NECK, 100.0), flat(HIP, 100.0, 90.0)), LOOK, "command",
            there(2, flat(NECK, 500.0), flat(HIP, 500.0, 400.0)), there(1, flat(NECK, 120.0)), LOOK, "command",
        ],
        [to_the_left(100.0), to_the_left(120.0)],
    ),
    "the next one is chosen only when the person is gone for the timeout": (
        [
            there(1, flat(NECK, 100.0)), LOOK, there(2, flat(NECK, 500.0)), LOOK, "command",
            f"sleep {TIMEOUT + 0.1}", "command", there(2, flat(NECK, 500.0)), LOOK, "command",
        ],
        [to_the_left(100.0), 0.0, to_the_left(500.0)],
    ),
    "people without ids are chosen anew each time": (
        [there(-1, flat(NECK, 100.0)), LOOK, there(-1, flat(NECK, 500.0)), LOOK, "command"], [to_the_left(500.0)],
    ),
    "old images and those from the future move nothing": (
        [there(1, flat(NECK, 100.0)), "look 5", "command", there(1, flat(NECK, 100.0)), "look -5", "command"],
        [0.0, 0.0],
    ),
    "somebody without a single joint is nobody": ([there(1), there(2, flat(NECK, 500.0)), LOOK, "command"],
                                                  [to_the_left(500.0)]),
    "a joint at no place in the image is none": ([there(1, flat(NECK, NAN)), LOOK, "command"], [0.0]),
}  # fmt: skip


def person(words: list[str]) -> Person:
    """From the words of :func:`there`."""
    found = Person(id=int(words[0]), keypoints=[Keypoint() for _ in range(18)])
    for first in range(2, len(words), 6):
        x, y, right, down, forwards = map(float, words[first + 1 : first + 6])
        found.keypoints[int(words[first])] = Keypoint(
            x=x, y=y, state=Keypoint.SEEN, position=Point32(x=right, y=down, z=forwards)
        )
    return found


def message(people: list[Person], age: float) -> People:
    """With an image taken so many seconds ago."""
    seconds, fraction = divmod(time.time() - age, 1.0)
    whole = People(skeleton="COCO-18", image_width=640, image_height=480, people=people)
    whole.header.stamp.sec, whole.header.stamp.nanosec = int(seconds), int(1e9 * fraction)
    return whole


@pytest.fixture
def in_python(domain: int) -> Iterator[Callable[[list[str]], list[float]]]:
    """Plays a scenario to the Python example's node, without DDS."""
    spec = spec_from_file_location("turn_to_person", EXAMPLES / "turn_to_person.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    rclpy.init(args=["--ros-args", "-p", f"timeout:={TIMEOUT}"], domain_id=domain)
    node = module.TurnToPerson()
    sent: list[Twist] = []
    publisher, node.commands = node.commands, type("Commands", (), {"publish": staticmethod(sent.append)})

    def play(scenario: list[str]) -> list[float]:
        people: list[Person] = []
        for line in scenario:
            verb, *words = line.split()
            if verb == "person":
                people.append(person(words))
            elif verb == "look":
                node.look(message(people, float(words[0])))
                people = []
            elif verb == "sleep":
                time.sleep(float(words[0]))
            else:
                node.command()
        return [twist.angular.z for twist in sent]

    yield play
    node.commands = publisher
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture(scope="module")
def in_cpp(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], list[float]]:
    """Plays a scenario to the C++ example, compiled with the stand-in for rclcpp."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    packages = (
        "builtin_interfaces", "geometry_msgs", "openpose_msgs", "rcl_interfaces", "rosidl_runtime_c",
        "rosidl_runtime_cpp", "rosidl_typesupport_interface", "rcutils", "std_msgs",
    )  # fmt: skip
    try:
        folders = [Path(get_package_prefix(name), "include", name) for name in packages]
    except PackageNotFoundError as error:
        pytest.skip(f"needs the C++ messages: {error}")
    program = tmp_path_factory.mktemp("cpp") / "driver"
    flags = ["-std=c++17", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{STAND_IN}"]
    command = [
        compiler,
        *flags,
        *(f"-I{folder}" for folder in folders),
        str(STAND_IN / "driver.cpp"),
        "-o",
        str(program),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert built.returncode == 0, built.stderr

    def play(scenario: list[str]) -> list[float]:
        text = "\n".join(scenario) + "\n"
        return [float(word) for word in subprocess.check_output([program], input=text, text=True, timeout=30).split()]

    return play


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_in_python(in_python: Callable[[list[str]], list[float]], name: str) -> None:
    scenario, speeds = SCENARIOS[name]
    assert in_python(scenario) == pytest.approx(speeds, abs=1e-5)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_in_cpp(in_cpp: Callable[[list[str]], list[float]], name: str) -> None:
    scenario, speeds = SCENARIOS[name]
    assert in_cpp(scenario) == pytest.approx(speeds, abs=1e-5)


@pytest.fixture
def robot(domain: int) -> Iterator[Any]:
    """The Python example as a process, and a node that publishes poses to it and notes its commands."""
    context = rclpy.Context()
    rclpy.init(context=context, args=[], domain_id=domain)
    node = rclpy.create_node("robot", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)

    class Robot:
        speeds: list[float]
        poses = node.create_publisher(People, "robot/poses", 10)
        process = subprocess.Popen(
            [sys.executable, EXAMPLES / "turn_to_person.py", "--ros-args", "-r", "__ns:=/robot",
             "-p", "max_speed:=0.3"],
            stderr=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip

        def until(self, condition: Callable[[], Any], people: list[Person] | None = None) -> None:
            end = time.monotonic() + PATIENCE
            while not condition():
                assert time.monotonic() < end, self.speeds[-20:]
                if people is not None:
                    self.poses.publish(message(people, 0.01))
                executor.spin_once(timeout_sec=0.03)

    Robot.speeds = []
    node.create_subscription(Twist, "robot/cmd_vel", lambda twist: Robot.speeds.append(twist.angular.z), 10)
    robot = Robot()
    yield robot
    robot.process.kill()
    robot.process.communicate()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_robot_is_turned_and_stopped_over_dds(robot: Any, ending: signal.Signals) -> None:
    left = person(there(7, (NECK, 0.0, 0.0, -1.0, 0.0, 1.0)).split()[1:])
    robot.until(lambda: robot.speeds)
    assert set(robot.speeds) == {0.0}
    robot.until(lambda: robot.speeds[-1] == 0.3, [left])
    robot.until(lambda: robot.speeds[-1] == 0.0)  # nobody is published any more
    robot.until(lambda: robot.speeds[-1] == 0.3, [left])
    robot.process.send_signal(ending)
    robot.until(lambda: robot.process.poll() is not None)
    assert robot.process.returncode == 0, robot.process.stderr.read()
    robot.until(lambda: robot.speeds[-1] == 0.0)


def test_the_cpp_example_builds_with_the_real_rclcpp(tmp_path: Path) -> None:
    try:
        get_package_prefix("rclcpp")
    except PackageNotFoundError:
        pytest.skip("needs rclcpp, which is in no package registry")
    configure = ["cmake", "-S", str(EXAMPLES), "-B", str(tmp_path), f"-DPython3_EXECUTABLE={sys.executable}"]
    for command in (configure, ["cmake", "--build", str(tmp_path)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_are_a_package_that_ros_tools_accept() -> None:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg comes with colcon")
    package = catkin_pkg.parse_package(str(EXAMPLES))
    ours = catkin_pkg.parse_package(str(ROOT))
    assert (package.version, package.licenses) == (ours.version, ours.licenses)
    assert {depend.name for depend in package.build_depends} == {
        "geometry_msgs", "openpose_msgs", "rcl_interfaces", "rclcpp",
    }  # fmt: skip
