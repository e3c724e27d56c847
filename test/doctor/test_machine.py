from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openpose_ros.doctor import machine
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State


def mounted(root: Path, free: int, total: int, bound: str | None = None) -> Path:
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: {total * 1024} kB\nMemAvailable: {free * 1024} kB\n")
    if bound is not None:
        (root / "sys/fs/cgroup").mkdir(parents=True)
        (root / "sys/fs/cgroup/memory.max").write_text(bound)
    return root


@pytest.mark.parametrize(
    ("free", "bound", "state"),
    [(4000, None, State.OK), (4000, "max\n", State.OK), (500, None, State.FIX), (4000, str(512 * 2**20), State.FIX)],
)
def test_too_little_memory_is_told(tmp_path: Path, free: int, bound: str | None, state: State) -> None:
    (finding,) = machine.memory(mounted(tmp_path, free, 8000, bound))
    assert finding.state is state
    assert bool(finding.remedy) == (state is State.FIX)


def test_a_system_without_proc_is_no_problem(tmp_path: Path) -> None:
    (finding,) = machine.memory(tmp_path)
    assert finding.state is State.NOTE


def test_an_environment_that_hides_the_systems_packages_is_told_where_ros_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    sourced = {"AMENT_PREFIX_PATH": "/opt/ros/jazzy"}
    (finding,) = machine.python(sourced)
    assert finding.state is State.BETTER
    assert "--system-site-packages" in finding.remedy
    (finding,) = machine.python({})
    assert finding.state is State.OK
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    (finding,) = machine.python(sourced)
    assert finding.state is State.OK


def test_a_python_that_the_system_manages_sends_pip_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    (finding,) = machine.python({})
    assert (finding.state, finding.remedy) == (State.OK, "")
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    (finding,) = machine.python({})
    assert finding.state is State.NOTE
    assert "PEP 668" in finding.remedy


def test_a_processor_that_cannot_be_asked_says_why() -> None:
    (finding,) = machine.processor(Answer(error="its process ended with exit status 1"))
    assert "exit status 1" in finding.found
