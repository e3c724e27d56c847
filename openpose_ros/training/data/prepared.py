"""Training data that CMU's scripts (LMDB) and the Keras reproductions (HDF5) prepared: pixels, masks and joints in one.

An entry is an array (C, H, W) of bytes: the photo (BGR), a plane that describes it, where people without joints are
(0), and, of COCO, everybody. Everyone in a photo who is large enough has an entry of their own, with the same pixels
and all people; here a photo is taken once. LMDB has the description in its plane alone, HDF5 as JSON beside it, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from openpose_ros.skeleton import COCO_17
from openpose_ros.training.config import ConfigError
from openpose_ros.training.data.picture import PhotoError, Picture
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report
from openpose_ros.weights.wire import fields, number

Bytes = npt.NDArray[np.uint8]

MPII_16 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax", "neck", "head",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
"""Joints of MPII's annotations, in their order."""

SEEN = {0.0: 1.0, 1.0: 2.0}
"""CMU's flag of a joint, hidden or seen, as COCO's; any other says that it is not labelled."""

PLANE, MASK = 3, 4
FLOAT = 4
"""Bytes of a number in the plane."""


@dataclass(frozen=True, eq=False)
class StoredPixels(Picture):
    """A photo in such a file, without loss: ``path`` is the file, ``key`` names the entry."""

    key: str = ""

    def read(self) -> bytes:
        try:
            array = _opened(self.path, os.getpid()).array(self.key)
        except (OSError, KeyError, ValueError) as error:
            raise PhotoError(f"photo unreadable ({error})") from None
        picture = np.ascontiguousarray(array[:PLANE].transpose(1, 2, 0))
        return bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


class Lmdb:
    """Caffe's ``Datum`` messages by key."""

    def __init__(self, path: Path) -> None:
        lmdb = _library("lmdb", path)
        try:
            self.entries = lmdb.open(str(path), readonly=True, lock=False, readahead=False, subdir=path.is_dir())
        except lmdb.Error as error:
            raise ConfigError(f"{path} is not readable as LMDB: {error}") from None

    def __iter__(self) -> Iterator[str]:
        with self.entries.begin() as reading, reading.cursor() as cursor:
            for key in cursor.iternext(values=False):
                yield bytes(key).decode()

    def array(self, key: str) -> Bytes:
        with self.entries.begin() as reading:
            stored = reading.get(key.encode())
        if stored is None:
            raise KeyError(key)
        parts = dict(fields(memoryview(stored)))
        sizes = [number(parts[size], 0)[0] for size in (1, 2, 3)]  # channels, height, width
        return _checked(np.frombuffer(parts[4], np.uint8).reshape(sizes))

    def described(self, key: str, array: Bytes) -> dict[str, Any]:
        return from_plane(array[PLANE])


class Hdf5:
    """Arrays in the group ``datum``, their description as its attribute ``meta``."""

    def __init__(self, path: Path) -> None:
        h5py = _library("h5py", path)
        try:
            self.group = h5py.File(path, "r")["datum"]
        except (OSError, KeyError) as error:
            raise ConfigError(f"{path} is not readable as HDF5 with a group 'datum': {error}") from None

    def __iter__(self) -> Iterator[str]:
        yield from self.group

    def array(self, key: str) -> Bytes:
        return _checked(np.asarray(self.group[key], np.uint8))

    def described(self, key: str, array: Bytes) -> dict[str, Any]:
        meta = json.loads(self.group[key].attrs["meta"])
        return {"dataset": meta["dataset"], "photo": str(meta.get("img_path")), "joints": meta["joints"]}


def prepared_records(path: Path, report: Report) -> Iterator[Record]:
    """The photos of an LMDB (a folder, or a file) or an HDF5 file (``.h5``, ``.hdf5``), each once.

    Raises:
        ConfigError: it is missing or of another kind, or the Python package that reads it is.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path}")
    source = _opened(str(path), os.getpid())
    seen = set()
    for key in source:
        try:
            array = source.array(key)
            about = source.described(key, array)
            names = MPII_16 if about["dataset"].startswith("MPI") else COCO_17.joints
            people = [_person(joints, names) for joints in about["joints"]]
        except (ValueError, KeyError, TypeError, IndexError, UnicodeDecodeError) as error:
            report.drop("entry of another form", f"{key} ({error})")
            continue
        if about["photo"] in seen:
            continue
        seen.add(about["photo"])
        people += masked(array[MASK] < 128)
        yield Record(StoredPixels(str(path), key=key), f"{path.stem}/{key}", array.shape[1:], names, tuple(people))


def from_plane(plane: Bytes) -> dict[str, Any]:
    """The description of an entry out of its plane (H, W): a line a fact, numbers in four bytes each.

    Raises:
        ValueError: the plane is too small for what it says.
    """
    dataset = bytes(plane[0]).partition(b"\0")[0].decode()
    others = int(plane[2, 1])
    joints = 16 if dataset.startswith("MPI") else 17

    def numbers(line: int, count: int) -> npt.NDArray[np.float32]:
        if line >= len(plane) or plane.shape[1] < FLOAT * count:
            raise ValueError(f"the plane of {plane.shape} has no line {line} of {count} numbers")
        return np.frombuffer(plane[line, : FLOAT * count].tobytes(), "<f4")

    def person(line: int) -> list[list[float]]:
        rows = [numbers(line + row, joints).tolist() for row in range(3)]
        return [list(joint) for joint in zip(*rows, strict=True)]

    # Lines: set, size, counters, place, scale, three of joints; of others their places, scales, and three of each.
    first = 8 + others + 1
    people = [person(5), *(person(first + 3 * other) for other in range(others))]
    photo = np.frombuffer(plane[2, 3:7].tobytes(), "<f4")[0]
    return {"dataset": dataset, "photo": f"{dataset} {photo:.0f}", "joints": people}


def _person(joints: Any, names: tuple[str, ...]) -> dict[str, Any]:
    points = np.asarray(joints, np.float64)
    if points.shape != (len(names), 3):
        raise ValueError(f"a person has joints of shape {points.shape}; expected {(len(names), 3)}")
    flags = np.array([SEEN.get(float(flag), 0.0) for flag in points[:, 2]])
    return {"keypoints": np.where(flags[:, None] > 0, np.column_stack([points[:, :2], flags]), 0.0).ravel().tolist()}


def masked(where: npt.NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The part of a photo where nothing is learned, as COCO annotates a crowd."""
    if not where.any():
        return []
    runs = coco_mask.encode(np.asfortranarray(where, np.uint8))
    box = [float(side) for side in coco_mask.toBbox(runs)]
    outline = {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()}
    return [{"iscrowd": 1, "segmentation": outline, "bbox": box}]


def _checked(array: Bytes) -> Bytes:
    if array.ndim == 3 and array.shape[2] in (MASK + 1, MASK + 2) and array.shape[0] not in (MASK + 1, MASK + 2):
        array = array.transpose(2, 0, 1)
    if array.ndim != 3 or len(array) not in (MASK + 1, MASK + 2):
        raise ValueError(f"an array of shape {array.shape}; expected 5 or 6 planes")
    return array


@lru_cache(maxsize=8)
def _opened(path: str, process: int) -> Lmdb | Hdf5:
    """The file, opened once a process: neither library shares one that was opened before a fork."""
    place = Path(path)
    return Hdf5(place) if place.suffix in (".h5", ".hdf5") else Lmdb(place)


def _library(name: str, path: Path) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(
            f"{path} needs the Python package {name}, which is not installed: pip install {name}"
        ) from None
