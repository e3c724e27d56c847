"""TFRecords that the TensorFlow 2 implementation prepared: JPEGs with joints, in its order, read by their bytes.

A file is messages one after the other, each with its length before it. A message is a table of features; ``kpts`` holds
y, x and visibility of (joint, person), as shares of the photo's height and width, ``mask`` where something is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.skeleton import YAOP_18
from openpose_ros.training.config import ConfigError
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.prepared import masked
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report
from openpose_ros.weights.wire import fields, number, numbers, shape

FLOAT32 = 1
"""TensorFlow's number for the type."""

LENGTH, SUM = 8, 4
"""Bytes of a message's length and of the check sums behind it and behind the message."""


def tfrecord_records(paths: Sequence[str], report: Report) -> Iterator[Record]:
    """The photos of some files; the JPEGs stay where they are.

    Raises:
        ConfigError: there is none of the files.
    """
    if not any(Path(path).is_file() for path in paths):
        raise ConfigError(f"there is no file {paths[0]}")
    for text in paths:
        path = Path(text)
        if not path.is_file():
            report.drop("file missing", text)
            continue
        for count, (offset, message) in enumerate(_messages(path, report)):
            name = f"{path.stem}/{count}"
            try:
                yield _record(path, offset, message, name)
            except (ValueError, KeyError, TypeError) as error:
                report.drop("record of another form", f"{name} ({error})")


def _messages(path: Path, report: Report) -> Iterator[tuple[int, bytes]]:
    """Where each message lies, and its bytes."""
    with path.open("rb") as stream:
        while head := stream.read(LENGTH + SUM):
            length = int.from_bytes(head[:LENGTH], "little")
            offset = stream.tell()
            message = stream.read(length) if len(head) == LENGTH + SUM and length < 1 << 31 else b""
            if not message or len(message) < length or len(stream.read(SUM)) < SUM:
                report.drop("file torn (what comes before is used)", path.name)
                return
            yield offset, message


def _record(path: Path, offset: int, message: bytes, name: str) -> Record:
    features = dict(_features(memoryview(message)))
    photo = _bytes(features["image_raw"])
    height, width = _whole(features["size"])
    points = _tensor(_bytes(features["kpts"]))
    if points.ndim != 3 or points.shape[0] != len(YAOP_18.joints) or points.shape[2] != 3:
        raise ValueError(f"joints of shape {points.shape}; expected ({len(YAOP_18.joints)}, people, 3)")
    people: list[dict[str, Any]] = []
    for person in points.transpose(1, 0, 2).astype(np.float64):
        placed = np.column_stack([person[:, 1] * width, person[:, 0] * height, person[:, 2]])
        people.append({"keypoints": np.where(person[:, 2:] > 0, placed, 0.0).ravel().tolist()})
    if "mask" in features:
        learned = cv2.resize(_tensor(_bytes(features["mask"])), (width, height), interpolation=cv2.INTER_NEAREST)
        people += masked(np.asarray(learned) < 0.5)
    where = message.find(photo)
    picture = Picture(str(path), offset + where, len(photo))
    return Record(picture, name, (height, width), YAOP_18.joints, tuple(people))


def _features(message: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Name and ``Feature`` of an ``Example``."""
    for field, table in fields(message):
        if field == 1:
            for part, entry in fields(table):
                if part == 1:
                    pair = dict(fields(entry))
                    yield bytes(pair[1]).decode(), pair[2]


def _bytes(feature: memoryview) -> bytes:
    """The one value of a list of bytes."""
    return bytes(dict(fields(dict(fields(feature))[1]))[1])


def _whole(feature: memoryview) -> tuple[int, int]:
    """Two whole numbers, packed or one by one."""
    found: list[int] = []
    for _, value in fields(dict(fields(feature))[3]):
        found += numbers(value)
    height, width = found
    return height, width


def _tensor(stored: bytes) -> npt.NDArray[np.float32]:
    """A serialised ``TensorProto`` of 32-bit numbers."""
    parts = dict(fields(memoryview(stored)))
    if number(parts[1], 0)[0] != FLOAT32:
        raise ValueError("a table is not of 32-bit numbers")
    return np.frombuffer(parts[4], "<f4").reshape(shape(parts.get(2, memoryview(b""))))
