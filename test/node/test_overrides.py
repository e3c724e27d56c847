"""Quality of service from outside, and parameters that go out to a file and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from openpose_ros.ros.interface import POSE_NODE
from openpose_ros.ros.pose_node import PoseNode


def test_quality_of_results_can_be_overridden_by_parameters(graph: Any, loader: Any, tmp_path: Path) -> None:
    policies = {"reliability": "best_effort", "depth": 3}
    override = {"/**": {"ros__parameters": {"qos_overrides": {"/poses": {"publisher": policies}}}}}
    file = tmp_path / "qos.yaml"
    file.write_text(yaml.safe_dump(override))
    node = graph.run(PoseNode, ["--params-file", str(file)], load=loader)
    graph.until(lambda: graph.node.count_publishers("/poses"))
    (poses,) = graph.node.get_publishers_info_by_topic("/poses")
    assert poses.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    assert node.get_parameter("qos_overrides./poses.publisher.depth").value == 3
    graph.until(lambda: graph.node.count_publishers("/poses/markers"))
    (markers,) = graph.node.get_publishers_info_by_topic("/poses/markers")
    assert markers.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_overrides_hold_after_cleanup(graph: Any, loader: Any) -> None:
    given = ["-p", "qos_overrides./poses.publisher.reliability:=best_effort"]
    node = graph.run(PoseNode, given, load=loader)
    for _ in range(2):
        node.trigger_deactivate()
        node.trigger_cleanup()
        graph.until(lambda: not graph.node.count_publishers("/poses"))
        node.trigger_configure()
        node.trigger_activate()
        graph.until(lambda: graph.node.count_publishers("/poses"))
        (poses,) = graph.node.get_publishers_info_by_topic("/poses")
        assert poses.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_listener_that_asks_for_too_much_is_told_what_to_set(graph: Any, loader: Any, log: Any) -> None:
    graph.run(PoseNode, load=loader)
    graph.listen(People, "poses", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))

    graph.until(lambda: "a subscriber of /poses asks for more than is offered (durability)" in log.text)


def test_parameters_that_were_dumped_can_be_loaded(graph: Any, loader: Any, tmp_path: Path) -> None:
    """What `ros2 param dump` and `ros2 param load` do, through the same services."""
    node = graph.run(PoseNode, ["-p", "heat_threshold:=0.05", "-p", "max_rate:=7.5"], load=loader)
    names = graph.call(ListParameters, "/pose_node/list_parameters", ListParameters.Request()).result.names
    ours = [option.name for option in POSE_NODE.parameters()]
    assert set(ours) <= set(names)
    answer = graph.call(GetParameters, "/pose_node/get_parameters", GetParameters.Request(names=ours))
    values = [Parameter.from_parameter_msg(_message(n, v)).value for n, v in zip(ours, answer.values, strict=True)]
    file = tmp_path / "dump.yaml"
    file.write_text(yaml.safe_dump({"/pose_node": {"ros__parameters": dict(zip(ours, values, strict=True))}}))

    again = PoseNode(
        load=loader, context=graph.context, cli_args=["--ros-args", "--params-file", str(file)],
        use_global_arguments=False,
    )  # fmt: skip
    try:
        assert {name: again.get_parameter(name).value for name in ours} == dict(zip(ours, values, strict=True))
    finally:
        again.stop()
        again.destroy_node()

    live = [option.name for option in POSE_NODE.parameters() if option.live]
    request = SetParameters.Request(
        parameters=[_message(n, v) for n, v in zip(ours, answer.values, strict=True) if n in live]
    )
    results = graph.call(SetParameters, "/pose_node/set_parameters", request).results
    assert all(result.successful for result in results), [result.reason for result in results]
    assert node.get_parameter("heat_threshold").value == 0.05
    assert node.get_parameter("max_rate").value == 7.5


def _message(name: str, value: Any) -> Any:
    from rcl_interfaces.msg import Parameter as Message

    return Message(name=name, value=value)
