"""``benchmark soak``: starts a pose_node, has ``ros/soak.py`` put it to the test, and looks at its log in the end."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from openpose_ros.demo.processes import NodeEndedError, Nodes, isolate
from openpose_ros.options import BackendOptions

NODE = "pose_node"
LOG = 100_000
"""Lines of the node's log that are searched."""


def rows(
    minutes: float, size: tuple[int, int], rate: float, model: str, options: BackendOptions
) -> tuple[list[dict[str, Any]], list[str]]:
    """What became of a node in so many minutes.

    Args:
        size, rate: of the camera: width and height in pixels, and images a second.
        model: card or installed model; empty is none, with the synthetic backend unless another one is asked for.

    Returns:
        The rows of the table, and what was wrong, in sentences.

    Raises:
        ModuleNotFoundError: ROS 2 is missing; the text says so.
    """
    try:
        from openpose_ros.ros import soak
        from openpose_ros.ros.soak_rig import SoakError
    except ImportError as error:
        raise ModuleNotFoundError(
            f"soak needs ROS 2 and the built openpose_msgs, and {error.name or error} is missing"
        ) from None

    def check() -> None:
        try:
            nodes.check()
        except NodeEndedError as error:
            raise SoakError(str(error)) from None

    if not model and options.backend == "auto":
        options = replace(options, backend="synthetic")
    isolate()
    with Nodes() as nodes:
        nodes.start(NODE, soak.parameters({"model": model, **asdict(options)}))
        found, trouble = soak.run(soak.Plan(60.0 * minutes, *size, rate), nodes.pid(NODE), check)
        if "Traceback" in nodes.last_lines(NODE, LOG):
            trouble.append(f"the node has logged an exception; the last lines of its log:\n{nodes.last_lines(NODE)}")
    return found, trouble
