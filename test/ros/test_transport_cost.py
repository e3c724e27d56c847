"""``benchmark transport``: images really go from process to process; what comes out is a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from openpose_ros.commands.benchmark import main
from openpose_ros.ros import fastdds, transport_cost
from openpose_ros.ros.transport_cost import Plan, rows, run
from openpose_ros.ros.transport_ends import Stream, picture

MEASURED = {
    "arrived_percent", "latency_ms", "latency_p95_ms", "make_ms", "publish_ms", "sender_cpu_ms", "receiver_cpu_ms",
    "read_ms", "kilobytes",
}  # fmt: skip


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "compressed"])
def test_images_arrive_in_another_process(compressed: bool) -> None:
    pytest.importorskip("sensor_msgs.msg")
    found = run(Stream(64, 48, compressed, reliable=True, images=8, rate=40.0), "fastdds.xml")
    assert set(found) == MEASURED
    assert found["arrived_percent"] > 80.0  # with depth 1 a later image may replace one on a busy machine
    assert found["latency_ms"] > 0.0
    assert (found["kilobytes"] == 64 * 48 * 3 / 1e3) is not compressed


def test_the_profile_is_given_or_withheld_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fastdds.VARIABLES[0], "mine.xml")
    default, ours = (transport_cost._environment(profile) for profile in transport_cost.PROFILES)
    assert not set(default) & set(fastdds.VARIABLES)
    assert {Path(ours[name]).name for name in fastdds.VARIABLES} == {"fastdds.xml"}
    assert ours["ROS_DOMAIN_ID"] == default["ROS_DOMAIN_ID"]


def test_a_row_holds_the_medians_of_runs_that_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Stream, str]] = []

    def measured(stream: Stream, profile: str) -> dict[str, Any]:
        calls.append((stream, profile))
        return {"latency_ms": float(len(calls)), "read_ms": None}

    monkeypatch.setattr(transport_cost, "run", measured)
    found = list(rows(Plan(sizes=((64, 48), (32, 24)), images=5, rate=30.0, repeats=3)))
    assert len(found) == 16
    assert len({(r["size"], r["transport"], r["profile"], r["reliability"]) for r in found}) == 16
    assert [row["latency_ms"] for row in found] == [17.0 + number for number in range(16)]
    assert found[0]["read_ms"] is None
    assert calls[0] == calls[16]
    assert {call[0].width for call in calls} == {64, 32}


def test_an_end_that_fails_is_told_with_its_last_words() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "raise ValueError('no camera')"], text=True, stdout=-1, stderr=-1, env=os.environ
    )
    with pytest.raises(OSError, match="the process that is to send images ended: ValueError: no camera"):
        transport_cost._finish("send", child, Stream(64, 48, False, False, images=1, rate=30.0))


def test_the_picture_is_as_heavy_as_a_photo() -> None:
    from std_msgs.msg import Header

    from openpose_ros.ros.images import compress

    assert picture(480, 640).shape == (480, 640, 3)
    assert 0.02 < len(compress(picture(480, 640), Header()).data) / (480 * 640 * 3) < 0.2


def test_the_command_shows_a_table_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plans: list[Plan] = []
    row = {"size": "64x48", "latency_ms": 1.5}
    monkeypatch.setattr(transport_cost, "rows", lambda plan: plans.append(plan) or iter([row]))
    out = tmp_path / "out.json"
    assert main(["transport", "--sizes", "64x48", "--images", "7", "--json", str(out)]) == 0
    assert plans == [Plan(((64, 48),), images=7, rate=30, repeats=3)]
    assert json.loads(out.read_text())["transport"] == [row]
    assert capsys.readouterr().out.split() == ["size", "latency_ms", "64x48", "1.500"]


@pytest.mark.parametrize("size", ["640", "0x480", "640x", "8x8", "-64x48"])
def test_a_size_that_is_none_is_bad_usage(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["transport", "--sizes", size])
    assert ended.value.code == 2
