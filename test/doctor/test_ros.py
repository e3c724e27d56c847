from __future__ import annotations

from pathlib import Path

import pytest

from openpose_ros.doctor import ros
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State

MISSING = Answer(missing=True)
WORKS = Answer({"works": True})
NUMPY = Answer({"version": "2.4.6"})
FAST = Answer({"name": "rmw_fastrtps_cpp"})


def test_without_ros_the_other_commands_are_named(tmp_path: Path) -> None:
    (finding,) = ros.distribution({}, MISSING, tmp_path)
    assert (finding.state, finding.remedy) == (State.NOTE, "")
    (tmp_path / "opt/ros/jazzy").mkdir(parents=True)
    (tmp_path / "opt/ros/jazzy/setup.bash").touch()
    (finding,) = ros.distribution({}, MISSING, tmp_path)
    assert "source /opt/ros/jazzy/setup.bash" in finding.remedy


def test_a_ros_for_another_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.9/site-packages/rclpy").mkdir(parents=True)
    sourced = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": f"/nowhere:{tmp_path}"}
    (finding,) = ros.distribution(sourced, MISSING, tmp_path)
    assert finding.state is State.FIX
    assert "there for Python 3.9" in finding.found
    assert finding.remedy.endswith("python3.9")


def test_messages_for_another_numpy_are_told() -> None:
    (finding,) = ros.messages(FAST, NUMPY, Answer(error="it ends the process with SIGSEGV"), WORKS)
    assert finding.state is State.FIX
    assert "NumPy 2.4.6: it ends the process with SIGSEGV" in finding.found
    assert "numpy<2" in finding.remedy


def test_messages_that_are_not_built_are_told() -> None:
    theirs, ours = ros.messages(FAST, NUMPY, WORKS, Answer(error="ImportError: cannot import name 'Keypoint'"))
    assert theirs.state is State.OK
    assert ours.state is State.FIX
    assert "colcon build" in ours.remedy
    assert [finding.state for finding in ros.messages(FAST, NUMPY, WORKS, WORKS)] == [State.OK, State.OK]


def test_messages_are_not_blamed_for_a_middleware_that_does_not_load() -> None:
    broken = Answer(error="its process ended with exit status 102")
    assert list(ros.messages(broken, NUMPY, broken, broken)) == []
    assert list(ros.messages(MISSING, NUMPY, MISSING, MISSING)) == []


def test_a_middleware_that_is_not_installed_is_told_with_its_package() -> None:
    wanted = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
    (finding,) = ros.middleware(wanted, Answer(error="RuntimeError: failed to load shared library"))
    assert finding.state is State.FIX
    assert "ros-$ROS_DISTRO-rmw-cyclonedds-cpp" in finding.remedy


@pytest.mark.parametrize(
    ("environment", "told", "state"),
    [
        ({}, "rmw_fastrtps_cpp, domain 0", State.OK),
        ({"ROS_DOMAIN_ID": "7"}, "domain 7", State.OK),
        ({"ROS_LOCALHOST_ONLY": "1"}, "this machine only", State.OK),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "off"}, "discovery range OFF", State.BETTER),
    ],
)
def test_who_can_be_heard_is_told(environment: dict[str, str], told: str, state: State) -> None:
    (finding,) = ros.middleware(environment, FAST)
    assert told in finding.found
    assert finding.state is state


def test_a_cv_bridge_for_another_numpy_is_told_and_not_needed() -> None:
    (finding,) = ros.cv_bridge(NUMPY, Answer(error="AttributeError: _ARRAY_API not found"))
    assert finding.state is State.NOTE
    assert "_ARRAY_API not found" in finding.found
    assert [next(ros.cv_bridge(NUMPY, answer)).state for answer in (MISSING, WORKS)] == [State.NOTE, State.OK]
