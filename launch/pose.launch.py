"""ros2 launch openpose_ros pose.launch.py image:=/camera/image_raw

An argument that is left empty is not set, so that it never overrules the parameter file.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = {
    "image": "topic of the camera, such as /camera/image_raw; empty is the topic image in the namespace",
    "namespace": "namespace of the node and its topics",
    "params_file": "YAML file of parameters; empty takes config/pose.yaml of this package",
    "model": "model's name, or path of a card or of a weight file beside its card; empty leaves it to params_file",
    "backend": "auto, torch, openvino or synthetic; empty leaves it to params_file",
    "device": "auto, cpu, cuda or cuda:N; empty leaves it to params_file",
    "rviz": "true also starts RViz with config/pose.rviz",
    "use_sim_time": "true takes the time from /clock, for simulators and bags; empty leaves it to params_file",
    "log_level": "debug, info, warn, error or fatal; empty is info",
}

PARAMETERS = {"model": str, "backend": str, "device": str, "use_sim_time": bool}
"""Those arguments that are parameters of the node."""


def generate_launch_description() -> LaunchDescription:
    """The pose node, and RViz on request."""
    arguments = [DeclareLaunchArgument(name, default_value="", description=about) for name, about in ARGUMENTS.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Node]:
    """The nodes, once the arguments are known."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    config = Path(get_package_share_directory("openpose_ros")) / "config"
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in PARAMETERS.items()
        if given[name]
    }
    level = given["log_level"]
    pose_node = Node(
        package="openpose_ros",
        executable="pose_node",
        namespace=given["namespace"],
        parameters=[given["params_file"] or str(config / "pose.yaml"), *([overrides] if overrides else [])],
        remappings=[("image", given["image"])] if given["image"] else [],
        ros_arguments=["--log-level", level] if level else [],
        output="screen",
        emulate_tty=True,
    )
    if given["rviz"].lower() not in ("true", "1", "yes", "on"):
        return [pose_node]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        arguments=["-d", str(config / "pose.rviz")],
        # The file's absolute names, moved into the namespace.
        remappings=[("/annotated", "annotated"), ("/poses/markers", "poses/markers")],
        output="screen",
    )
    return [pose_node, rviz]
