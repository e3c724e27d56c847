"""ros2 launch openpose_ros multi_camera.launch.py cameras:=left,right images:=/left/image_raw,/right/image_raw

One process, one network, several cameras: the results are on left/poses, right/poses and so on. An argument that is
left empty is not set, so that it never overrules the parameter file.
"""

from __future__ import annotations

from typing import Any

from launch import LaunchDescription

from openpose_ros.options import PoseNodeOptions
from openpose_ros.ros import launching

ARGUMENTS = {
    "cameras": "names of the cameras with commas between, such as left,right: results are below the name of each",
    "images": "topic of each camera, in the same order; empty is CAMERA/image_raw in the namespace",
    "depths": "topic of the depth image of each camera, registered to its images; if given, people get places in "
    "space, as with the parameter depth",
}


def generate_launch_description() -> LaunchDescription:
    """One pose node for all cameras, and RViz on request."""
    return launching.describe(start, ARGUMENTS, {"cameras": None})


def start(given: launching.Given) -> list[Any]:
    """The nodes, once the arguments are known."""
    cameras = PoseNodeOptions(cameras=given["cameras"]).camera_names()
    if not all(cameras):
        raise ValueError("the argument cameras is empty; expected names such as left,right")
    images = zip(cameras, launching.topics_for(given, "images", cameras), strict=True)
    depths = zip(cameras, launching.topics_for(given, "depths", cameras), strict=True)
    remaps = {f"{camera}/image": topic or f"{camera}/image_raw" for camera, topic in images}
    remaps |= {f"{camera}/depth": topic for camera, topic in depths}
    overrides = {"depth": True} if given["depths"] else {}
    return [
        launching.pose_node(given, remaps, cameras=given["cameras"], **overrides),
        *launching.rviz(given, remaps, cameras),
    ]
