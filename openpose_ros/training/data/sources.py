"""Sources of samples: what a configuration names, opened, counted and checked."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from openpose_ros.skeleton import COCO_17, Skeleton
from openpose_ros.training.config import ConfigError, DataConfig, SourceConfig
from openpose_ros.training.data.labels import Labels
from openpose_ros.training.data.prepared import prepared_records
from openpose_ros.training.data.readers import coco_records, photo_records, yolo_records
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report
from openpose_ros.training.data.sample import Sample
from openpose_ros.training.data.shards import ShardStream, expanded, local_records, remote
from openpose_ros.training.data.tfrecords import tfrecord_records
from openpose_ros.training.plugin import locate


@runtime_checkable
class Source(Protocol):
    """Samples by number. A class of a user's own, named by its dotted path in ``type``, needs these two methods.

    It is made with ``skeleton=`` and the source's ``settings`` as keyword arguments, is copied into every loader
    process, and must answer the same sample for the same number each time. All samples are asked for once at the
    start to find the people, so their pixels had better stay encoded until then (a path in :class:`Picture`).
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class Table:
    """Samples in memory, without pixels, packed into one block: processes share it and copying it is cheap."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        blocks = [pickle.dumps(sample, pickle.HIGHEST_PROTOCOL) for sample in samples]
        self._ends = np.cumsum([0, *map(len, blocks)])
        self._data = np.frombuffer(b"".join(blocks), np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        block = self._data[self._ends[index] : self._ends[index + 1]]
        sample: Sample = pickle.loads(block.tobytes())
        return sample


class Opened:
    """A source of the configuration, ready to be read.

    Attributes:
        name: unique among the sources.
        weight: its share, beside the other sources' weights.
        samples: by number, or a stream.
        report: what there is and what was left out.
    """

    def __init__(self, name: str, weight: float, samples: Source | ShardStream, report: Report) -> None:
        self.name = name
        self.weight = weight
        self.samples = samples
        self.report = report


def sources(config: DataConfig, skeleton: Skeleton) -> list[Opened]:
    """Open all sources; each one's report says what it offers.

    Raises:
        ConfigError: a source is incomplete, missing, empty or not of its type.
    """
    if not config.sources:
        raise ConfigError("data.sources is empty; expected at least one source, such as {type: photos, images: FOLDER}")
    opened: list[Opened] = []
    for source in config.sources:
        if not source.weight > 0:
            raise ConfigError(f"source {_name(source)}: weight is {source.weight}; expected more than 0")
        one = _opened(source, skeleton)
        if any(one.name == other.name for other in opened):
            raise ConfigError(f"two sources are called {one.name}; give one of them another name")
        opened.append(one)
    return opened


def records(config: SourceConfig, report: Report) -> Iterator[Record]:
    """The annotated photos of a source that is not of a user's own and no stream.

    Raises:
        ConfigError: it is incomplete, missing or not of its type.
    """
    try:
        reader = READERS[config.type]
    except KeyError:
        raise ConfigError(f"no source of type {config.type!r}; expected one of {', '.join(READERS)}") from None
    needs, read = reader
    for name in needs:
        if not getattr(config, name):
            raise ConfigError(f"source {report.name} of type {config.type} needs {name}")
    try:
        return read(config, report, **config.settings)
    except TypeError as error:
        raise ConfigError(f"source {report.name}: settings: {error}") from None


def _opened(config: SourceConfig, skeleton: Skeleton) -> Opened:
    report = Report(_name(config))
    if config.type not in READERS:
        made = _own(config, skeleton)
        report.photos = len(made)
        return Opened(report.name, config.weight, made, report)
    labels = Labels(skeleton, report, config.joints, config.one_person)
    settings = dict(config.settings)
    if config.type == "shards":
        shards = expanded(config.shards)
        if settings.pop("stream", False) or any(map(remote, shards)):
            try:
                return Opened(report.name, config.weight, ShardStream(report.name, shards, labels, **settings), report)
            except TypeError as error:
                raise ConfigError(f"source {report.name}: settings: {error}") from None
    table = Table(sample for record in records(config, report) if (sample := labels(record)) is not None)
    if not len(table):
        raise ConfigError(f"source {report.name} has no photo that can be used: {_reasons(report)}")
    return Opened(report.name, config.weight, table, report)


def _own(config: SourceConfig, skeleton: Skeleton) -> Source:
    kind = locate(config.type, dict.fromkeys(READERS), "source")
    try:
        made = kind(skeleton=skeleton, **config.settings)
    except TypeError as error:
        raise ConfigError(f"source {config.type}: {error}") from None
    if not isinstance(made, Source):
        raise ConfigError(f"source {config.type} has no __len__ and __getitem__")
    return made


def _coco(config: SourceConfig, report: Report) -> Iterator[Record]:
    return coco_records(_path(config.annotations), _path(config.images), report)


def _yolo(config: SourceConfig, report: Report, keypoints: Iterable[str] = (), boxes: str = "") -> Iterator[Record]:
    names = tuple(keypoints) or COCO_17.joints
    return yolo_records(_path(config.images), _path(config.annotations), report, names, _path(boxes) if boxes else None)


def _photos(config: SourceConfig, report: Report) -> Iterator[Record]:
    return photo_records(_path(config.images), report)


def _shards(config: SourceConfig, report: Report, stream: bool = False, buffer: int = 0) -> Iterator[Record]:
    return local_records(expanded(config.shards), report)


def _prepared(config: SourceConfig, report: Report) -> Iterator[Record]:
    return prepared_records(_path(config.annotations), report)


def _tfrecord(config: SourceConfig, report: Report) -> Iterator[Record]:
    return tfrecord_records(expanded(config.shards), report)


READERS: dict[str, tuple[tuple[str, ...], Callable[..., Iterator[Record]]]] = {
    "coco": (("annotations", "images"), _coco),
    "shards": (("shards",), _shards),
    "yolo": (("annotations", "images"), _yolo),
    "photos": (("images",), _photos),
    "lmdb": (("annotations",), _prepared),
    "hdf5": (("annotations",), _prepared),
    "tfrecord": (("shards",), _tfrecord),
}
"""Types of sources, the settings each needs, and what reads them."""


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _name(config: SourceConfig) -> str:
    named: Any = config.annotations or config.images or (config.shards[0] if config.shards else "")
    return config.name or (Path(str(named)).stem if named else config.type.rpartition(".")[2])


def _reasons(report: Report) -> str:
    return ", ".join(f"{times} x {reason}" for reason, times in report.dropped.items()) or "it is empty"
