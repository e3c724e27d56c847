"""Packing: annotated photos -> tar shards in WebDataset's form and an index, so that a killed run can go on."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from openpose_ros.preprocess import Image
from openpose_ros.training.config import ConfigError
from openpose_ros.training.data.labels import cleaned
from openpose_ros.training.data.picture import PhotoError, decode, size_of
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report

AHEAD = 4
"""Photos that each thread may be ahead of the one that is written."""


@dataclass(frozen=True)
class PackOptions:
    """How photos are packed.

    Attributes:
        short_side: photos with a longer one are shrunk to it, labels with them; 0: none is.
        quality: of the JPEGs that are made, 1 to 100. JPEGs that need not shrink stay as they are.
        megabytes: no shard is larger, unless a single photo is.
        empty: share of the photos of nobody to keep.
    """

    short_side: int = 0
    quality: int = 90
    megabytes: float = 60.0
    empty: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in (("short_side", 0, 10_000), ("quality", 1, 100), ("empty", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number from {low} to {high}")
        if self.megabytes <= 0.0:
            raise ConfigError(f"megabytes is {self.megabytes}; expected more than 0")


@dataclass
class Shard:
    """A finished shard: its file, size in bytes, photos, and which records (begin to end - 1) it was made of."""

    file: str
    bytes: int
    begin: int
    end: int
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Packed:
    """A record on its way into a shard: JPEG and JSON, both empty where it is left out; the report says why."""

    number: int
    report: Report
    photo: bytes = b""
    text: bytes = b""


class Packer:
    """Packs records into ``FOLDER/NAME-000000.tar`` and so on, with the index ``FOLDER/NAME.json``.

    A shard has its name only when it is whole. What the index names is kept; a shard that is missing or has another
    size than the index says is made again from the same photos.
    """

    def __init__(
        self, records: Sequence[Record], source: str, folder: Path, name: str, options: PackOptions, threads: int = 2
    ) -> None:
        """``source``: what the records are of, in words; an index of something else is not gone on with.

        Raises:
            ConfigError: the folder holds shards of this name made of other photos or with other settings.
        """
        self.records = records
        self.folder = folder
        self.name = name
        self.options = options
        self.threads = threads
        self.index = folder / f"{name}.json"
        self.about = {"source": source, "records": len(records), **asdict(options)}
        self.shards = self._finished()

    @property
    def done(self) -> int:
        """Records that need not be looked at again."""
        return sum(shard.end - shard.begin for shard in self.shards if self._whole(shard))

    def pack(self, progress: Callable[[int], object] = lambda more: None) -> Report:
        """Write what is missing; ``progress`` is told how many more records were looked at.

        Returns:
            What all shards hold and what was left out.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, shard in enumerate(self.shards):
            if not self._whole(shard):
                # From the very same photos, however full it becomes, so that its neighbours stay as they are.
                packed = self._packed(shard.begin, shard.end, progress)
                self.shards[place], _ = self._write(shard.file, shard.begin, packed)
                self._save()
        begin = self.shards[-1].end if self.shards else 0
        packed = self._packed(begin, len(self.records), progress)
        while begin < len(self.records):
            file = f"{self.name}-{len(self.shards):06d}.tar"
            shard, packed = self._write(file, begin, packed, self.options.megabytes * 1e6)
            self.shards.append(shard)
            self._save()
            begin = shard.end
        total = Report(self.name)
        for shard in self.shards:
            total.add(Report(**shard.report))
        return total

    def _write(
        self, file: str, begin: int, packed: Iterator[Packed], room: float = math.inf
    ) -> tuple[Shard, Iterator[Packed]]:
        """A shard of as many photos as have room, and those that come after it."""
        from webdataset.writer import TarWriter

        report = Report(self.name)
        temporary, size, end = self.folder / f".{file}.part", tarfile.RECORDSIZE, begin
        with temporary.open("wb") as stream:
            # No time of day in it, so that the same photos make the same bytes; a whole number, because a fraction
            # would take a kilobyte of its own beside each photo.
            with TarWriter(stream, encoder=False, mtime=0) as writer:
                for one in packed:
                    size += sum(_in_tar(len(part)) for part in (one.photo, one.text) if part)
                    if size > room and report.photos:
                        packed = itertools.chain([one], packed)
                        break
                    end = one.number + 1
                    report.add(one.report)
                    if one.photo:
                        writer.write({"__key__": f"{one.number:09d}", "jpg": one.photo, "json": one.text})
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.folder / file)
        return Shard(file, (self.folder / file).stat().st_size, begin, end, asdict(report)), packed

    def _packed(self, begin: int, end: int, progress: Callable[[int], object]) -> Iterator[Packed]:
        """These records in order."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[Future[Packed]] = deque()
            numbers = iter(range(begin, end))
            while True:
                for number in itertools.islice(numbers, AHEAD * self.threads - len(waiting)):
                    waiting.append(pool.submit(self._one, number))
                if not waiting:
                    return
                yield waiting.popleft().result()
                progress(1)

    def _one(self, number: int) -> Packed:
        report = Report(self.name)
        record = cleaned(self.records[number], report)
        labelled = sum("keypoints" in person for person in record.people or ())
        if record.people and not labelled:
            report.drop("photo of people without joints", record.name)
            return Packed(number, report)
        if record.people == () and not _chosen(record.name, self.options.empty):
            report.drop("photo of nobody", record.name)
            return Packed(number, report)
        try:
            photo, record = _shrunk(record, self.options)
        except PhotoError as error:
            report.drop(str(error), record.name)
            return Packed(number, report)
        report.photos, report.people, report.empty = 1, labelled, int(not record.people)
        return Packed(number, report, photo, record.to_json())

    def _finished(self) -> list[Shard]:
        if not self.index.is_file():
            return []
        try:
            table = json.loads(self.index.read_text())
            shards = [Shard(**shard) for shard in table["shards"]]
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{self.index} is not an index of shards: {error!r}; take another folder") from None
        differing = [key for key, value in self.about.items() if table.get("about", {}).get(key) != value]
        if differing:
            key = differing[0]
            raise ConfigError(
                f"{self.index} is of other shards: {key} was {table.get('about', {}).get(key)!r} and is "
                f"{self.about[key]!r} now; take another folder or remove them"
            )
        return shards

    def _whole(self, shard: Shard) -> bool:
        path = self.folder / shard.file
        return path.is_file() and path.stat().st_size == shard.bytes

    def _save(self) -> None:
        table = {"about": self.about, "shards": [asdict(shard) for shard in self.shards]}
        temporary = self.index.with_name(f".{self.index.name}.part")
        temporary.write_text(json.dumps(table, indent=1) + "\n")
        temporary.replace(self.index)


def _shrunk(record: Record, options: PackOptions) -> tuple[bytes, Record]:
    """The photo as JPEG and its labels, no larger than wanted."""
    data = record.picture.read()
    stored = size_of(data)
    if record.size is not None and stored != record.size:
        raise PhotoError(f"photo of {stored[1]}x{stored[0]} pixels, annotated as {record.size[1]}x{record.size[0]}")
    image: Image = decode(data)  # in any case: what cannot be decoded here cannot be trained on
    size = stored
    if 0 < options.short_side < min(stored):
        factor = options.short_side / min(stored)
        size = max(1, round(stored[0] * factor)), max(1, round(stored[1] * factor))
    if size == stored and data.startswith(b"\xff\xd8"):
        return data, record.scaled(record.picture, stored, stored)
    if size != stored:
        image = np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, options.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return cv2.imencode(".jpg", image, quality)[1].tobytes(), record.scaled(record.picture, stored, size)


def _in_tar(size: int) -> int:
    """Bytes that a file of so many takes in a tar file."""
    return tarfile.BLOCKSIZE * (1 - -size // tarfile.BLOCKSIZE)


def _chosen(name: str, share: float) -> bool:
    """Whether a photo is among that share of all photos, by its name alone."""
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    return number < share * 2**64
