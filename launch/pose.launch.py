"""ros2 launch openpose_ros pose.launch.py image:=/camera/image_raw

An argument that is left empty is not set, so that it never overrules the parameter file.
"""

from __future__ import annotations

from typing import Any

from launch import LaunchDescription

from openpose_ros.ros import launching

ARGUMENTS = {
    "image": "topic of the camera, such as /camera/image_raw; empty is the topic image in the namespace",
    "camera_info": "topic of the calibration; empty is camera_info beside the images",
    "depth": "topic of the depth image that is registered to the camera's; if given, people get places in space, as "
    "with the parameter depth",
}


def generate_launch_description() -> LaunchDescription:
    """The pose node, and RViz on request."""
    return launching.describe(start, ARGUMENTS)


def start(given: launching.Given) -> list[Any]:
    """The nodes, once the arguments are known."""
    overrides = {"depth": True} if given["depth"] else {}
    remaps = {topic: given[topic] for topic in ARGUMENTS}
    return [launching.pose_node(given, remaps, **overrides), *launching.rviz(given, remaps)]
