"""ROS 2: what is sourced, whether this Python fits it, its messages and its middleware."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State

BUILD = "colcon build --base-paths src src/openpose_ros/openpose_msgs, then source install/setup.bash"


def distribution(environment: Mapping[str, str], rclpy: Answer, root: Path = Path("/")) -> Iterator[Finding]:
    """Which ROS 2 is sourced, and whether this Python finds it.

    Args:
        rclpy: the answer to any question that needs it.
        root: where /opt is.
    """
    name = environment.get("ROS_DISTRO", "")
    installed = sorted(folder.parent.name for folder in (root / "opt/ros").glob("*/setup.bash"))
    if not rclpy.missing:
        version = _version("rclpy")
        about = name or "a distribution that ROS_DISTRO does not name"
        yield Finding("ROS 2", State.OK, f"{about}, rclpy {version}" if version else about)
    elif name:
        other = _python_of(environment.get("AMENT_PREFIX_PATH", ""))
        found = f"{name} is sourced, but this Python {platform.python_version()} finds no rclpy"
        found += f"; it is there for Python {other}" if other else ""
        remedy = f"run with the Python that {name} was made for: " + (f"python{other}" if other else "/usr/bin/python3")
        yield Finding("ROS 2", State.FIX, found, remedy)
    elif installed:
        remedy = f"source /opt/ros/{installed[-1]}/setup.bash before the nodes, and the workspace's install/setup.bash"
        yield Finding("ROS 2", State.NOTE, f"{', '.join(installed)} installed, but none is sourced", remedy)
    else:
        yield Finding("ROS 2", State.NOTE, "none; predict, evaluate, train and the like need none")


def messages(middleware: Answer, numpy: Answer, theirs: Answer, ours: Answer) -> Iterator[Finding]:
    """Whether messages work with this NumPy, and whether openpose_msgs is built; nothing without a middleware."""
    if not middleware.given:
        return
    version = numpy.facts.get("version", "")
    if theirs.error or not theirs.facts["works"]:
        reason = theirs.error or "arrays come back changed"
        remedy = "bring back the NumPy that ROS was built with: pip uninstall numpy, or pip install 'numpy<2'"
        yield Finding("messages", State.FIX, f"do not work with NumPy {version}: {reason}", remedy)
        return
    yield Finding("messages", State.OK, f"work with NumPy {version}")
    if ours.error or not ours.facts.get("works"):
        reason = ours.error or "a result comes back changed"
        yield Finding("openpose_msgs", State.FIX, f"cannot be used: {reason}", f"{BUILD} (README.md)")
    else:
        yield Finding("openpose_msgs", State.OK, "built and sourced")


def middleware(environment: Mapping[str, str], answer: Answer) -> Iterator[Finding]:
    """The middleware, the domain, and how far discovery reaches."""
    if answer.missing:
        return
    wanted = environment.get("RMW_IMPLEMENTATION", "")
    if answer.error:
        remedy = (
            f"install it (sudo apt install ros-$ROS_DISTRO-{wanted.replace('_', '-')}), or unset RMW_IMPLEMENTATION"
            if wanted
            else "source a complete ROS 2: its middleware is missing"
        )
        yield Finding("middleware", State.FIX, f"{wanted or 'none'} cannot be loaded: {answer.error}", remedy)
        return
    about = [f"{answer.facts['name']}, domain {environment.get('ROS_DOMAIN_ID') or 0}"]
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper()
    if reach in ("LOCALHOST", "OFF"):
        about.append(f"discovery range {reach}")
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        about.append("this machine only (ROS_LOCALHOST_ONLY)")
    if reach == "OFF":
        remedy = "unset ROS_AUTOMATIC_DISCOVERY_RANGE: with OFF a node hears nobody but itself"
        yield Finding("middleware", State.BETTER, ", ".join(about), remedy)
    else:
        yield Finding("middleware", State.OK, ", ".join(about))


def cv_bridge(numpy: Answer, answer: Answer) -> Iterator[Finding]:
    """Whether cv_bridge is sound; the node does not need it."""
    if answer.missing:
        yield Finding("cv_bridge", State.NOTE, "not installed, and not needed")
    elif answer.error:
        version = numpy.facts.get("version", "")
        found = f"does not work with NumPy {version} ({answer.error}); pose_node does without it"
        remedy = "your other nodes need the NumPy that it was built with, 'numpy<2' perhaps"
        yield Finding("cv_bridge", State.NOTE, found, remedy)
    else:
        yield Finding("cv_bridge", State.OK, "sound")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _python_of(prefixes: str) -> str:
    """Version of the Python that a sourced rclpy is for, such as ``3.12``; empty when there is none."""
    for prefix in filter(None, prefixes.split(":")):
        for folder in Path(prefix).glob("lib/python3*/*-packages/rclpy"):
            return folder.parent.parent.name.removeprefix("python")
    return ""
