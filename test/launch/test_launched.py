"""The launch files really launched, where a ROS 2 with launch_ros is installed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("launch_ros.actions", reason="needs a ROS 2 with launch_ros, which is in no package registry")

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription, RegisterEventHandler, Shutdown, TimerAction
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _built() -> None:
    try:
        get_package_share_directory("openpose_ros")
    except PackageNotFoundError:
        pytest.skip("needs openpose_ros to be built and sourced")


def launched(file: str, arguments: dict[str, str], seconds: float) -> dict[str, int]:
    """The last exit codes of all processes, by their executables, when the launch is ended after so long."""
    return {name: codes[-1] for name, codes in all_codes(file, arguments, seconds).items()}


def all_codes(file: str, arguments: dict[str, str], seconds: float) -> dict[str, list[int]]:
    """The exit codes of all processes that there were, in their order."""
    codes: dict[str, list[int]] = {}
    nodes = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(ROOT / "launch" / file)), launch_arguments=arguments.items()
    )
    watch = RegisterEventHandler(
        OnProcessExit(
            on_exit=lambda event, context: codes.setdefault(event.process_name.rpartition("-")[0], []).append(
                event.returncode
            )
        )
    )
    service = LaunchService()
    end = TimerAction(period=seconds, actions=[Shutdown()])
    service.include_launch_description(LaunchDescription([watch, nodes, end]))
    assert service.run() == 0
    return codes


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("pose.launch.py", {}),
        (
            "pose.launch.py",
            {"image": "/camera", "depth": "/depth", "namespace": "robot", "use_sim_time": "true", "log_level": "warn"},
        ),
        ("multi_camera.launch.py", {"cameras": "left,right", "images": "/a,/b", "depths": "/c,/d"}),
    ],
    ids=["few", "many", "cameras"],
)
def test_it_launches_a_node_that_ends_with_it(file: str, arguments: dict[str, str]) -> None:
    assert launched(file, {"backend": "synthetic", **arguments}, seconds=5.0) == {"pose_node": 0}


def test_demo_launches_a_source_and_the_node_that_end_with_it(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((48, 64, 3), np.uint8))
    arguments = {"backend": "synthetic", "source": str(tmp_path), "rviz": "false", "rate": "5"}
    assert launched("demo.launch.py", arguments, seconds=5.0) == {"pose_node": 0, "source_node": 0}


def test_a_node_that_could_not_start_is_started_anew_on_request() -> None:
    arguments = {"model": "/nowhere.yaml", "respawn": "true", "log_level": "fatal"}
    codes = all_codes("pose.launch.py", arguments, seconds=9.0)["pose_node"]
    assert len(codes) > 1
    assert codes[0] == 1
