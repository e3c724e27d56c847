"""What the node says of itself on /diagnostics, and the services that others may call."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from openpose_msgs.msg import People
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from openpose_ros.ros.pose_node import PoseNode

OFTEN = ["-p", "diagnostics_period:=0.1"]


class Heard:
    """The latest status of the node and of its camera. Heard before anything happens: trouble is told for a while."""

    def __init__(self, graph: Any) -> None:
        self.arrays = graph.listen(DiagnosticArray, "/diagnostics")
        graph.until(lambda: self.arrays, "diagnostics")

    def of(self, name: str) -> DiagnosticStatus | None:
        found = [s for s in self.arrays[-1].status if s.name == name] if self.arrays else []
        return found[0] if found else None

    @property
    def camera(self) -> DiagnosticStatus | None:
        return self.of("pose_node: /image")

    def says(self, level: bytes, text: str) -> bool:
        status = self.camera
        return status is not None and status.level == level and text in status.message

    def value(self, key: str) -> str:
        status = self.camera
        return next((v.value for v in status.values if v.key == key), "") if status else ""


def now(image: Image) -> Image:
    """The image as if taken just now."""
    seconds = time.time()
    image.header.stamp.sec, image.header.stamp.nanosec = int(seconds), int(seconds % 1.0 * 1e9)
    return image


def test_health_is_told_in_every_state(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, [*OFTEN, "-p", "autostart:=false"], load=loader)
    heard = Heard(graph)

    def state(text: str) -> bool:
        status = heard.of("pose_node")
        return status is not None and text in status.message

    graph.until(lambda: state("unconfigured"))
    assert heard.camera is None
    node.trigger_configure()
    graph.until(lambda: state("inactive: fake on cpu"))
    node.trigger_activate()
    graph.until(lambda: state("active: fake on cpu") and heard.says(DiagnosticStatus.OK, "nobody listens"))
    values = {v.key: v.value for v in heard.of("pose_node").values}
    assert (values["model"], values["backend"], values["device"], values["precision"], values["input size"]) == (
        "fake", "fake", "cpu", "float32", "368",
    )  # fmt: skip
    assert int(values["resident memory (MiB)"]) > 20
    assert values["GPU memory (MiB)"] == "71"


def test_rates_latency_and_people_are_told(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, OFTEN, load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    for number in range(1, 11):
        graph.send(camera, now(picture((1, 1, 1))))
        graph.until(lambda count=number: len(poses) == count)
    graph.until(lambda: heard.value("processed") == "10")
    assert heard.camera.level == DiagnosticStatus.OK
    assert (heard.value("received"), heard.value("replaced"), heard.value("people in the last image")) == (
        "10", "0", "1",
    )  # fmt: skip
    assert 0.0 < float(heard.value("latency, median (s)")) <= float(heard.value("latency, 95th percentile (s)")) < 10.0
    assert 0.0 <= float(heard.value("work on an image, mean (s)")) < 10.0
    assert float(heard.value("images processed (1/s)")) > 0.0


def test_broken_images_are_warned_of_and_nothing_but_broken_images_is_an_error(
    graph: Any, loader: Any, picture: Any
) -> None:
    graph.run(PoseNode, OFTEN, load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    bad = now(picture((1, 1, 1)))
    bad.encoding = "nonsense"
    graph.send(camera, bad)
    graph.until(lambda: heard.says(DiagnosticStatus.ERROR, "no result any more: 1 broken"))
    assert "nonsense" in heard.camera.message
    graph.send(camera, now(picture((1, 1, 1))))
    graph.until(lambda: poses and heard.says(DiagnosticStatus.WARN, "1 broken"))
    assert "nonsense" in heard.value("last trouble")


def test_failing_network_is_an_error_and_recovery_is_seen(
    graph: Any, loader: Any, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openpose_ros.ros import tally

    monkeypatch.setattr(tally, "WINDOW", 0.3)
    graph.run(PoseNode, OFTEN, load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    loader.estimators[0].failure = MemoryError("out of memory")
    graph.send(camera, now(picture((1, 1, 1))))
    graph.until(lambda: heard.says(DiagnosticStatus.ERROR, "MemoryError: out of memory"))
    loader.estimators[0].failure = None

    def well() -> bool:
        camera.publish(now(picture((1, 1, 1))))
        return bool(poses) and heard.says(DiagnosticStatus.OK, "images/s processed")

    graph.until(well)
    assert heard.value("failed") == "1"


def test_network_that_never_answers_is_an_error_and_recovery_is_seen(
    graph: Any, loader: Any, picture: Any, log: Any
) -> None:
    graph.run(PoseNode, [*OFTEN, "-p", "stale_after:=0.5"], load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    (estimator,) = loader.estimators

    def node(level: bytes, text: str) -> bool:
        status = heard.of("pose_node")
        return status is not None and status.level == level and text in status.message

    estimator.gate.clear()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: node(DiagnosticStatus.ERROR, "at work on one image for"))
    graph.until(lambda: "at work on one image for" in log.text)
    estimator.gate.set()
    graph.until(lambda: poses)
    graph.until(lambda: node(DiagnosticStatus.OK, "active: fake on cpu"))


def test_silent_camera_is_stale_and_comes_back(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, [*OFTEN, "-p", "stale_after:=0.3"], load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    graph.send(camera, now(picture((1, 1, 1))))
    graph.until(lambda: poses)
    graph.until(lambda: heard.says(DiagnosticStatus.STALE, "no image for"))
    graph.node.destroy_publisher(camera)
    graph.until(lambda: heard.says(DiagnosticStatus.STALE, "no image for"))
    again = graph.camera()
    graph.send(again, now(picture((2, 2, 2))))
    graph.until(lambda: len(poses) == 2)
    graph.until(lambda: heard.camera.level == DiagnosticStatus.OK)


def test_late_results_are_warned_of_and_very_late_ones_an_error(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, OFTEN, load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    late = now(picture((1, 1, 1)))
    late.header.stamp.sec -= 1
    graph.send(camera, late)
    graph.until(lambda: poses and heard.says(DiagnosticStatus.WARN, "above warn_latency, 0.5 s"))
    graph.send(camera, *[picture((1, 1, 1), sec=number) for number in range(1, 4)])
    graph.until(lambda: heard.says(DiagnosticStatus.ERROR, "use_sim_time"))


def test_without_a_period_nothing_is_sent(graph: Any, loader: Any) -> None:
    graph.run(PoseNode, ["-p", "diagnostics_period:=0.0"], load=loader)
    assert not graph.node.count_publishers("/diagnostics")


def test_switched_off_node_lets_go_of_the_camera(graph: Any, loader: Any, picture: Any) -> None:
    graph.run(PoseNode, OFTEN, load=loader)
    heard, poses, camera = Heard(graph), graph.listen(People, "poses"), graph.camera()
    graph.send(camera, picture((1, 1, 1)))
    graph.until(lambda: poses)
    assert graph.call(SetBool, "/pose_node/set_enabled", SetBool.Request(data=False)).success
    graph.until(lambda: not camera.get_subscription_count())
    graph.until(lambda: heard.says(DiagnosticStatus.OK, "switched off"))
    assert graph.call(SetBool, "/pose_node/set_enabled", SetBool.Request(data=True)).success
    graph.send(camera, picture((2, 2, 2), sec=2))
    graph.until(lambda: len(poses) == 2)


def test_ids_stay_and_a_reset_gives_new_ones(graph: Any, loader: Any, picture: Any) -> None:
    loader.whole = True
    graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    ids = []
    for number in range(1, 6):
        if number == 4:
            assert graph.call(Trigger, "/pose_node/reset_ids", Trigger.Request()).success
        graph.send(camera, picture((100, 100, 1), sec=number))
        graph.until(lambda count=number: len(poses) == count)
        ids.append(poses[-1].people[0].id)
    assert ids[0] >= 0
    assert ids[:3] == [ids[0]] * 3
    assert ids[3:] == [ids[3]] * 2
    assert ids[3] > ids[0]


def test_time_that_jumps_back_gives_new_ids_and_is_counted(graph: Any, loader: Any, picture: Any, log: Any) -> None:
    loader.whole = True
    node = graph.run(PoseNode, load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    for number, sec in enumerate((10, 11, 12, 10, 11), 1):  # a bag that is played in a loop
        graph.send(camera, picture((100, 100, 1), sec=sec))
        graph.until(lambda count=number: len(poses) == count)
    ids = [message.people[0].id for message in poses]
    assert ids == [ids[0]] * 3 + [ids[3]] * 2
    assert ids[3] > ids[0]
    assert node._streams[0].tally.jumps == 1
    assert "time jumped back on /image" in log.text


def test_simulated_time_that_jumps_back_gives_new_ids(graph: Any, loader: Any, picture: Any) -> None:
    from rosgraph_msgs.msg import Clock

    loader.whole = True
    node = graph.run(PoseNode, ["-p", "use_sim_time:=true"], load=loader)
    poses, camera = graph.listen(People, "poses"), graph.camera()
    clock = graph.node.create_publisher(Clock, "/clock", 1)
    graph.until(clock.get_subscription_count)

    def tick(sec: int) -> None:
        message = Clock()
        message.clock.sec = sec

        def arrived() -> bool:
            clock.publish(message)
            return int(node.get_clock().now().nanoseconds) == sec * 10**9

        graph.until(arrived)

    tick(100)
    graph.send(camera, picture((100, 100, 1), sec=100))
    graph.until(lambda: len(poses) == 1)
    tick(50)
    graph.send(camera, picture((100, 100, 1), sec=101))  # its stamp alone would not tell
    graph.until(lambda: len(poses) == 2)
    assert poses[1].people[0].id > poses[0].people[0].id
    median, _ = node._streams[0].window.latencies()
    assert abs(median) < 200.0  # by the simulated clock, not by this machine's
