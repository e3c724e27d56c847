"""The same people in the messages of other packages: Foxglove's annotations, ROS4HRI's bodies, vision_msgs' boxes.

Each is an output (outputs.py) that is off unless its parameter is true, and imports its messages when it is made.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from openpose_ros.options import BridgeOptions
from openpose_ros.skeleton import Skeleton

if TYPE_CHECKING:
    from openpose_ros.ros.outputs import Output, Publishers
    from openpose_ros.ros.settings import Settings


def bridges(publishers: Publishers, skeleton: Skeleton, options: BridgeOptions) -> list[Output]:
    """The bridges that are switched on.

    Raises:
        ValueError: the messages of one are not installed; none is left open.
    """
    # Here, because each of them imports from this file.
    from openpose_ros.ros.bridges.foxglove import ImageAnnotations
    from openpose_ros.ros.bridges.hri import Bodies
    from openpose_ros.ros.bridges.vision import Detections

    made: list[Output] = []
    try:
        if options.foxglove:
            made.append(ImageAnnotations(publishers, skeleton))
        if options.hri:
            made.append(Bodies(publishers, skeleton))
        if options.vision:
            made.append(Detections(publishers))
    except ValueError:
        for bridge in made:
            bridge.close()
        raise
    return made


def check(options: BridgeOptions, settings: Settings) -> None:
    """Refuse what cannot work together.

    Raises:
        ValueError: hri with several cameras, or without ids.
    """
    if options.hri and len(settings.node.camera_names()) > 1:
        raise ValueError(
            f"hri is true with several cameras ({settings.node.cameras}), but REP-155 knows a single list of bodies; "
            "set hri to false or give one camera to this node"
        )
    if options.hri and not settings.track.track:
        raise ValueError("hri is true and track is false, but only people with ids are bodies; set one the other way")


def messages(package: str, parameter: str) -> Any:
    """The Python module of a message package; a ValueError says how to get it, and how to do without."""
    try:
        return importlib.import_module(f"{package}.msg")
    except ImportError as error:
        distribution = os.environ.get("ROS_DISTRO", "DISTRIBUTION")
        raise ValueError(
            f"the parameter {parameter} is true, but {package} cannot be imported ({error}): install the package "
            f"ros-{distribution}-{package.replace('_', '-')}, or set {parameter} to false"
        ) from None
