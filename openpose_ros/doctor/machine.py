"""The computer, its memory, and the Python that runs."""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State

OLDEST_PYTHON = (3, 10)

WANTED_MIB = 1024
"""Free memory below which a node with its libraries may be ended by the system; measured in docs/install.md."""

VENV_HINT = "python3 -m venv --system-site-packages"


def python(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Version, virtual environment, and whether pip may install here."""
    venv = sys.prefix != sys.base_prefix
    place = f"virtual environment {sys.prefix}" if venv else sys.executable
    about = f"{platform.python_version()}, {place}"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("Python", State.FIX, about, "take Python 3.10 or newer, which every supported ROS 2 has")
    elif not venv and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        remedy = f"pip refuses to install here (PEP 668): make a virtual environment with {VENV_HINT} .venv"
        yield Finding("Python", State.NOTE, about, remedy)
    elif venv and "/opt/ros/" in environment.get("AMENT_PREFIX_PATH", "") and not _sees_system(Path(sys.prefix)):
        remedy = f"ROS's Python needs packages of the system: make the environment anew with {VENV_HINT}"
        yield Finding("Python", State.BETTER, f"{about}, which hides the system's packages", remedy)
    else:
        yield Finding("Python", State.OK, about)


def processor(answer: Answer) -> Iterator[Finding]:
    """Architecture, cores, and whether the network may run in bfloat16."""
    about = f"{platform.machine()} {platform.system()}"
    if not answer.given:
        yield Finding("processor", State.NOTE, f"{about}; nothing more is known: {answer.error}")
        return
    cores, fast = answer.facts["cores"], answer.facts["bfloat16"]
    half = "bfloat16 in hardware" if fast else "no fast bfloat16: what is not there in int8 runs in float32 on it"
    yield Finding("processor", State.OK, f"{about}, {cores} core{'s' if cores > 1 else ''}, {half}")


def memory(root: Path = Path("/")) -> Iterator[Finding]:
    """What is free, within the bounds of a container."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        sizes = {name: int(rest.split()[0]) // 1024 for name, _, rest in (line.partition(":") for line in lines)}
        free, total = sizes["MemAvailable"], sizes["MemTotal"]
    except (OSError, ValueError, IndexError, KeyError):
        yield Finding("memory", State.NOTE, "cannot be told on this system")
        return
    bound = _container_mib(root)
    about = f"{free} of {total} MiB free"
    if bound is not None and bound < total:
        about = f"{about}, {bound} MiB of them for this container"
        free = min(free, bound)
    if free >= WANTED_MIB:
        yield Finding("memory", State.OK, about)
    else:
        remedy = "end other programs, or give the machine or the container more: a node takes 0.6 GB, more with a GPU"
        yield Finding("memory", State.FIX, about, remedy)


def _sees_system(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text().lower()
    except OSError:
        return True
    return any(line.replace(" ", "") == "include-system-site-packages=true" for line in text.splitlines())


def _container_mib(root: Path) -> int | None:
    """The bound of the control group (version 2); None where there is none."""
    try:
        return int((root / "sys/fs/cgroup/memory.max").read_text()) // 2**20
    except (OSError, ValueError):
        return None
