"""A bag -> its images, in the order of their recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from openpose_ros.bags import METADATA, BagError, CutOffError
from openpose_ros.bags.types import CAMERA_INFO, COMPRESSED, IMAGE, need_rosbags, ros1, ros2
from openpose_ros.encodings import ImageError, Range, decompress, to_bgr
from openpose_ros.preprocess import Image

DEPTH = re.compile(r"(16U|32F|64F)C1|.*compressedDepth.*")
"""Encodings and formats of depth images, which show people to nobody."""


class Topic(NamedTuple):
    """A topic of a bag: its name, type and how many messages it has."""

    name: str
    type: str
    messages: int


class Definition(NamedTuple):
    """The text of a type and its RIHS01 digest, and the qualities of service that were offered, as rosbags has them."""

    text: str
    digest: str
    qualities: list[Any]


@dataclass(frozen=True, eq=False)
class Recorded:
    """A message of a bag.

    Attributes:
        topic: where it was published.
        time: when it was recorded, nanoseconds since 1970.
        data: as it was stored.
    """

    topic: Topic
    time: int
    data: bytes


class Bag:
    """A recorded bag, open for reading; a context manager.

    Attributes:
        path: the file or folder.
        topics: everything in it, by name.
        is_ros1: whether ROS 1 wrote it.
    """

    def __init__(self, path: Path) -> None:
        """Open a folder of ROS 2, an .mcap, .db3 or .bag file.

        Raises:
            BagError: it is missing, torn, of another kind, or rosbags is not installed.
        """
        need_rosbags()
        self.path = path
        self._reader = _opened(path)
        self._open = True
        self.is_ros1 = path.suffix.lower() == ".bag"
        self.topics: dict[str, Topic] = {}
        for connection in self._reader.connections:
            name, before = connection.topic, self.topics.get(connection.topic)
            count = connection.msgcount + (before.messages if before else 0)
            self.topics[name] = Topic(name, connection.msgtype, count)

    def close(self) -> None:
        """Close the file; once more does nothing."""
        if self._open:
            self._open = False
            self._reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def image_topics(self, asked: Sequence[str] = (), depth: bool = False) -> list[Topic]:
        """The topics to look for people in.

        Args:
            asked: names; empty takes all that hold pictures, but not the compressed twin of one that is there raw.
            depth: take depth images (16UC1 and the like) for pictures, too.

        Raises:
            BagError: a topic that was asked for is not there or holds no images, or there are no images at all.
        """
        images = {name: topic for name, topic in self.topics.items() if topic.type in (IMAGE, COMPRESSED)}
        there = ", ".join(images) or "none"
        for name in asked:
            if name not in images:
                found = f"holds {self.topics[name].type}" if name in self.topics else "is not there"
                raise BagError(f"the topic {name} {found} in {self.path}; its topics with images: {there}")
        if asked:
            return [images[name] for name in dict.fromkeys(asked)]
        chosen = [
            topic
            for name, topic in images.items()
            if topic.messages and name.removesuffix("/compressed") not in images.keys() - {name}
            if depth or not self._is_depth(topic)
        ]
        if not chosen:
            raise BagError(f"no pictures in {self.path}; its topics of sensor_msgs/Image or CompressedImage: {there}")
        return chosen

    def messages(self, topics: Iterable[Topic]) -> Iterator[Recorded]:
        """The messages of some topics, in the order of their recording.

        Raises:
            CutOffError: the rest of the bag cannot be read.
        """
        wanted = {topic.name: topic for topic in topics}
        connections = [connection for connection in self._reader.connections if connection.topic in wanted]
        if not connections:
            return
        try:
            for connection, time, data in self._reader.messages(connections=connections):
                yield Recorded(wanted[connection.topic], time, data)
        except Exception as error:  # rosbags lets through whatever its parsers run into
            raise CutOffError(f"{self.path} cannot be read any further: {_reason(error)}") from None

    def decoded(self, recorded: Recorded) -> Any:
        """The message itself, an object with the fields of its type.

        Raises:
            ImageError: the stored bytes are no such message.
        """
        name = recorded.topic.type
        try:
            if self.is_ros1:
                return ros1().deserialize_ros1(recorded.data, name)
            return ros2().deserialize_cdr(recorded.data, name)
        except Exception as error:  # torn bytes end in any of a dozen exceptions
            raise ImageError(f"{len(recorded.data)} bytes are no {name}: {_reason(error)}") from None

    def camera(self, topic: Topic) -> Any | None:
        """The first sensor_msgs/CameraInfo beside an image topic, with ROS 2's field names; None without one."""
        name = f"{topic.name.removesuffix('/compressed').rpartition('/')[0]}/camera_info"
        info = self.topics.get(name)
        if info is None or info.type != CAMERA_INFO:
            return None
        try:
            first = next(self.messages([info]), None)
            found: Any = None if first is None else self.decoded(first)
        except (CutOffError, ImageError):
            return None
        return found

    def seconds(self, topic: Topic) -> float:
        """From the beginning of the bag to its end, whatever was recorded then; 0 without messages of the topic."""
        return max(0.0, (self._reader.end_time - self._reader.start_time) / 1e9) if topic.messages else 0.0

    def definition(self, topic: Topic) -> Definition | None:
        """What a new bag must know to hold this topic as it is; None where nobody knows its type."""
        from rosbags.interfaces import MessageDefinitionFormat
        from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

        connections = [connection for connection in self._reader.connections if connection.topic == topic.name]
        qualities = connections[0].ext.offered_qos_profiles
        for connection in connections:
            text, form = connection.msgdef.data, connection.msgdef.format
            if form != MessageDefinitionFormat.NONE and connection.digest:
                return Definition(text, connection.digest, qualities)
            if form == MessageDefinitionFormat.MSG:
                store = get_typestore(Stores.EMPTY)
                try:
                    store.register(get_types_from_msg(text, topic.type))
                    return Definition(text, store.hash_rihs01(topic.type), qualities)
                except (TypesysError, KeyError):
                    return None
        if topic.type not in ros2().fielddefs:
            return None
        text, _ = ros2().generate_msgdef(topic.type, ros_version=2)
        return Definition(text, ros2().hash_rihs01(topic.type), qualities)

    def _is_depth(self, topic: Topic) -> bool:
        if topic.name.endswith("/compressedDepth"):
            return True
        try:
            message: Any = next((self.decoded(first) for first in self.messages([topic])), None)
        except (CutOffError, ImageError):
            return False
        kind = message.encoding if topic.type == IMAGE else message.format
        return DEPTH.fullmatch(kind) is not None


def picture(message: Any, topic: Topic, value_range: Range | None = None) -> Image:
    """(H, W, 3) uint8 BGR of a sensor_msgs/Image or CompressedImage.

    Raises:
        ImageError: the message cannot be read.
    """
    return decompress(message) if topic.type == COMPRESSED else to_bgr(message, value_range)


def stamp(message: Any) -> int:
    """Nanoseconds of the stamp in a message's header."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def _opened(path: Path) -> Any:
    from rosbags.rosbag1 import Reader as Ros1Reader
    from rosbags.rosbag2 import Reader as Ros2Reader

    if not path.exists():
        raise BagError(f"no bag {path}; expected a folder of ROS 2, or an .mcap, .db3 or .bag file")
    file = _only_file(path) if path.is_dir() else path
    if file.is_file() and not file.stat().st_size:
        raise BagError(f"{file} is empty: nothing was recorded")
    try:
        reader: Any = Ros1Reader(file) if file.suffix.lower() == ".bag" else Ros2Reader(file)
        reader.open()
    except Exception as error:  # a torn file ends in any of a dozen exceptions
        kinds = {part.suffix.lower() for part in ([*file.iterdir()] if file.is_dir() else [file])}
        cure = "mcap recover" if ".mcap" in kinds else "rosbag reindex" if ".bag" in kinds else ""
        about = f"; if the recording was cut off, `{cure}` saves what there is" if cure else ""
        raise BagError(f"{file} cannot be read as a bag: {_reason(error)}{about}") from None
    return reader


def _only_file(folder: Path) -> Path:
    """The folder itself, or its file where a recording that was cut off has left no metadata."""
    if (folder / METADATA).is_file():
        return folder
    files = sorted(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    if len(files) == 1:
        return files[0]
    found = f"the files {', '.join(file.name for file in files)}" if files else "no bag"
    raise BagError(f"the folder {folder} has no {METADATA} and holds {found}; expected a bag, or name one file")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text or 'it is torn'} ({type(error).__name__})" if not isinstance(error, OSError) else text
