"""Every executable explains itself, and importing the package costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from openpose_ros import __version__
from openpose_ros.__main__ import main
from openpose_ros.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "cv2", "rclpy", "openvino", "scipy", "numba")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100, env={**os.environ}
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_executable_answers_help(name: str) -> None:
    if COMMANDS[name].module.startswith("openpose_ros.ros.") and find_spec("rclpy") is None:
        pytest.skip("a node needs rclpy")
    done = python("-m", "openpose_ros", name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert name in done.stdout.splitlines()[0]


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if not c.module.startswith("openpose_ros.ros.")])
def test_a_wrong_flag_is_bad_usage(name: str) -> None:
    done = python("-m", "openpose_ros", name, "--no-such-flag")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["openpose_ros", "openpose_ros.__main__", "openpose_ros.commands"])
def test_importing_brings_nothing_heavy(module: str) -> None:
    done = python("-c", f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY!r})))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_help_without_a_command_lists_all_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and command.description in line for line in lines)


def test_an_unknown_command_is_named_and_the_known_ones_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predikt"]) == 2
    told = capsys.readouterr().err
    assert "'predikt'" in told
    assert "predict" in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
