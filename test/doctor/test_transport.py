from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from openpose_ros.doctor import transport
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State
from openpose_ros.ros.fastdds import VARIABLES

FAST = Answer({"name": "rmw_fastrtps_cpp"})
OURS = str(Path(__file__).parents[2] / "config" / "fastdds.xml")
OLD, NEW = VARIABLES


@pytest.mark.parametrize(
    ("environment", "state", "told"),
    [
        ({"ROS_DISTRO": "jazzy", OLD: OURS}, State.OK, "32 MiB"),
        ({"ROS_DISTRO": "kilted", NEW: OURS}, State.OK, "32 MiB"),
        ({"ROS_DISTRO": "kilted", OLD: OURS}, State.FIX, "does not read"),
        ({"ROS_DISTRO": "jazzy", NEW: OURS}, State.FIX, "does not read"),
        ({"ROS_DISTRO": "jazzy"}, State.BETTER, "none"),
        ({"ROS_DISTRO": "jazzy", OLD: "/nowhere.xml"}, State.FIX, "No such file"),
        ({"ROS_DISTRO": "jazzy", OLD: __file__}, State.FIX, "no XML"),
    ],
)
def test_the_profile_is_judged_for_the_distribution(environment: dict[str, str], state: State, told: str) -> None:
    (finding,) = transport.fast_dds(environment, FAST)
    assert finding.state is state
    assert told in finding.found
    variable = NEW if environment["ROS_DISTRO"] == "kilted" else OLD
    assert (f"export {variable}=" in finding.remedy) == (state is not State.OK)


def test_a_profile_without_room_for_an_image_is_told(tmp_path: Path) -> None:
    small = tmp_path / "small.xml"
    small.write_text('<a xmlns="urn:x"><segment_size>524288</segment_size><segment_size>many</segment_size></a>')
    (finding,) = transport.fast_dds({"ROS_DISTRO": "jazzy", OLD: str(small)}, FAST)
    assert finding.state is State.BETTER
    assert "smaller than an image" in finding.found


def test_other_middleware_needs_no_profile() -> None:
    assert list(transport.fast_dds({}, Answer({"name": "rmw_cyclonedds_cpp"}))) == []
    assert list(transport.fast_dds({}, Answer(missing=True))) == []
    assert list(transport.shared_memory(Answer(missing=True))) == []


@pytest.mark.parametrize(
    ("total", "free", "state", "remedy"),
    [(64, 64, State.BETTER, "--shm-size"), (8000, 40, State.BETTER, "shm clean"), (8000, 7000, State.OK, "")],
)
def test_little_shared_memory_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, state: State, remedy: str
) -> None:
    blocks = SimpleNamespace(f_blocks=total << 8, f_bavail=free << 8, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda folder: blocks)
    (finding,) = transport.shared_memory(FAST, tmp_path)
    assert finding.state is state
    assert remedy in finding.remedy
    assert f"{free} of {total} MiB" in finding.found


def test_files_of_another_user_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fastrtps_port7412").touch()
    assert [finding.name for finding in transport.shared_memory(FAST, tmp_path)] == [str(tmp_path)]
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    _, others = transport.shared_memory(FAST, tmp_path)
    assert f"user {(tmp_path / 'fastrtps_port7412').stat().st_uid}" in others.found
    assert "one user" in others.remedy


def test_no_shared_memory_is_told(tmp_path: Path) -> None:
    (finding,) = transport.shared_memory(FAST, tmp_path / "none")
    assert finding.state is State.BETTER
