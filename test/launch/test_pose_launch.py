"""The launch file: read as text everywhere, run where a ROS 2 with launch is installed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from openpose_ros.commands import COMMANDS
from openpose_ros.options import PoseNodeOptions
from openpose_ros.ros.interface import POSE_NODE

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "launch" / "pose.launch.py"
ASKED_FOR = {
    "image", "namespace", "params_file", "model", "backend", "device", "rviz", "use_sim_time", "log_level",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree() -> ast.Module:
    return ast.parse(FILE.read_text(), str(FILE))


def constant(tree: ast.Module, name: str) -> ast.expr:
    return next(n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name)


def nodes(tree: ast.Module) -> list[dict[str, Any]]:
    """The keyword arguments of every Node(...) that are constants."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Node"]
    return [{k.arg: k.value.value for k in c.keywords if k.arg and isinstance(k.value, ast.Constant)} for c in calls]


def test_it_compiles() -> None:
    compile(FILE.read_text(), str(FILE), "exec")


def test_every_argument_is_described(tree: ast.Module) -> None:
    arguments = ast.literal_eval(constant(tree, "ARGUMENTS"))
    assert set(arguments) == ASKED_FOR
    assert all(isinstance(about, str) and about for about in arguments.values())


def test_it_starts_an_executable_that_exists(tree: ast.Module) -> None:
    own = [node["executable"] for node in nodes(tree) if node["package"] == "openpose_ros"]
    assert own == ["pose_node"]
    assert set(own) <= set(COMMANDS)


def test_it_sets_parameters_that_exist(tree: ast.Module) -> None:
    table = constant(tree, "PARAMETERS")
    assert isinstance(table, ast.Dict)
    names = {ast.literal_eval(key) for key in table.keys if key is not None}
    known = {option.name: option.kind.__name__ for option in POSE_NODE.parameters()} | {"use_sim_time": "bool"}
    assert names == {"model", "backend", "device", "use_sim_time"}
    assert {ast.literal_eval(k): ast.unparse(v) for k, v in zip(table.keys, table.values, strict=True) if k} == {
        name: known[name] for name in names
    }


def test_files_that_it_names_are_there(tree: ast.Module) -> None:
    named = {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and str(n.value).endswith((".yaml", ".rviz"))
    }
    assert {"pose.yaml", "pose.rviz"} <= named
    for name in ("pose.yaml", "pose.rviz"):
        assert yaml.safe_load((ROOT / "config" / name).read_text())


def test_rviz_shows_what_the_node_publishes() -> None:
    displays = yaml.safe_load((ROOT / "config" / "pose.rviz").read_text())["Visualization Manager"]["Displays"]
    topics = {display["Class"]: display["Topic"]["Value"] for display in displays if "Topic" in display}
    assert topics["rviz_default_plugins/Image"] == "/annotated"
    assert "annotated" in POSE_NODE.publishes


@pytest.fixture
def described() -> Any:
    pytest.importorskip("launch_ros.actions", reason="needs a ROS 2 with launch_ros, which is in no package registry")
    from importlib.util import module_from_spec, spec_from_file_location

    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        get_package_share_directory("openpose_ros")
    except PackageNotFoundError:
        pytest.skip("needs openpose_ros to be built and sourced")
    spec = spec_from_file_location("pose_launch", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_empty_arguments_set_nothing(described: Any) -> None:
    from launch import LaunchContext

    context = LaunchContext()
    context.launch_configurations.update(dict.fromkeys(ASKED_FOR, ""))
    (node,) = described.start(context)
    assert len(node._Node__parameters) == 1  # the file alone
    assert PoseNodeOptions().model == ""


@pytest.mark.parametrize(
    "arguments",
    [
        {"backend": "synthetic"},
        {"backend": "synthetic", "image": "/camera", "namespace": "robot", "use_sim_time": "true", "log_level": "warn"},
    ],
    ids=["few", "many"],
)
def test_it_launches_a_node_that_ends_with_it(described: Any, arguments: dict[str, str]) -> None:
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler, Shutdown, TimerAction
    from launch.event_handlers import OnProcessExit
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    codes: list[int] = []
    node = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(FILE)), launch_arguments=arguments.items())
    watch = RegisterEventHandler(OnProcessExit(on_exit=lambda event, context: codes.append(event.returncode)))
    service = LaunchService()
    service.include_launch_description(LaunchDescription([watch, node, TimerAction(period=4.0, actions=[Shutdown()])]))
    assert service.run() == 0
    assert codes == [0]
