"""What ``ros2 launch --show-args`` shows of each launch file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = {"namespace", "params_file", "model", "backend", "device", "rviz", "fixed_frame", "log_level"}
OF_CAMERAS = {"image_transport", "use_sim_time", "respawn"}
OWN = {
    "pose.launch.py": {"image", "camera_info", "depth"} | OF_CAMERAS,
    "multi_camera.launch.py": {"cameras", "images", "depths"} | OF_CAMERAS,
    "demo.launch.py": {"source", "topic", "rate", "loop"},
}
REQUIRED = {"pose.launch.py": set(), "multi_camera.launch.py": {"cameras"}, "demo.launch.py": {"source"}}


def test_every_launch_file_is_looked_at_here() -> None:
    assert {path.name for path in (ROOT / "launch").iterdir() if path.is_file()} == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_arguments_are_those_that_a_user_would_look_for(load: Callable[[str], Any], name: str) -> None:
    arguments = load(name).arguments
    assert set(arguments) == EVERYWHERE | OWN[name]
    assert {name for name, argument in arguments.items() if argument.default_value is None} == REQUIRED[name]


def test_every_argument_is_described(launch_file: Any) -> None:
    for argument in launch_file.arguments.values():
        assert len(argument.description) > 10
        assert "\n" not in argument.description


def test_nothing_overrules_the_parameter_file_unless_it_is_given(launch_file: Any) -> None:
    from openpose_ros.ros.interface import POSE_NODE

    parameters = {option.name for option in POSE_NODE.parameters()} | {"use_sim_time"}
    for name, argument in launch_file.arguments.items():
        if name in parameters - {"cameras"}:
            assert argument.default_value == ""


def test_an_argument_that_is_a_parameter_says_what_the_parameter_does(launch_file: Any) -> None:
    from openpose_ros.options import BackendOptions

    (backend,) = (option for option in BackendOptions.options() if option.name == "backend")
    said = launch_file.arguments["backend"].description
    assert said.startswith(backend.description)
    assert all(choice in said for choice in backend.choices)
