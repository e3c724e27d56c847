"""A new bag, which has its name only when it is whole: it is written beside it and renamed at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from openpose_ros.bags import METADATA, BagError
from openpose_ros.bags.reading import Definition
from openpose_ros.bags.types import need_rosbags, ros2

STORAGES = {"mcap": ".mcap", "sqlite3": ".db3"}
"""How bags are stored, and the suffix of their files."""

VERSION: Final = 8
"""Of the metadata. Version 9 writes qualities of service in a way that Humble cannot read."""


class Quality(NamedTuple):
    """The quality of service that a player is to offer on a topic; always reliable."""

    depth: int
    latched: bool = False


def storage_of(target: Path, storage: str = "") -> str:
    """How a bag of this name is stored: by what was asked for, else its suffix, else mcap.

    Raises:
        BagError: the suffix is that of a file that cannot be written, or of another storage.
    """
    suffix = target.suffix.lower()
    if suffix == ".bag":
        raise BagError(f"{target} would be a bag of ROS 1, which can only be read; expected .mcap, .db3 or a folder")
    by_suffix = next((name for name, its in STORAGES.items() if its == suffix), "")
    if storage and by_suffix and storage != by_suffix:
        raise BagError(f"{target} is stored as {by_suffix}, not as {storage}; leave out one of the two")
    return storage or by_suffix or "mcap"


def check_target(target: Path, source: Path, overwrite: bool) -> None:
    """Refuse to write where something is that must stay.

    Raises:
        BagError: it is the source or lies in it, is no bag, or is there and may not be overwritten.
    """
    if target.exists() and target.samefile(source):
        raise BagError(f"{target} is the bag that is read; expected another name for the new one")
    if source.is_dir() and source.resolve() in target.resolve().parents:
        raise BagError(f"{target} lies in the bag {source} that is read; expected a place outside")
    if not target.exists():
        return
    if target.is_dir() and not (target / METADATA).is_file():
        raise BagError(f"{target} is a folder without {METADATA}, no bag; it is not overwritten")
    if not overwrite:
        raise BagError(f"{target} is there already; --overwrite replaces it")


class NewBag:
    """A bag on its way; a context manager that leaves nothing behind unless ``finish`` was called.

    Attributes:
        target: where it will be: a folder as ``ros2 bag record`` makes it, or one file where the name has a suffix.
    """

    def __init__(self, target: Path, storage: str = "") -> None:
        """Begin to write.

        Raises:
            BagError: the place cannot be written to, or rosbags is not installed.
        """
        need_rosbags()
        from rosbags.rosbag2 import StoragePlugin, Writer

        self.target = target
        self._storage = storage_of(target, storage)
        self._as_file = target.suffix.lower() in STORAGES.values()
        self._connections: dict[str, Any] = {}
        with _sentences(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._part = Path(tempfile.mkdtemp(prefix=f".{target.stem}.", suffix=".part", dir=target.parent))
            self._folder = self._part / (target.stem if self._as_file else target.name)
            self._writer = Writer(self._folder, version=VERSION, storage_plugin=StoragePlugin[self._storage.upper()])
            self._writer.open()

    def add(self, topic: str, kind: str, quality: Quality) -> None:
        """Announce a topic of a type that :func:`openpose_ros.bags.types.ros2` knows."""
        with _sentences(self.target):
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=ros2(), offered_qos_profiles=[_qos(quality)]
            )

    def add_copied(self, topic: str, kind: str, definition: Definition) -> None:
        """Announce a topic whose messages are written as they were stored."""
        text, digest, qualities = definition
        with _sentences(self.target):
            self._connections[topic] = self._writer.add_connection(
                topic, kind, msgdef=text, rihs01=digest, offered_qos_profiles=qualities
            )

    def write(self, topic: str, time: int, message: Any) -> None:
        """Add a message, recorded at so many nanoseconds since 1970."""
        connection = self._connections[topic]
        self.write_stored(topic, time, bytes(ros2().serialize_cdr(message, connection.msgtype)))

    def write_stored(self, topic: str, time: int, data: bytes) -> None:
        """Add a message as another bag stored it."""
        with _sentences(self.target):
            self._writer.write(self._connections[topic], time, data)

    def finish(self) -> None:
        """Complete the bag and give it its name, in place of what is there.

        Raises:
            BagError: it cannot be written to the end; what was there is still there.
        """
        with _sentences(self.target):
            self._writer.close()
            made = self._folder / f"{self._folder.name}{STORAGES[self._storage]}" if self._as_file else self._folder
            before = self._part / "before"
            if self.target.exists():
                self.target.rename(before)
            try:
                made.rename(self.target)
            except OSError:
                if before.exists():
                    before.rename(self.target)
                raise
        shutil.rmtree(self._part, ignore_errors=True)

    def __enter__(self) -> NewBag:
        return self

    def __exit__(self, *error: object) -> None:
        if self._part.exists():
            self._writer.abort()
            shutil.rmtree(self._part, ignore_errors=True)


@contextmanager
def _sentences(target: Path) -> Iterator[None]:
    """What the disk or rosbags complain about, as one sentence."""
    import sqlite3

    from rosbags.rosbag2 import WriterError

    try:
        yield
    except OSError as error:
        raise BagError(f"{target} cannot be written: {error.strerror or error}") from None
    except (WriterError, sqlite3.Error) as error:
        raise BagError(f"{target} cannot be written: {error}") from None


def _qos(quality: Quality) -> Any:
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    forever = QosTime(sec=9223372036, nsec=854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=quality.depth,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if quality.latched else QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )
