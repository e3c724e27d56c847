"""``benchmark soak`` against a node that is a process of its own, and against nodes that do what they must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from lifecycle_msgs.srv import GetState
from std_srvs.srv import SetBool

from openpose_ros.benchmark import soak
from openpose_ros.commands.benchmark import main
from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.ros.soak import Plan, Soak, parameters
from openpose_ros.ros.soak_events import Events
from openpose_ros.ros.soak_rig import Rig, SoakError, tally_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rig(graph: Any, loader: Any) -> Any:
    """A rig and a node with a stand-in for its network, both in this process."""
    loader.whole = True
    arguments = [part for name, value in parameters({}).items() for part in ("-p", f"{name}:={value}")]
    node = graph.run(PoseNode, arguments, load=loader)
    rig = Rig(64, 48, 30.0, lambda: None)
    rig.the_node, rig.the_loader = node, loader
    rig.listen("poses", True)
    rig.filming = True
    rig.until(lambda: rig.latencies and rig.state == "active", "the first result")
    yield rig
    rig.close()


def test_every_event_leaves_a_node_that_answers_and_whose_sum_is_right(rig: Any) -> None:
    import numpy as np

    for name, happen in Events(rig, np.random.default_rng(0)).all().items():
        happen()
        rig.answer(rig.now(), name)
        rig.quiet(name)
    assert not rig.ledger.trouble
    assert rig.ledger.total("processed") > 0
    assert rig.ledger.unaccounted == 0
    assert rig.ledger.before.received > 0, "the node was activated anew, and its counts are not forgotten"


def test_peace_and_overload_are_measured(rig: Any) -> None:
    run = Soak(Plan(3.0, 64, 48), rig, os.getpid())
    run.live()
    rows = {(row["what"], row["about"]): row["value"] for row in run.rows()}
    assert rows["capacity", "measured"] > 0.0
    assert rows["processed", "overload"] > 0.0
    assert ("own memory last", "overload") in rows
    assert rows["events", "after each of them it answered again"] >= 1
    assert rows["memory last", "of the node"] > 20.0
    assert not rig.ledger.trouble


def test_image_that_vanishes_in_the_node_is_found_out(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from openpose_ros.ros import soak_rig

    vanished: list[Any] = []
    monkeypatch.setattr(rig.the_node._streams[0], "read", vanished.append)  # neither read nor counted
    rig.until(lambda: vanished, "an image")
    monkeypatch.setattr(soak_rig, "PATIENCE", 2.0)
    rig.quiet("at the end")
    (sentence,) = rig.ledger.trouble
    assert sentence.startswith("at the end, the node has received ")
    assert rig.ledger.unaccounted == len(vanished)


def test_node_that_answers_no_more_is_found_out(rig: Any) -> None:
    (estimator,) = rig.the_loader.estimators
    estimator.gate.clear()
    try:
        rig.wait(0.2)
        stamp = rig.now()
        with pytest.raises(SoakError, match="waited 0.5 s in vain for a result"):
            rig.until(lambda: rig.answered >= stamp, "a result", 0.5)
    finally:
        estimator.gate.set()


def test_request_without_effect_is_sent_again_and_named_in_the_end(rig: Any) -> None:
    with pytest.raises(SoakError, match="set_enabled had no effect within 0.5 s; the node is active"):
        rig.ask(SetBool, "set_enabled", SetBool.Request(data=True), lambda: False, 0.5)
    assert rig.ask(GetState, "get_state", GetState.Request()).current_state.label == "active"


def test_images_are_told_apart_by_who_could_hear_them(rig: Any) -> None:
    rig.quiet("before")
    rig.filming = False
    sent = rig.ledger.sent
    rig.shoot()
    rig.counted = False
    rig.shoot()
    assert (rig.ledger.sent, rig.ledger.between) == (sent + 1, 1)
    rig.counted = True
    rig.listen("poses", False)
    rig.until(lambda: not rig.heard, "the node to let go")
    rig.shoot()
    assert (rig.ledger.sent, rig.ledger.unheard) == (sent + 1, rig.ledger.unheard)
    assert rig.ledger.unheard >= 1


def test_status_without_counts_is_no_tally() -> None:
    from diagnostic_msgs.msg import DiagnosticStatus

    with pytest.raises(KeyError):
        tally_of(DiagnosticStatus())


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_short_soak_of_a_real_process_passes_and_is_told(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    command = [
        sys.executable,
        "-m",
        "openpose_ros",
        "benchmark",
        "soak",
        "0.1",
        "--size",
        "320x240",
        "--json",
        str(out),
    ]
    ended = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing that the node received was lost without being counted" in ended.stdout
    rows = json.loads(out.read_text())["soak"]
    told = {row["what"]: row["value"] for row in rows[:12]}
    assert told["not accounted"] == 0
    assert told["sent"] == told["transport"] + told["received"]
    assert told["processed"] > 10


def test_node_that_cannot_start_is_told_with_its_log(
    domain: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "isolate", lambda: None)  # this process is isolated, and other tests need its domain
    assert main(["soak", "0.1", "--model", "nowhere.yaml"]) == 1
    said = capsys.readouterr().err
    assert "pose_node ended with exit code 1" in said
    assert "no model card at nowhere.yaml" in said


@pytest.mark.parametrize("arguments", [[], ["0"], ["soon"], ["nan"], ["1", "--size", "huge"], ["1", "--rate", "0"]])
def test_bad_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["soak", *arguments])
    assert ended.value.code == 2
    assert "usage: benchmark soak" in capsys.readouterr().err
