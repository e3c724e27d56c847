"""Tar shards in WebDataset's form, ``KEY.jpg`` and ``KEY.json`` for each photo: local ones by index, others as streams.

A local tar file need not be unpacked: where each photo lies in it is looked up once, and then any photo can be read
at any time, so that local shards are shuffled, shared out and resumed like a folder. What lies on a URL or comes out
of a pipe can only be read from its beginning: there every loader process reads shards of its own.
"""

from __future__ import annotations

import itertools
import logging
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from openpose_ros.training.config import ConfigError, CropConfig
from openpose_ros.training.data.centres import Centre, centres
from openpose_ros.training.data.labels import Labels
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report
from openpose_ros.training.data.sample import Sample

_log = logging.getLogger(__name__)

PHOTO_ENDINGS = frozenset({"jpg", "jpeg", "png", "webp"})


def expanded(shards: Sequence[str]) -> list[str]:
    """Paths, URLs and pipes with their braces expanded and, for paths, ``~`` and wildcards.

    Raises:
        ConfigError: none given, or a wildcard that fits nothing.
    """
    from braceexpand import braceexpand

    found: list[str] = []
    for text in itertools.chain.from_iterable(map(braceexpand, shards)):
        if remote(text):
            found.append(text)
            continue
        path = Path(text).expanduser()
        if "*" in path.name:
            matches = sorted(map(str, path.parent.glob(path.name)))
            if not matches:
                raise ConfigError(f"no shard fits {text}")
            found += matches
        else:
            found.append(str(path))
    if not found:
        raise ConfigError("a source of shards needs shards: paths, URLs or pipes of tar files")
    return found


def remote(shard: str) -> bool:
    """Whether a shard can only be read from its beginning."""
    return shard.startswith("pipe:") or "://" in shard


def local_records(shards: Sequence[str], report: Report) -> Iterator[Record]:
    """The photos of local tar files; a missing or torn one is counted and named, and what it holds entirely is used.

    Raises:
        ConfigError: there is none of them.
    """
    if not any(map(os.path.isfile, shards)):
        raise ConfigError(f"there is no shard {shards[0]}")
    for shard in shards:
        try:
            yield from _members(shard, report)
        except FileNotFoundError:
            report.drop("shard missing", shard)
        except (tarfile.TarError, OSError, EOFError):
            report.drop("shard torn (what comes before is used)", shard)


def _members(shard: str, report: Report) -> Iterator[Record]:
    key, picture, text = "", None, b""
    end = os.path.getsize(shard)
    with tarfile.open(shard, "r:") as archive:
        for member in itertools.chain(archive, [None]):
            folder, _, name = member.name.rpartition("/") if member else ("", "", "")
            stem, _, ending = name.partition(".")
            found = f"{folder}/{stem}" if folder else stem
            if found != key:
                if picture is not None:
                    yield from _record(text, picture, Path(shard).stem, key, report)
                key, picture, text = found, None, b""
            if member is None or not member.isfile():
                continue
            if member.offset_data + member.size > end:
                raise EOFError
            if ending.lower() in PHOTO_ENDINGS:
                picture = Picture(shard, member.offset_data, member.size)
            elif ending.lower() == "json":
                stream = archive.extractfile(member)
                text = stream.read() if stream else b""
            # The archive remembers all members, which nobody needs.
            archive.members = []  # type: ignore[attr-defined]


def _record(text: bytes, picture: Picture, shard: str, key: str, report: Report) -> Iterator[Record]:
    if not text:
        yield Record(picture, f"{shard}/{key}")
        return
    try:
        yield Record.from_json(text, picture, f"{shard}/{key}")
    except ValueError:
        report.drop("annotation unreadable", f"{shard}/{key}")


class ShardStream:
    """Shards that are read from their beginning, each loader process its own, through a buffer that shuffles.

    A lane is one loader process of one training process. The order depends on how many there are: the same number
    repeats the same run. Going on later reads again, without decoding, what was read before.
    """

    def __init__(self, name: str, shards: Sequence[str], labels: Labels, buffer: int = 500) -> None:
        """``buffer``: crops, with their encoded photos, that wait to be shuffled in each process."""
        if buffer < 1:
            raise ConfigError(f"source {name}: settings.buffer is {buffer}; expected 1 or more")
        self.name = name
        self.shards = list(shards)
        self.labels = labels
        self.buffer = buffer
        self.report = labels.report

    def crops(
        self, lane: int, lanes: int, seed: int, crop: CropConfig
    ) -> Iterator[tuple[Sample, Centre, str, Callable[[np.random.Generator], tuple[Sample, int] | None]]]:
        """Endless samples with a centre, its name, and a way to another photo; the same for the same arguments."""
        waiting: list[tuple[Sample, Centre, str]] = []
        generator = np.random.default_rng([seed, lane, lanes])

        def donor(own: np.random.Generator) -> tuple[Sample, int] | None:
            sample = waiting[int(own.integers(len(waiting)))][0]
            return (sample, int(own.integers(len(sample.people)))) if len(sample.people) else None

        for turn in itertools.count():
            before = 0
            for entry in self._turn(turn, lane, lanes, seed, crop):
                before += 1
                if len(waiting) < self.buffer and turn == 0:
                    waiting.append(entry)
                    continue
                place = int(generator.integers(len(waiting)))
                sample, centre, name = waiting[place]
                waiting[place] = entry
                yield sample, centre, f"{name}.{turn}", donor
            if not before:
                raise ConfigError(f"source {self.name}: process {lane} of {lanes} finds no crop in its shards")

    def _turn(
        self, turn: int, lane: int, lanes: int, seed: int, crop: CropConfig
    ) -> Iterator[tuple[Sample, Centre, str]]:
        order = np.random.default_rng([seed, turn]).permutation(len(self.shards))
        shards = [self.shards[place] for place in order]
        if len(shards) >= lanes:
            shards, lane, lanes = shards[lane::lanes], 0, 1
        chance = np.random.default_rng([seed, turn, lane, lanes, 1])
        for number, record in enumerate(self._records(shards)):
            if number % lanes != lane or (sample := self.labels(record)) is None:
                continue
            for place, centre in enumerate(centres(sample, crop)):
                if centre.whole and sample.labelled.any() and chance.random() >= crop.empty:
                    continue
                yield sample, centre, f"{sample.name}#{place}"

    def _records(self, shards: Sequence[str]) -> Iterator[Record]:
        from webdataset.tariterators import tarfile_samples

        def go_on(error: Exception) -> bool:
            self.report.drop("shard torn or out of reach", self.name)
            _log.warning("source %s: a shard is torn or out of reach: %s", self.name, error)
            return True

        for entry in tarfile_samples(({"url": shard} for shard in shards), handler=go_on):
            photo = next((entry[ending] for ending in sorted(PHOTO_ENDINGS & set(entry))), None)
            if photo is not None:
                shard = Path(entry["__url__"].partition("?")[0]).stem
                yield from _record(entry.get("json", b""), Picture(data=photo), shard, entry["__key__"], self.report)
