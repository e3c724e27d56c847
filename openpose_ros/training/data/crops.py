"""All sources of a run as one endless row of crops, each one known by its position."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from openpose_ros.card import Card
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, CropConfig, RunConfig
from openpose_ros.training.data.centres import Centre, centres
from openpose_ros.training.data.crop import Crop, Cropper, Donor
from openpose_ros.training.data.order import Mix, Shuffled
from openpose_ros.training.data.picture import PhotoError
from openpose_ros.training.data.report import Report
from openpose_ros.training.data.sample import Sample
from openpose_ros.training.data.shards import ShardStream
from openpose_ros.training.data.sources import Opened, Source, sources

_log = logging.getLogger(__name__)

TRIES = 1000
"""So many unreadable photos in a row end the run: a folder has gone away."""

DONORS = 8
"""So many people are looked at before nobody is pasted."""

Feed = Iterator[tuple[Sample, Centre, str, Donor]]


@dataclass(frozen=True, eq=False)
class Entry:
    """Crops of one kind of one source: around its people, or of its photos of nobody.

    Attributes:
        source: index of the source.
        photos: (N,) the photo of each crop; None for a stream.
        places: (N, 3) float32 x, y, height of its centre.
        numbers: (N,) which centre of its photo it is.
    """

    source: int
    photos: npt.NDArray[np.int64] | None = None
    places: npt.NDArray[np.float32] | None = None
    numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return 0 if self.photos is None else len(self.photos)


@dataclass(frozen=True, eq=False)
class Named:
    """A crop, its key and its photo's name."""

    crop: Crop
    key: str
    photo: str


class Crops:
    """Crop k of a run, for every k from 0 on: the same in every process.

    Attributes:
        reports: one of each source.
    """

    def __init__(self, config: RunConfig, card: Card, *, augmented: bool = True) -> None:
        """Open the sources.

        Raises:
            ConfigError: a source or a setting of the crops cannot work.
        """
        crop = config.data.crop
        self.seed = config.seed
        self.views = crop.views
        self.crop = crop
        self.rgb = card.channels == "RGB"
        self.cropper = Cropper(crop, card.skeleton, card.stride, card.pad_value, augmented=augmented)
        self.sources = sources(config.data, card.skeleton)
        self.reports = [source.report for source in self.sources]
        self.entries, weights = _entries(self.sources, crop)
        if config.overfit:
            self.entries, weights = _first(self.entries, config.overfit)
        if not self.entries:
            raise ConfigError("no source has a crop to learn from")
        self.mix = Mix(weights, config.seed)
        self._orders = [Shuffled(max(1, len(e)), config.seed, number) for number, e in enumerate(self.entries)]
        self._unreadable = [_flags(0 if isinstance(s.samples, ShardStream) else len(s.samples)) for s in self.sources]

    @property
    def streams(self) -> list[int]:
        """Entries that are read from the beginning of shards."""
        return [number for number, entry in enumerate(self.entries) if entry.photos is None]

    def names(self) -> set[str]:
        """Names of all photos of which a crop may come, streams aside."""
        found: set[str] = set()
        for entry in self.entries:
            samples = self.sources[entry.source].samples
            if entry.photos is not None and isinstance(samples, Source):
                found |= {samples[photo].name for photo in np.unique(entry.photos).tolist()}
        return found

    def unreadable(self) -> dict[str, int]:
        """How many photos of each source turned out unreadable so far, in all loader processes."""
        counts = {s.name: int(bad.sum()) for s, bad in zip(self.sources, self._unreadable, strict=True)}
        return {name: count for name, count in counts.items() if count}

    def feed(self, entry: int, lane: int, lanes: int) -> Feed:
        """The crops of a stream in one loader process."""
        stream = self.sources[self.entries[entry].source].samples
        assert isinstance(stream, ShardStream)
        return stream.crops(lane, lanes, self.seed, self.crop)

    def batch(self, positions: Iterable[int], feeds: Mapping[int, Feed] | None = None) -> Batch:
        """The crops of these positions. ``feeds``: of each stream's entry, as far as it was read."""
        positions = list(positions)
        crops = [self.at(position, feeds) for position in positions]
        most = max(1, max(len(one.crop.joints) for one in crops))
        joints = np.full((len(crops), most, *crops[0].crop.joints.shape[1:]), np.nan, np.float32)
        for row, one in zip(joints, crops, strict=True):
            row[: len(one.crop.joints)] = one.crop.joints
        height, width = crops[0].crop.image.shape[:2]
        images = np.empty((len(crops), 3, height, width), np.uint8)
        for planes, one in zip(images, crops, strict=True):
            # Several times as fast as NumPy's transposing.
            cv2.split(one.crop.image, list(planes[::-1] if self.rgb else planes))
        return Batch(
            images=torch.from_numpy(images),
            joints=torch.from_numpy(joints),
            mask=torch.from_numpy(np.stack([one.crop.mask for one in crops])),
            labelled=torch.from_numpy(np.stack([one.crop.labelled for one in crops])),
            keys=tuple(one.key for one in crops),
            seeds=torch.tensor([_number(f"{self.seed} {position}") for position in positions]),
            photos=tuple(one.photo for one in crops),
        )

    def at(self, position: int, feeds: Mapping[int, Feed] | None = None) -> Named:
        """The crop of a position. A photo that cannot be read is named, and the next one takes its place.

        Raises:
            ConfigError: hardly any photo of the source can be read.
        """
        number, turn = self.mix.entry(position)
        entry = self.entries[number]
        if entry.photos is None:
            assert feeds is not None, "a stream needs its feed"
            return self._next_of(feeds[number], self.sources[entry.source].name)
        item, epoch = self._orders[number](turn)
        view = epoch % self.views if self.views else epoch
        for more in range(min(len(entry), TRIES)):
            found = self._cut(entry, (item + more) % len(entry), view)
            if found is not None:
                return found
        raise ConfigError(f"source {self.sources[entry.source].name}: {TRIES} photos in a row cannot be read")

    def _cut(self, entry: Entry, item: int, view: int) -> Named | None:
        assert entry.photos is not None and entry.places is not None and entry.numbers is not None
        source, photo = self.sources[entry.source], int(entry.photos[item])
        if self._unreadable[entry.source][photo]:
            return None
        samples = source.samples
        assert isinstance(samples, Source)
        sample = samples[photo]
        centre = Centre(*map(float, entry.places[item]))
        key = f"{source.name}/{sample.name}#{int(entry.numbers[item])}.{view}"
        try:
            crop = self.cropper(sample, centre, self._generator(key), self._donor(samples) if self._pastes else None)
        except PhotoError as error:
            self._unreadable[entry.source][photo] = True
            _log.warning("source %s: %s: %s; the next photo takes its place", source.name, sample.name, error)
            return None
        return Named(crop, key, f"{source.name}/{sample.name}")

    def _next_of(self, feed: Feed, source: str) -> Named:
        for _ in range(TRIES):
            sample, centre, name, donor = next(feed)
            key = f"{source}/{name}"
            try:
                crop = self.cropper(sample, centre, self._generator(key), donor if self._pastes else None)
            except PhotoError as error:
                _log.warning("source %s: %s: %s; the next photo takes its place", source, sample.name, error)
                continue
            return Named(crop, key, f"{source}/{sample.name}")
        raise ConfigError(f"source {source}: {TRIES} photos in a row cannot be read")

    @property
    def _pastes(self) -> bool:
        return self.crop.occlusion > 0.0

    def _generator(self, key: str) -> np.random.Generator:
        return np.random.default_rng(_number(f"{self.seed} {key}"))

    def _donor(self, samples: Source) -> Donor:
        def find(generator: np.random.Generator) -> tuple[Sample, int] | None:
            for place in generator.integers(len(samples), size=DONORS):
                sample = samples[int(place)]
                fit = [
                    person
                    for person, outline in enumerate(sample.outlines)
                    if outline is not None and sample.counts[person] >= self.crop.min_keypoints
                ]
                if fit:
                    return sample, fit[int(generator.integers(len(fit)))]
            return None

        return find


def _entries(opened: list[Opened], crop: CropConfig) -> tuple[list[Entry], list[float]]:
    entries: list[Entry] = []
    weights: list[float] = []
    for number, source in enumerate(opened):
        if isinstance(source.samples, ShardStream):
            entries.append(Entry(number))
            weights.append(source.weight)
            continue
        people, nobody = _centres(source.samples, source.report, crop)
        kinds = [(people, 1.0 - crop.empty), (nobody, crop.empty if people else 1.0)]
        for found, share in kinds:
            if found and (share > 0.0 or found is people):
                entries.append(_entry(number, found))
                weights.append(source.weight * (share if people and nobody else 1.0))
        if not people and not nobody:
            raise ConfigError(f"source {source.name} has no person that can be the centre of a crop")
    return entries, weights


def _centres(samples: Source, report: Report, crop: CropConfig) -> tuple[list[Any], list[Any]]:
    """(photo, centre, which of its photo's) around people, and of photos of nobody."""
    people: list[tuple[int, Centre, int]] = []
    nobody: list[tuple[int, Centre, int]] = []
    for photo in range(len(samples)):
        for which, centre in enumerate(centres(samples[photo], crop)):
            (nobody if centre.whole else people).append((photo, centre, which))
    report.crops, report.empty = len(people), len(nobody)
    return people, nobody


def _entry(source: int, found: list[tuple[int, Centre, int]]) -> Entry:
    return Entry(
        source,
        np.array([photo for photo, _, _ in found], np.int64),
        np.array([(c.x, c.y, c.height) for _, c, _ in found], np.float32).reshape(-1, 3),
        np.array([which for _, _, which in found], np.int64),
    )


def _first(entries: list[Entry], count: int) -> tuple[list[Entry], list[float]]:
    """One crop of each of the first photos that have people."""
    for entry in entries:
        if entry.photos is None:
            raise ConfigError("overfit needs photos that can be read in any order; streamed shards cannot")
        assert entry.places is not None and entry.numbers is not None
        if np.isfinite(entry.places).all():
            kept = np.unique(entry.photos, return_index=True)[1][:count]
            return [Entry(entry.source, entry.photos[kept], entry.places[kept], entry.numbers[kept])], [1.0]
    raise ConfigError("overfit needs a source with people")


def _flags(count: int) -> torch.Tensor:
    """So many False, shared by all loader processes: what one of them finds out the others need not."""
    flags = torch.zeros(count, dtype=torch.bool)
    flags.share_memory_()  # type: ignore[no-untyped-call]
    return flags


def _number(text: str) -> int:
    """A whole number of 63 bits that depends on a text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
