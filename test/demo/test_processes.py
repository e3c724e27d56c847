"""Nodes as processes: they end with the demo, and what they said last is told."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openpose_ros.demo import processes
from openpose_ros.demo.processes import NodeEndedError, Nodes, isolate
from openpose_ros.ros import fastdds

ROOT = Path(__file__).resolve().parents[2]


def stand_in(path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Let nodes run a script of ours in place of Python."""
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(processes.sys, "executable", str(path))


def runs(process: int) -> bool:
    """Whether a process is there and not merely waiting to be counted out."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(path: Path) -> int:
    for _ in range(400):
        if path.is_file() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


def test_a_node_that_ends_is_told_with_its_last_lines() -> None:
    def until_it_ends(nodes: Nodes) -> None:
        for _ in range(200):
            nodes.check()
            time.sleep(0.05)

    with Nodes() as nodes:
        nodes.start("no_such_command", {})
        with pytest.raises(NodeEndedError, match="no_such_command ended with exit code 2") as told:
            until_it_ends(nodes)
    assert "unknown command 'no_such_command'" in str(told.value)


@pytest.mark.parametrize("stubborn", [False, True], ids=["willing", "deaf"])
def test_leaving_the_block_ends_every_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    stand_in(
        tmp_path / "python",
        monkeypatch,
        f"{deaf}open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(99)",
    )
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    with Nodes() as nodes:
        nodes.start("pose_node", {})
        number = wait_for(tmp_path / "pid")
        assert runs(number)
    assert not runs(number)


def test_parameters_reach_the_node_as_ros_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "python", monkeypatch, f"open({str(tmp_path / 'said')!r}, 'w').write(repr(sys.argv[1:]))")
    with Nodes() as nodes:
        nodes.start("source_node", {"source": "12", "loop": True, "rate": 4.0, "frame_id": "it's"})
        for _ in range(200):
            if (tmp_path / "said").is_file() and (tmp_path / "said").read_text():
                break
            time.sleep(0.05)
    parameters = ["source:='12'", "loop:=true", "rate:=4.0", "frame_id:='it''s'"]
    flags = [part for parameter in parameters for part in ("-p", parameter)]
    assert (tmp_path / "said").read_text() == repr(["-m", "openpose_ros", "source_node", "--ros-args", *flags])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_node_never_outlives_a_demo_that_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends a child with a parent that was killed")
    script = (
        "import sys, time\n"
        "from openpose_ros.demo import processes\n"
        "node = sys.argv[1]\n"
        "with processes.Nodes() as nodes:\n"
        "    real, sys.executable = sys.executable, node\n"
        "    nodes.start('pose_node', {})\n"
        "    time.sleep(99)\n"
    )
    node = tmp_path / "node"
    place = tmp_path / "pid"
    node.write_text(
        f"#!{sys.executable}\nimport os, time\nopen({str(place)!r}, 'w').write(str(os.getpid()))\ntime.sleep(99)\n"
    )
    node.chmod(0o700)
    demo = subprocess.Popen(
        [sys.executable, "-c", script, str(node)],
        cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        child = wait_for(place)
        demo.send_signal(number)
        demo.wait(20)
        for _ in range(200):
            if not runs(child):
                break
            time.sleep(0.05)
        assert not runs(child)
    finally:
        demo.kill()


def test_isolation_leaves_this_machine_and_this_domain_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_DOMAIN_ID", "ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS"):
        monkeypatch.setenv(name, "192.168.0.7")
    for name in fastdds.VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    isolate()
    assert {Path(os.environ[name]) for name in fastdds.VARIABLES} == {ROOT / "config" / "fastdds.xml"}
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_STATIC_PEERS" not in os.environ
    assert "ROS_LOCALHOST_ONLY" not in os.environ
    monkeypatch.setenv("ROS_DISTRO", "humble")
    isolate()
    assert os.environ["ROS_LOCALHOST_ONLY"] == "1"


def test_the_user_s_own_profile_of_fast_dds_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_DOMAIN_ID", "ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "mine.xml")
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "")
    isolate()
    assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == "mine.xml"
    assert os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] == ""
