"""What the launch files have in common: their arguments, the node, RViz. Nothing but they imports this, or launch.

An argument that is left empty is not set, so that it never overrules the parameter file.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from openpose_ros.option import Option, Value
from openpose_ros.ros.interface import POSE_NODE, Interface

Given = Mapping[str, str]
"""The values of all arguments of a launch file; empty where nothing was given."""

PARAMETERS = ("model", "backend", "device", "image_transport")
"""Parameters of pose_node that are arguments of the launch files."""

COMMON = {
    "use_sim_time": "true takes the time from /clock, for simulators and bags (left to params_file unless given)",
    "params_file": "YAML file of parameters of pose_node; empty takes config/pose.yaml of this package",
    "namespace": "namespace of all nodes and topics",
    "rviz": "true also starts RViz with config/pose.rviz",
    "fixed_frame": "frame in which RViz shows people in space, such as camera_color_optical_frame; empty takes the "
    "one in config/pose.rviz",
    "log_level": "debug, info, warn, error or fatal; empty is info",
    "respawn": "true starts the node anew when its process has died or could not start, after 2 s",
}

RESPAWN_DELAY = 2.0
"""Seconds between the end of a process and the next one: long enough to read why."""


def describe(
    start: Callable[[Given], list[Any]],
    own: Mapping[str, str],
    defaults: Mapping[str, str | None] | None = None,
    without: Sequence[str] = (),
) -> LaunchDescription:
    """A launch file.

    Args:
        start: actions, once the arguments are known.
        own: what the arguments mean that only this file has.
        defaults: of arguments that are not empty by default; with None one must be given.
        without: common arguments that make no sense in this file.
    """
    about = {**own, **abouts(POSE_NODE, PARAMETERS), **COMMON}
    about = {name: text for name, text in about.items() if name not in without}
    values = dict.fromkeys(about, "") | dict(defaults or {})

    def run(context: LaunchContext) -> list[Any]:
        return start({name: LaunchConfiguration(name).perform(context).strip() for name in about})

    arguments = [DeclareLaunchArgument(name, default_value=values[name], description=about[name]) for name in about]
    return LaunchDescription([*arguments, OpaqueFunction(function=run)])


def abouts(interface: Interface, names: Sequence[str]) -> dict[str, str]:
    """What arguments mean that are parameters of a node."""
    left = "left to params_file unless given" if interface is POSE_NODE else ""
    return {name: _about(option, left) for name, option in _options(interface).items() if name in names}


def pose_node(given: Given, remaps: Mapping[str, str] | None = None, **overrides: Value) -> Node:
    """The pose node.

    Args:
        given: the arguments.
        remaps: topics by their names in the node; an empty one stays where it is.
        overrides: further parameters.
    """
    if given.get("use_sim_time"):
        overrides["use_sim_time"] = flag(given, "use_sim_time")
    file = given["params_file"] or str(_config() / "pose.yaml")
    again = bool(given.get("respawn")) and flag(given, "respawn")
    return node(POSE_NODE, given, PARAMETERS, overrides, [file], remaps, respawn=again)


def node(
    interface: Interface,
    given: Given,
    names: Sequence[str],
    overrides: Mapping[str, Value] | None = None,
    files: Sequence[str] = (),
    remaps: Mapping[str, str] | None = None,
    on_exit: Sequence[Any] = (),
    respawn: bool = False,
) -> Node:
    """A node of this package.

    Args:
        interface: which one.
        given: the arguments.
        names: those arguments that are parameters of the node.
        overrides: further parameters.
        files: of parameters; the others have the last word.
        remaps: topics by their names in the node; an empty one stays where it is.
        on_exit: actions for when it has ended.
        respawn: whether it is started anew whenever it has ended by itself.

    Raises:
        ValueError: an argument has a value that the parameter must not have.
    """
    options = _options(interface)
    values = {name: _value(options[name], given[name]) for name in names if given.get(name)} | dict(overrides or {})
    # A text is marked as one, or 0 would be a number.
    typed = {n: ParameterValue(v, value_type=str) if isinstance(v, str) else v for n, v in values.items()}
    return Node(
        package="openpose_ros",
        executable=interface.name,
        namespace=given["namespace"],
        parameters=[*files, *([typed] if typed else [])],
        remappings=[(name, topic) for name, topic in (remaps or {}).items() if topic],
        ros_arguments=["--log-level", given["log_level"]] if given["log_level"] else [],
        output="screen",
        emulate_tty=True,
        on_exit=list(on_exit) or None,
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
    )


def rviz(
    given: Given, remaps: Mapping[str, str] | None = None, cameras: Sequence[str] = ("",), on_exit: Sequence[Any] = ()
) -> list[Node]:
    """RViz with the displays of every camera, where the argument rviz is true.

    Args:
        given: the arguments.
        remaps: of the pose node.
        cameras: their names.
        on_exit: actions for when it is closed.
    """
    if not flag(given, "rviz"):
        return []
    displays, file = _displays(cameras)
    # The file's absolute names, moved to where the pose node has them.
    names = [display["Topic"]["Value"].lstrip("/") for display in displays if "Topic" in display]
    topics = {name: (remaps or {}).get(name) or name for name in names}
    if "image" in topics:  # beside which a display looks for the calibration
        beside = posixpath.join(posixpath.dirname(topics["image"]), "camera_info")
        topics["camera_info"] = (remaps or {}).get("camera_info") or beside
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=given["namespace"],
            arguments=["-d", str(file), *(["-f", given["fixed_frame"]] if given["fixed_frame"] else [])],
            remappings=[(f"/{name}", topic) for name, topic in topics.items()],
            output="screen",
            on_exit=list(on_exit) or None,
        )
    ]


def flag(given: Given, name: str) -> bool:
    """An argument that is true or false; empty is false.

    Raises:
        ValueError: it is neither.
    """
    text = given[name].lower()
    if text not in ("", "true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ValueError(f"the argument {name} is {given[name]!r}; expected true or false")
    return text in ("true", "1", "yes", "on")


def topics_for(given: Given, name: str, cameras: Sequence[str]) -> list[str]:
    """An argument that names one topic for each camera, with commas between; as many empty ones if it is empty.

    Raises:
        ValueError: it names more or fewer, or an empty one.
    """
    topics = [topic.strip() for topic in given[name].split(",")] if given[name] else [""] * len(cameras)
    if len(topics) != len(cameras) or (given[name] and not all(topics)):
        raise ValueError(
            f"the argument {name} is {given[name]!r}; expected {len(cameras)} topics with commas between, one for each "
            f"of {', '.join(cameras)}"
        )
    return topics


def _displays(cameras: Sequence[str]) -> tuple[list[dict[str, Any]], Path]:
    """The displays in config/pose.rviz and its path; for cameras with names, a copy that has them for each."""
    path = _config() / "pose.rviz"
    whole = yaml.safe_load(path.read_text())
    displays: list[dict[str, Any]] = whole["Visualization Manager"]["Displays"]
    if not any(cameras):
        return displays, path
    # Not those that name other displays, which have other names now.
    once = [display for display in displays if "Visibility" not in display]
    each = [_of(camera, display) for camera in cameras for display in once if "Topic" in display]
    copied = [*each, *(display for display in once if "Topic" not in display)]
    whole["Visualization Manager"]["Displays"] = copied
    with tempfile.NamedTemporaryFile("w", prefix="openpose_ros_", suffix=".rviz", delete=False) as copy:
        yaml.safe_dump(whole, copy, sort_keys=False)
    return copied, Path(copy.name)


def _of(camera: str, display: Mapping[str, Any]) -> dict[str, Any]:
    topic = {**display["Topic"], "Value": f"/{camera}{display['Topic']['Value']}"}
    return {**display, "Name": f"{display['Name']} ({camera})", "Topic": topic}


def _value(option: Option, text: str) -> Value:
    return option.check(text if option.kind is str else yaml.safe_load(text))


def _about(option: Option, note: str) -> str:
    notes = [f"one of {', '.join(option.choices)}" if option.choices else "", note]
    return f"{option.description} ({'; '.join(filter(None, notes))})" if any(notes) else option.description


def _options(interface: Interface) -> dict[str, Option]:
    return {option.name: option for option in interface.parameters()}


def _config() -> Path:
    return Path(get_package_share_directory("openpose_ros")) / "config"
