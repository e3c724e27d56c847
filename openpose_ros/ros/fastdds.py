"""The Fast DDS profile for camera images, config/fastdds.xml: where it is, and how a process is given it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""What Fast DDS reads up to Jazzy, and from Kilted on."""


def profile() -> Path | None:
    """The file, from the checkout or installed; None if it is in neither."""
    return next((path for path in _places() if path.is_file()), None)


def added_to(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that give a process the profile; none where the environment names a profile already."""
    path = profile()
    if path is None or any(environment.get(name) for name in VARIABLES):
        return {}
    return dict.fromkeys(VARIABLES, str(path))


def _places() -> Iterator[Path]:
    yield Path(__file__).resolve().parents[2] / "config" / "fastdds.xml"
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        yield Path(prefix, "share", "openpose_ros", "config", "fastdds.xml")
