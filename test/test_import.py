"""The package's door: what it offers, and that opening it costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import openpose_ros
from openpose_ros.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]


def loaded_by(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import openpose_ros", {"torch", "cv2", "numba", "scipy", "rclpy", "openvino", "numpy", "yaml"}),
        (
            "from openpose_ros import People",
            {"torch", "cv2", "numba", "scipy", "rclpy", "openvino"},
        ),
        ("from openpose_ros import Estimator", {"torch", "scipy", "rclpy", "openvino", "pycocotools"}),
        ("import openpose_ros.decode", {"torch", "scipy", "rclpy", "openvino", "numba"}),
        ("import openpose_ros.options", {"torch", "numpy", "cv2", "rclpy"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_importing_brings_nothing_that_is_not_needed(statement: str, absent: set[str]) -> None:
    assert not loaded_by(statement) & absent


def test_the_door_offers_the_estimator_and_its_people() -> None:
    from openpose_ros.estimator import Estimator
    from openpose_ros.people import People

    assert openpose_ros.Estimator is Estimator
    assert openpose_ros.People is People
    assert set(openpose_ros.__all__) == {"Estimator", "People"}
    with pytest.raises(AttributeError, match="openpose_ros.*no attribute 'Estimater'"):
        _ = openpose_ros.Estimater


def test_help_lists_every_command_with_a_line_and_costs_no_heavy_import() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "openpose_ros", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and command.description in line for line in done.stdout.splitlines())
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "openpose_ros.commands" in imported
    assert not imported & {"numpy", "cv2", "torch", "yaml", "rclpy"}
