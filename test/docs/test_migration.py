"""The migration page names commands, flags and files that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from openpose_ros.commands import COMMANDS
from openpose_ros.commands.openpose_flags import FLAGS, MAPS, REFUSED, SCALES
from openpose_ros.weights.published import PUBLISHED

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "migration.md").read_text()
CALLED = ("predict", "evaluate", "export", "convert", "download", "prepare", "preview", "train", "bag_poses")


def sections() -> dict[str, list[tuple[str, str]]]:
    """Rows (theirs, ours) of the tables below each heading."""
    found: dict[str, list[tuple[str, str]]] = {}
    title = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            title = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") or (line.startswith("| ") and len(cells) == 2):
            found.setdefault(title, []).append((cells[0], cells[1]))
    return found


@cache
def known(command: str) -> set[str]:
    """Every flag of a command, or of one of its kinds."""
    words = ["download", "cmu_coco"] if command == "download" else [command]
    done = subprocess.run(
        [sys.executable, "-m", "openpose_ros", *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"--[a-z][a-z-]*", done.stdout)) | {"--to"}


def test_all_five_projects_and_openpose_itself_are_there() -> None:
    titles = " ".join(sections())
    for project in ("CMU", "TensorLayer", "tf-openpose", "openpose-pytorch", "lightweight", "Yet Another", "Keras"):
        assert project in titles
    assert "not affiliated" in PAGE and "none of their code is in it" in PAGE


@pytest.mark.parametrize("title", sections())
def test_our_side_names_flags_that_there_are(title: str) -> None:
    everywhere = set().union(*(known(command) for command in ("predict", "evaluate", "export")))
    for _, ours in sections()[title]:
        for text in re.findall(r"`([^`]+)`", ours):
            words = text.split()
            command = words[0] if words[0] in CALLED else ""
            if not command and not words[0].startswith("--"):
                continue  # a command of others
            there = known(command) if command else everywhere
            for flag in (word for word in words if word.startswith("--")):
                assert flag in there, f"{text}: {flag}"


def test_openpose_s_own_flags_are_those_that_are_taken_or_refused() -> None:
    names = {*FLAGS, *MAPS, *SCALES, *REFUSED}
    for theirs, _ in sections()["CMU's OpenPose"]:
        for flag in re.findall(r"--([A-Za-z0-9_]+)", theirs):
            assert flag in names


def test_files_networks_and_commands_exist() -> None:
    for path in re.findall(r"config/train/[a-z0-9_.]+yaml", PAGE):
        assert (ROOT / path).is_file(), path
    for name in re.findall(r"download ([a-z0-9_.-]+)", PAGE):
        assert name in {*PUBLISHED, "coco2017", "--network"}, name
    for name in re.findall(r"-m openpose_ros ([a-z_]+)", PAGE):
        assert name in COMMANDS
    for link in re.findall(r"\]\(([a-z0-9/._-]+)\)", PAGE):
        assert (ROOT / "docs" / link).is_file(), link
