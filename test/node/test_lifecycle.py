"""The pose node as a managed node: transitions asked for by others, and what is left after each."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from openpose_msgs.msg import People

from openpose_ros.ros import loading
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.ros.program import StartError


def state(graph: Any) -> int:
    return int(graph.call(GetState, "/pose_node/get_state", GetState.Request()).current_state.id)


def change(graph: Any, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(graph.call(ChangeState, "/pose_node/change_state", request).success)


def test_without_autostart_a_manager_leads_the_node_through_its_states(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, ["-p", "autostart:=false", "-p", "model:=some.yaml"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()

    def answered(value: int) -> bool:
        """Whether a new image gets an answer; without a subscription it gets none."""
        before = len(poses)
        if camera.get_subscription_count():
            graph.send(camera, picture((value, 1, 1), sec=value))
            graph.until(lambda: len(poses) > before)
        else:
            graph.spin(0.1)
        return len(poses) > before and bool(poses[-1].header.stamp.sec == value)

    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert not loader.calls
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == State.PRIMARY_STATE_INACTIVE
    assert [model for model, _ in loader.calls] == ["some.yaml"]
    assert not answered(1)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.until(camera.get_subscription_count)
    assert answered(2)
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    graph.until(lambda: not camera.get_subscription_count())
    assert not answered(3)
    assert not loader.estimators[0].closed
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.until(camera.get_subscription_count)
    assert answered(4)
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    assert change(graph, Transition.TRANSITION_CLEANUP)
    assert loader.estimators[0].closed
    graph.until(lambda: not graph.node.count_publishers("/poses"))
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.until(camera.get_subscription_count)
    assert answered(5)
    assert len(loader.estimators) == 2
    assert change(graph, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(graph) == State.PRIMARY_STATE_FINALIZED
    assert loader.estimators[1].closed


def test_result_of_the_image_in_progress_is_published_before_the_node_is_inactive(
    graph: Any, loader: Any, picture: Any
) -> None:
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators
    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: estimator.seen)
    threading.Timer(0.2, estimator.gate.set).start()
    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    graph.until(lambda: poses)


def test_network_that_hangs_is_left_behind_when_the_node_is_deactivated_and_another_may_be_loaded(
    graph: Any, loader: Any, picture: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PATIENCE", 0.3)
    graph.run(PoseNode, ["-p", "stale_after:=0.2"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    (hung,) = loader.estimators
    hung.gate.clear()
    graph.send(camera, picture((1, 1, 1), sec=1))
    graph.until(lambda: hung.seen)
    assert not change(graph, Transition.TRANSITION_DEACTIVATE)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert "ended without the image that it was at work on" in log.text
    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    hung.gate.set()
    graph.send(camera, picture((2, 1, 1), sec=2))
    graph.until(lambda: poses)
    assert [message.header.stamp.sec for message in poses] == [2]
    assert len(loader.estimators) == 2


def test_configuration_that_fails_says_why_leaves_nothing_and_may_be_tried_again(
    graph: Any, loader: Any, log: Any
) -> None:
    graph.run(PoseNode, ["-p", "autostart:=false"], load=loader)
    loader.failure = ValueError("no model 'x'; models there are: none")
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert log.text.count("no model 'x'; models there are: none") == 1
    assert "Traceback" not in log.text
    assert not graph.node.count_publishers("/poses")
    loader.failure = None
    assert change(graph, Transition.TRANSITION_CONFIGURE)


def test_configuration_that_fails_late_gives_the_network_back(graph: Any, loader: Any, log: Any) -> None:
    loader.card = replace(loader.card, min_person_score=7.0)
    with pytest.raises(StartError):
        graph.run(PoseNode, load=loader)
    assert loader.estimators[0].closed
    assert "min_person_score" in log.text


def test_configuration_that_somebody_asked_to_stop_for_fails_at_once_and_leaves_nothing(
    graph: Any, loader: Any
) -> None:
    node = graph.run(PoseNode, ["-p", "autostart:=false"], load=loader)
    held, load = threading.Event(), node._load

    def slow(*options: Any) -> Any:
        assert held.wait(10.0)
        return load(*options)

    node._load = slow
    threading.Timer(0.2, node.asked.set).start()
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert not loader.calls
    assert not graph.node.count_publishers("/poses")
    held.set()


def test_ids_are_not_given_again_after_the_node_was_deactivated_or_configured_anew(
    graph: Any, loader: Any, picture: Any
) -> None:
    loader.whole = True
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    down, up = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE
    anew = [down, Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE, up]
    ids = []
    for number, transitions in enumerate(([], [down, up], anew), 1):
        for transition in transitions:
            assert change(graph, transition)
        graph.until(camera.get_subscription_count)
        graph.send(camera, picture((100, 100, 1), sec=number))
        graph.until(lambda count=number: len(poses) == count)
        ids.append(poses[-1].people[0].id)
    assert ids[0] < ids[1] < ids[2]


def test_unexpected_failure_is_logged_with_its_traceback(graph: Any, loader: Any, log: Any) -> None:
    loader.failure = KeyError("surprise")
    with pytest.raises(StartError):
        graph.run(PoseNode, load=loader)
    assert "Traceback" in log.text
    assert "KeyError: 'surprise'" in log.text


def test_transitions_leave_no_threads_subscriptions_or_timers_behind(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, load=loader)
    graph.listen(People, "poses")

    def held() -> tuple[int, ...]:
        counts = (node.subscriptions, node.publishers, node.timers, node.waitables, node.services)
        return (threading.active_count(), *(len(list(entities)) for entities in counts))

    def subscribed() -> bool:
        return any(s.topic_name == "/image" for s in node.subscriptions)

    graph.until(subscribed)
    before = held()
    for _ in range(10):
        assert change(graph, Transition.TRANSITION_DEACTIVATE)
        assert change(graph, Transition.TRANSITION_CLEANUP)
        assert change(graph, Transition.TRANSITION_CONFIGURE)
        assert change(graph, Transition.TRANSITION_ACTIVATE)
        graph.until(subscribed)
    assert held() == before
    assert [estimator.closed for estimator in loader.estimators] == [True] * 10 + [False]
