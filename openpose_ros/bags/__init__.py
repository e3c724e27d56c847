"""Recorded bags: images out of them, people into them. ROS 2 bags (MCAP, sqlite3) and ROS 1 bags, without any ROS.

``reading.py`` opens a bag and finds its images, ``writing.py`` writes one that has its name only when it is whole,
``messages.py`` fills the messages. rosbags, which knows the file formats, is imported when a bag is opened.
"""

from __future__ import annotations

from pathlib import Path

FILES = frozenset({".mcap", ".db3", ".bag"})
"""Suffixes of bags that are one file: ROS 2's MCAP and sqlite3, and ROS 1's."""

METADATA = "metadata.yaml"
"""What a folder of ROS 2 is recognised by."""


class BagError(ValueError):
    """A bag that cannot be read or written; the text says in one sentence which and why."""


class CutOffError(BagError):
    """A bag whose messages cannot be read any further; those before were."""


def is_bag(path: Path) -> bool:
    """Whether a path looks like a bag: a file with its suffix, or a folder with its metadata or such a file."""
    if path.is_dir():
        return (path / METADATA).is_file() or any(file.suffix in FILES for file in path.iterdir())
    return path.suffix.lower() in FILES


def stem(path: Path) -> str:
    """Name of a bag without the suffix that says how it is stored: folders of ROS 2 have dots in their names."""
    return path.stem if path.suffix.lower() in FILES else path.resolve().name
