"""Parameters of the running node, set as other nodes set them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

import rclpy
from rcl_interfaces.msg import ParameterType, SetParametersResult
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python
from sensor_msgs.msg import CompressedImage

from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.ros.interface import POSE_NODE
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.ros.program import StartError


def put(graph: Any, **values: Any) -> list[tuple[bool, str]]:
    request = SetParameters.Request(parameters=[Parameter(n, value=v).to_parameter_msg() for n, v in values.items()])
    answer = graph.call(SetParameters, "/pose_node/set_parameters", request)
    return [(result.successful, result.reason) for result in answer.results]


def get(graph: Any, name: str) -> Any:
    answer = graph.call(GetParameters, "/pose_node/get_parameters", GetParameters.Request(names=[name]))
    return parameter_value_to_python(answer.values[0])


def test_every_option_is_a_parameter_with_description_range_and_read_only(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, load=loader)
    listed = graph.call(ListParameters, "/pose_node/list_parameters", ListParameters.Request()).result.names
    options = {option.name: option for option in POSE_NODE.parameters()}
    assert set(options) <= set(listed)
    request = DescribeParameters.Request(names=list(options))
    described = graph.call(DescribeParameters, "/pose_node/describe_parameters", request).descriptors
    kinds = {
        bool: ParameterType.PARAMETER_BOOL,
        int: ParameterType.PARAMETER_INTEGER,
        float: ParameterType.PARAMETER_DOUBLE,
        str: ParameterType.PARAMETER_STRING,
    }
    for descriptor in described:
        option = options[descriptor.name]
        assert descriptor.type == kinds[option.kind]
        assert not descriptor.dynamic_typing
        assert descriptor.description.startswith(option.description)
        assert all(choice in descriptor.description for choice in option.choices)
        assert descriptor.read_only == (not option.live)
        ranges: list[Any] = [*descriptor.integer_range, *descriptor.floating_point_range]
        assert bool(ranges) == (option.minimum is not None)
        for bounds in ranges:
            assert (bounds.from_value, bounds.to_value) == (option.minimum, option.maximum)


def test_live_parameter_counts_from_the_next_image(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, load=loader)
    (estimator,) = loader.estimators
    assert put(graph, heat_threshold=0.2, complete=True, input_size="256x456") == [(True, "")] * 3
    assert (estimator.decode.heat_threshold, estimator.decode.complete) == (0.2, True)
    assert estimator.inputs == InputOptions(input_size="256x456")
    assert get(graph, "heat_threshold") == 0.2


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("heat_threshold", 7.0, "out of range"),
        ("samples", 1, "out of range"),
        ("input_size", "tiny", "input_size is 'tiny'; expected a short side such as 368"),
        ("scales", "1,99", "scales is '1,99'; expected numbers"),
        ("value_range", "1", "value_range is '1'; expected two different numbers"),
        ("complete", "yes", "type"),
        ("heat_threshold", "high", "type"),
        ("backend", "torch", "read-only"),
        ("model", "other.yaml", "read-only"),
        ("qos", "reliable", "read-only"),
    ],
)
def test_bad_or_fixed_value_is_refused_with_a_reason_and_changes_nothing(
    graph: Any, loader: Any, name: str, value: Any, reason: str
) -> None:
    graph.run(PoseNode, load=loader)
    before = get(graph, name)
    ((successful, why),) = put(graph, **{name: value})
    assert not successful
    assert reason in why
    assert get(graph, name) == before
    assert loader.estimators[0].decode == DecodeOptions(min_person_score=0.25)
    assert loader.estimators[0].inputs == InputOptions()


def test_numbers_are_taken_as_people_write_them(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-p", "input_size:=256", "-p", "heat_threshold:=1", "-p", "scales:=1.5"], load=loader)
    (estimator,) = loader.estimators
    assert estimator.inputs == InputOptions(input_size="256", scales="1.5")
    assert estimator.decode.heat_threshold == 1.0
    assert isinstance(get(graph, "heat_threshold"), float)
    if hasattr(graph.node, "add_pre_set_parameters_callback"):
        assert put(graph, input_size=320, sample_ratio=1) == [(True, "")] * 2
        assert estimator.inputs.input_size == "320"
        assert estimator.decode.sample_ratio == 1.0


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("heat_threshold:=7.0", "heat_threshold is 7.0; expected 0.001 to 1"),
        ("backend:=tensorflow", "backend is 'tensorflow'; expected one of auto, tensorrt"),
        ("samples:=2.5", "samples is 2.5; expected a whole number"),
        ("input_size:=enormous", "input_size is 'enormous'; expected a short side"),
        ("autostart:=maybe", "autostart is 'maybe'; expected true or false"),
    ],
)
def test_bad_value_at_the_start_is_an_error_that_says_what_is_expected(
    graph: Any, loader: Any, argument: str, text: str
) -> None:
    with pytest.raises(StartError) as caught:
        graph.run(PoseNode, ["-p", argument], load=loader)
    assert text in str(caught.value)
    assert not loader.calls


def test_person_score_is_the_card_s_unless_it_is_given(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, load=loader)
    assert get(graph, "min_person_score") == 0.25
    assert loader.estimators[0].decode.min_person_score == 0.25
    assert put(graph, min_person_score=0.5) == [(True, "")]
    assert loader.estimators[0].decode.min_person_score == 0.5


def test_person_score_that_is_given_beats_the_card_s(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-p", "min_person_score:=0.0"], load=loader)
    assert get(graph, "min_person_score") == 0.0
    assert loader.estimators[0].decode.min_person_score == 0.0


def test_person_score_that_was_set_survives_cleanup(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, load=loader)
    put(graph, min_person_score=0.5)
    for transition in (node.trigger_deactivate, node.trigger_cleanup, node.trigger_configure):
        transition()
    assert loader.estimators[1].decode.min_person_score == 0.5


def test_parameter_that_is_refused_after_all_leaves_the_card_s_value(loader: Any) -> None:
    """By a callback that is asked after the node's own, such as that of rclpy for use_sim_time."""
    if not hasattr(PoseNode, "add_post_set_parameters_callback"):
        pytest.skip("Humble tells nobody what was stored")
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = PoseNode(load=loader, context=context, cli_args=[], use_global_arguments=False)
    try:
        refusal = SetParametersResult(successful=False, reason="not now")
        node._on_set_parameters_callbacks.append(lambda parameters: refusal)
        result = node.set_parameters([Parameter("min_person_score", value=0.5)])[0]
        assert (result.successful, result.reason) == (False, "not now")
        assert not node._options.chosen("min_person_score")
        node._on_set_parameters_callbacks.pop()
        node.start()
        assert loader.estimators[0].decode.min_person_score == 0.25
    finally:
        node.stop()
        node.destroy_node()
        context.try_shutdown()


def test_drawing_parameters_are_live(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, load=loader)
    heard, camera = graph.listen(CompressedImage, "annotated/compressed"), graph.camera()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: heard)
    assert put(graph, jpeg_quality=5, boxes=True) == [(True, "")] * 2
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: len(heard) == 2)
    assert heard[1].data != heard[0].data


class HumblePoseNode(PoseNode):
    """Humble knows neither callbacks before setting parameters nor after."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("add_pre_set_parameters_callback", "add_post_set_parameters_callback"):
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_parameters_are_applied_without_callbacks_after_setting(graph: Any, loader: Any) -> None:
    graph.run(HumblePoseNode, load=loader)
    (estimator,) = loader.estimators
    assert estimator.decode.min_person_score == 0.25
    assert put(graph, heat_threshold=0.3) == [(True, "")]
    graph.until(lambda: estimator.decode.heat_threshold == 0.3)
    ((successful, why),) = put(graph, input_size="tiny")
    assert not successful
    assert "expected a short side" in why


def test_person_score_is_the_card_s_before_any_executor_spins(loader: Any) -> None:
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = HumblePoseNode(load=loader, context=context)
    try:
        node.start()
        assert loader.estimators[0].decode.min_person_score == 0.25
    finally:
        node.stop()
        node.destroy_node()
        context.try_shutdown()


def test_parameter_file_of_the_package_is_accepted_whole(graph: Any, loader: Any) -> None:
    file = Path(__file__).resolve().parents[2] / "config" / "pose.yaml"
    graph.run(PoseNode, ["--params-file", str(file)], load=loader)
    assert loader.estimators[0].decode == DecodeOptions(min_person_score=0.25)
