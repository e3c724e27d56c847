"""What images go through: the profile of Fast DDS, and shared memory. The reasons stand in docs/transport.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State
from openpose_ros.ros.fastdds import VARIABLES, profile

WITH_OLD_NAME = ("humble", "iron", "jazzy")
"""Distributions whose Fast DDS reads the first of ``VARIABLES``."""

ONE_IMAGE = 640 * 480 * 3
"""Bytes of the smallest usual colour image; where less fits, it is cut into pieces."""

A_PROCESS = 34 * 2**20
"""Bytes of /dev/shm that a process with the profile takes."""


def fast_dds(environment: Mapping[str, str], middleware: Answer) -> Iterator[Finding]:
    """Whether images get through whole."""
    if not _is_fast_dds(middleware):
        return
    old = environment.get("ROS_DISTRO", "") in WITH_OLD_NAME
    name, other = VARIABLES if old else reversed(VARIABLES)
    given = environment.get(name, "")
    remedy = f"export {name}={profile() or 'config/fastdds.xml'} for every process that images pass (docs/transport.md)"
    if not given and environment.get(other):
        found = f"{other} is set, which the Fast DDS of {environment.get('ROS_DISTRO') or 'this ROS'} does not read"
        yield Finding("Fast DDS profile", State.FIX, found, remedy)
    elif not given:
        yield Finding("Fast DDS profile", State.BETTER, "none: most best-effort images get lost on the way", remedy)
    else:
        yield _judged(Path(given), remedy)


def shared_memory(middleware: Answer, folder: Path = Path("/dev/shm")) -> Iterator[Finding]:
    """Whether Fast DDS finds room, and whether somebody else's files are in its way."""
    if not _is_fast_dds(middleware):
        return
    try:
        space = os.statvfs(folder)
    except OSError as error:
        yield Finding(str(folder), State.BETTER, f"cannot be used: {error.strerror}", "mount a tmpfs there")
        return
    total, free = space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize
    about = f"{free >> 20} of {total >> 20} MiB free"
    if not os.access(folder, os.W_OK):
        remedy = f"chmod 1777 {folder}: without it images go through sockets"
        yield Finding(str(folder), State.BETTER, f"{about}, but this user may not write there", remedy)
    elif total < 4 * A_PROCESS:
        remedy = "docker run --shm-size=512m, or --ipc=host: each process with the profile takes 34 MB"
        yield Finding(str(folder), State.BETTER, f"{about}, which is little", remedy)
    elif free < 2 * A_PROCESS:
        remedy = "fastdds shm clean gives back what killed processes left there"
        yield Finding(str(folder), State.BETTER, f"{about}, which is little", remedy)
    else:
        yield Finding(str(folder), State.OK, about)
    others = _others(folder)
    if others:
        remedy = "run all nodes as one user, or without shared memory: two users discover each other and hear nothing"
        yield Finding("its users", State.BETTER, f"Fast DDS also runs as {', '.join(others)}", remedy)


def _is_fast_dds(middleware: Answer) -> bool:
    return middleware.given and "fastrtps" in middleware.facts["name"]


def _judged(path: Path, remedy: str) -> Finding:
    try:
        tree = ElementTree.parse(path)
    except OSError as error:
        return Finding("Fast DDS profile", State.FIX, f"{path} cannot be read: {error.strerror}", remedy)
    except ElementTree.ParseError as error:
        return Finding("Fast DDS profile", State.FIX, f"{path} is no XML: {error}", remedy)
    texts = [(one.text or "").strip() for one in tree.iter() if one.tag.endswith("segment_size")]
    sizes = [int(text) for text in texts if text.isdigit()]
    if max(sizes, default=0) < ONE_IMAGE:
        found = f"{path} leaves the shared memory smaller than an image"
        return Finding("Fast DDS profile", State.BETTER, found, remedy)
    return Finding("Fast DDS profile", State.OK, f"{path}, {max(sizes) >> 20} MiB of shared memory")


def _others(folder: Path) -> list[str]:
    """Numbers of other users who own files of Fast DDS."""
    owners = set()
    for pattern in ("fastrtps_*", "fastdds_*"):
        for file in folder.glob(pattern):
            try:
                owners.add(file.stat().st_uid)
            except OSError:  # it has just ended
                continue
    return [f"user {number}" for number in sorted(owners - {os.getuid()})]
