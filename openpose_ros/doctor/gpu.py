"""NVIDIA GPUs as hardware: the card, or the Jetson, and its driver, told without any library that uses them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State

NVIDIA = "0x10de"

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")

OLDEST_JETSON = 36
"""Jetson Linux of JetPack 6, the first with a Python 3.10."""


class Card(NamedTuple):
    """What is known of the hardware.

    Attributes:
        there: whether an NVIDIA GPU is in the machine.
        jetson: major number of Jetson Linux, such as 36; 0 on other machines.
        found: in words.
        problem, remedy: why it cannot be used, and what to do; empty when it can.
    """

    there: bool
    jetson: int
    found: str
    problem: str = ""
    remedy: str = ""


def card(root: Path = Path("/"), query: Sequence[str] = QUERY) -> Card:
    """Look at the bus, the driver's files and nvidia-smi."""
    jetson, board = _jetson(root)
    if jetson:
        return Card(True, jetson, board)
    works, words = _asked(query)
    if works:
        return Card(True, 0, words)
    if not _on_bus(root):
        return Card(False, 0, "none")
    found = "an NVIDIA GPU is in this machine"
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        remedy = "start the container with --gpus all; the host needs the NVIDIA Container Toolkit"
        return Card(True, 0, found, "this container was not given it", remedy)
    if not (root / "proc/driver/nvidia/version").exists():
        return Card(True, 0, found, "its driver is not loaded", "sudo ubuntu-drivers install, then restart")
    remedy = "restart the machine; if that does not help, install NVIDIA's driver anew"
    return Card(True, 0, found, words or "nvidia-smi is missing", remedy)


def hardware(there: Card, driver: Answer) -> Iterator[Finding]:
    """The card and the newest CUDA of its driver."""
    newest = driver.facts.get("cuda")
    about = there.found + (f"; its driver goes up to CUDA {newest[0]}.{newest[1]}" if newest else "")
    if not there.there:
        yield Finding("GPU", State.NOTE, "no NVIDIA GPU: networks run on the CPU")
    elif there.problem:
        yield Finding("GPU", State.FIX, f"{about}, but {there.problem}", there.remedy)
    elif there.jetson and there.jetson < OLDEST_JETSON:
        remedy = "flash JetPack 6 (for ROS 2 Humble) or JetPack 7 (Jazzy): older ones have no Python 3.10"
        yield Finding("GPU", State.FIX, about, remedy)
    else:
        yield Finding("GPU", State.OK, about)


def _asked(query: Sequence[str]) -> tuple[bool, str]:
    """Whether nvidia-smi lists GPUs, and what it said."""
    try:
        asked = subprocess.run(query, capture_output=True, text=True, errors="replace", timeout=20)
    except FileNotFoundError:
        return False, ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"nvidia-smi does not answer ({type(error).__name__})"
    if asked.returncode == 0 and asked.stdout.strip():
        return True, "; ".join(asked.stdout.strip().splitlines())
    return False, " ".join(f"{asked.stdout} {asked.stderr}".split())


def _jetson(root: Path) -> tuple[int, str]:
    """Major number of Jetson Linux and the board in words; 0 and nothing on other machines."""
    try:
        first = (root / "etc/nv_tegra_release").read_text().partition("\n")[0]
    except OSError:
        return 0, ""
    number = re.search(r"R(\d+).*?REVISION: ([\d.]+)", first)
    try:
        board = (root / "proc/device-tree/model").read_text().strip("\0\n ")
    except OSError:
        board = "Jetson"
    return (int(number[1]), f"{board}, Jetson Linux {number[1]}.{number[2]}") if number else (0, "")


def _on_bus(root: Path) -> bool:
    """Whether a display or 3D controller of NVIDIA is among the PCI devices."""
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text().strip(), (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == NVIDIA and kind.startswith("0x03"):
            return True
    return False
