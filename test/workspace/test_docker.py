"""The Dockerfile, read: without an engine nothing is built here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from openpose_ros.commands import COMMANDS

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
SOURCES = "src/openpose_ros"
TOOLS = {"python3-venv"}
"""What is installed for the build alone."""

FROM_APT = {"numpy": "python3-numpy", "pyyaml": "python3-yaml", "scipy": "python3-scipy", "tqdm": "python3-tqdm"}


class Step(NamedTuple):
    """An instruction and its words."""

    kind: str
    words: list[str]


def steps() -> list[Step]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    found = []
    for line in lines:
        kind, _, rest = line.partition(" ")
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest) if kind != "RUN" else [rest]
        found.append(Step(kind, words))
    return found


def commands() -> list[list[str]]:
    """Everything that RUN runs, command by command."""
    lines = [part for step in steps() if step.kind == "RUN" for part in step.words[0].split("&&")]
    return [shlex.split(line) for line in lines]


def copies() -> list[tuple[str, str]]:
    return [(source, step.words[-1]) for step in steps() if step.kind == "COPY" for source in step.words[:-1]]


def installed(*command: str) -> set[str]:
    """Names given to a command, its options and their values left out."""
    found = set()
    for words in commands():
        at = [Path(word).name for word in words]
        if at[: len(command)] == list(command):
            rest = iter(words[len(command) :])
            for word in rest:
                if word == "--index-url":
                    next(rest)
                elif not word.startswith("-"):
                    found.add(re.split(r"[\[<>=]", word)[0])
    return found


def requirements() -> dict[str, set[str]]:
    """Names of packages by extra; "" are those that are always needed."""
    code = (
        "import setuptools, json; from distutils.core import run_setup; d = run_setup('setup.py', stop_after='init');"
        "print(json.dumps({'': d.install_requires, **d.extras_require}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    table = json.loads(run.stdout.splitlines()[-1])
    return {extra: {re.split(r"[<>=]", line)[0].lower() for line in lines} for extra, lines in table.items()}


def test_everything_that_is_copied_exists() -> None:
    assert copies()
    assert [source for source, _ in copies() if not (ROOT / source).exists()] == []


def test_the_engine_is_given_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for source, _ in copies()}
    assert allowed == {source for source in copied if not any(source.startswith(f"{other}/") for other in copied)}


@pytest.mark.parametrize("purpose", ["cpu", "gpu"])
def test_every_image_has_a_tag_that_stays(purpose: str) -> None:
    given = dict(step.words[0].split("=", 1) for step in steps() if step.kind == "ARG")
    assert given["FOR"] == "cpu"
    given["FOR"] = purpose
    stages: set[str] = set()
    for image, *name in (step.words for step in steps() if step.kind == "FROM"):
        for variable, value in given.items():
            image = image.replace(f"${{{variable}}}", value)
        assert image in stages or re.fullmatch(r"[\w./-]+:[\w.-]+", image), image
        assert "latest" not in image
        stages |= set(name[1:])
    assert f"for-{purpose}" in stages


def test_apt_installs_only_tools_because_rosdep_reads_the_manifests() -> None:
    assert installed("apt-get", "install") == TOOLS
    (rosdep,) = (words for words in commands() if words[:2] == ["rosdep", "install"])
    paths = rosdep[rosdep.index("--from-paths") + 1 : rosdep.index("--ignore-src")]
    assert paths == [SOURCES, f"{SOURCES}/openpose_msgs"]
    assert all((ROOT / Path(path).relative_to(SOURCES) / "package.xml").is_file() for path in paths)


def test_pip_installs_what_setup_names_and_leaves_nothing_out() -> None:
    named = requirements()
    given = installed("pip", "install")
    assert given <= set().union(*named.values())
    assert named[""] - given == set(FROM_APT)
    assert given >= named["cpu"] | named["bags"] | named["gpu"] | named["torch"]
    keys = (ROOT / "package.xml").read_text()
    assert all(f">{key}<" in keys for key in FROM_APT.values())


def test_what_is_copied_installs_as_the_checkout_does(tmp_path: Path) -> None:
    for source, target in copies():
        if target.startswith(SOURCES):
            place = tmp_path / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    code = (
        "import setuptools; from distutils.core import run_setup; d = run_setup('setup.py', stop_after='init');"
        "print(sorted(d.packages), sorted((to, sorted(files)) for to, files in d.data_files), d.package_data)"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True).stdout
        for folder in (ROOT, tmp_path / SOURCES)
    ]
    assert told[0] == told[1]


def test_the_entry_point_is_a_script_that_bash_accepts() -> None:
    (entry,) = (step.words for step in steps() if step.kind == "ENTRYPOINT")
    source = next(source for source, target in copies() if target == entry[0])
    assert os.access(ROOT / source, os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / source)], check=True)


def test_what_runs_by_itself_and_the_profile_are_in_the_package() -> None:
    (command,) = (step.words for step in steps() if step.kind == "CMD")
    assert command[:3] == ["ros2", "launch", "openpose_ros"]
    assert (ROOT / "launch" / command[3]).is_file()
    share = "/ws/install/openpose_ros/share/openpose_ros/"
    paths = [word.split("=")[1] for step in steps() if step.kind == "ENV" for word in step.words if share in word]
    assert len(paths) == 2
    assert all((ROOT / path.removeprefix(share)).is_file() for path in paths)
    assert "doctor" in COMMANDS  # docs/install.md runs it in the container
