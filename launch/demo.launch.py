"""ros2 launch openpose_ros demo.launch.py source:=VIDEO

A photo, a folder, a video, a bag or a webcam as a camera, the people in it, and RViz. All ends with the source, if
loop:=false, and with RViz.
"""

from __future__ import annotations

import os
from typing import Any

from launch import LaunchDescription
from launch.actions import SetEnvironmentVariable, Shutdown

from openpose_ros.ros import fastdds, launching
from openpose_ros.ros.interface import SOURCE_NODE

SOURCE = ("source", "topic", "rate", "loop")
"""Parameters of source_node that are arguments."""

WITHOUT = ("image_transport", "use_sim_time", "respawn")
"""Arguments of the other launch files that make no sense beside the source."""


def generate_launch_description() -> LaunchDescription:
    """The source, the pose node and RViz."""
    own = launching.abouts(SOURCE_NODE, SOURCE)
    return launching.describe(start, own, {"source": None, "rviz": "true"}, without=WITHOUT)


def start(given: launching.Given) -> list[Any]:
    """The nodes, once the arguments are known, with the Fast DDS profile for images unless there is one."""
    profile = [SetEnvironmentVariable(name, path) for name, path in fastdds.added_to(os.environ).items()]
    # It waits for the pose node, which loads its network first.
    source = launching.node(SOURCE_NODE, given, SOURCE, {"wait": True}, on_exit=[Shutdown()])
    return [*profile, launching.pose_node(given), source, *launching.rviz(given, on_exit=[Shutdown()])]
