"""make setup: what it refuses, in which words, and the choices it makes, without installing anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workspace import machine, once, pytorch, ros_wheels

ROOT = Path(__file__).parents[2]


def executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_missing_compiler_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("cc", "make"):
        executable(tmp_path / tool, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SystemExit, match=r"No C\+\+ compiler found.*apt-get install g\+\+$"):
        machine.check_tools()
    executable(tmp_path / "c++", "exit 0")
    machine.check_tools()


def test_other_processors_are_told_to_source_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(SystemExit, match="this is aarch64 Linux: source a ROS 2 installation"):
        machine.check_platform()


def test_python_without_headers_is_told_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(SystemExit, match=r"apt-get install python3\.\d+-dev"):
        machine.check_python()


def test_python_that_is_too_old_is_refused_in_one_sentence(tmp_path: Path) -> None:
    old = executable(tmp_path / "python3.9", '[ "$1" = --version ] && echo Python 3.9.1; exit 1')
    environment = {**os.environ, "PYTHON": str(old), "AMENT_PREFIX_PATH": ""}
    run = subprocess.run([ROOT / "workspace/setup.sh"], env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"make setup needs CPython 3.10 to 3.13, and PYTHON={old} answers")
    assert "Python 3.9.1" in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["installation", "virtual environment", "no rclpy"])
def test_only_a_ros_installation_counts_as_sourced(tmp_path: Path, kind: str) -> None:
    prefix = tmp_path / "prefix"
    (prefix / "share" / ("other" if kind == "no rclpy" else "rclpy")).mkdir(parents=True)
    if kind == "virtual environment":
        (prefix / "pyvenv.cfg").touch()
    environment = {**os.environ, "ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": f"{tmp_path}/overlay:{prefix}"}
    command = ["bash", "-c", ". workspace/sourced_ros.sh; sourced_ros"]
    run = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert run.stdout == (f"{prefix}\n" if kind == "installation" else "")


def test_wheels_name_this_machines_headers_after_the_repair(tmp_path: Path) -> None:
    numpy = tmp_path / "lib/python3.11/site-packages/numpy/_core/include"
    cmake = tmp_path / "share/some_msgs/cmake"
    for folder in (numpy, cmake):
        folder.mkdir(parents=True)
    foreign = (
        "/opt/python/cp311-cp311/include/python3.11;/opt/python/x/lib/python3.11/site-packages/numpy/_core/include"
    )
    file = cmake / "export_some_msgsExport.cmake"
    file.write_text(f'INTERFACE_INCLUDE_DIRECTORIES "{foreign};${{_IMPORT_PREFIX}}/include"\n')
    for _ in range(2):
        ros_wheels.repair(tmp_path)
        assert "/opt/python" not in file.read_text()
        assert f';{numpy};${{_IMPORT_PREFIX}}/include"' in file.read_text()


@pytest.mark.parametrize(
    ("requires", "gpu", "index", "taken"),
    [
        (["nvidia-cudnn-cu13==9; platform_system == 'Linux'"], False, "", pytorch.CPU_INDEX),
        (["nvidia-cudnn-cu13==9; platform_system == 'Linux'"], True, "", ""),
        (["nvidia-cudnn-cu13==9; platform_system == 'Linux'"], False, "https://mine.example", "https://mine.example"),
        (["filelock", "triton; extra == 'speed'"], False, "", ""),
    ],
)
def test_pytorch_comes_without_cuda_only_where_it_would_be_useless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requires: list[str], gpu: bool, index: str, taken: str
) -> None:
    # Stands for pip: writes the report that it is asked for, and notes how it was called.
    pip = tmp_path / "pip.py"
    pip.write_text(
        "import json, sys; from pathlib import Path; a = sys.argv\n"
        f"report = {{'install': [{{'metadata': {{'requires_dist': {requires!r}}}}}]}}\n"
        "if '--report' in a: Path(a[a.index('--report') + 1]).write_text(json.dumps(report))\n"
        f"else: Path({str(tmp_path / 'called')!r}).write_text(' '.join(a[1:]))\n"
    )
    if gpu:
        executable(tmp_path / "nvidia-smi", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    pytorch.install([sys.executable, str(pip)], index)
    called = (tmp_path / "called").read_text()
    assert called == (f"--index-url {taken} " if taken else "") + f"-r {pytorch.PIN}"


def test_digest_tells_names_contents_and_missing_files_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "ROOT", tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    seen = {once.digest([one])}
    one.write_text("a")
    seen.add(once.digest([one]))
    one.write_text("b")
    seen.add(once.digest([one]))
    two.write_text("b")
    seen |= {once.digest([two]), once.digest([one, two]), once.digest([one], ["fact"])}
    assert len(seen) == 6
    assert once.digest([one, two]) == once.digest([two, one])
