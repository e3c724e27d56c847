"""Card: the YAML file beside a weight file that says what the file is and how it must be fed and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import SKELETONS, Skeleton, load_skeleton

CHANNEL_ORDERS = ("BGR", "RGB")


class CardError(ValueError):
    """A card, or the weights it names, is not what it says; the text says what and where in one sentence."""


@dataclass(frozen=True)
class Card:
    """What a weight file is.

    Attributes:
        name: short name for people and logs.
        network: ``type`` names a builder of :mod:`openpose_ros.networks` or ``graph`` (a file that carries its own
            network, run by OpenVINO as it is); the other entries are the builder's arguments.
        skeleton: joints and limbs of the outputs, in their channel order; in YAML a built-in name, a YAML file beside
            the card, or the table itself.
        stride: input pixels per field cell.
        channels: colour order the network was trained on, ``BGR`` or ``RGB``.
        mean, scale: the network's input is (value - mean) * scale, value in 0..255, one number per channel.
        pad_value: grey value in 0..255 of the padding around the picture.
        paf_offset: cells by which the PAFs lie right of and below the heatmaps (CMU's targets: 0.44; see
            docs/accuracy.md for the value that reads best).
        heat_offset: cells (x, y) by which the heatmaps' summits lie right of and below the annotated joints, as
            measured on training photos.
        weights: path of the weight file; None when nothing is to be loaded.
        sha256: digest of the weight file.
        min_person_score: person score above which people are reliable (docs/accuracy.md), the node's default.
        min_joint_score: joint score above which more joints are right than wrong, the node's default.
        person_score: path of the file that turns a person's evidence into an expected OKS; None: plain evidence.
        licence, source, accuracy, notes: for the reader.
        published: of a network without weights, what is known of those that others published for it: ``AP`` on which
            ``photos``, ``licence``, ``weights``; ``models`` lists it, and a trained network's card leaves it out.
        path: where the card was read from.
    """

    name: str
    network: Mapping[str, Any]
    skeleton: Skeleton
    stride: int = 8
    channels: str = "BGR"
    mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    scale: tuple[float, float, float] = (1 / 256, 1 / 256, 1 / 256)
    pad_value: int = 128
    paf_offset: float = 0.0
    heat_offset: tuple[float, float] = (0.0, 0.0)
    weights: Path | None = None
    sha256: str = ""
    min_person_score: float = 0.0
    min_joint_score: float = 0.0
    person_score: Path | None = None
    licence: str = ""
    source: str = ""
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    published: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read a card, or the card beside a weight file (same name, ``.yaml``).

        Raises:
            CardError: the card or the weight file is missing, or an entry is missing, unknown or wrong.
        """
        place = Path(path).expanduser()
        if place.name and place.suffix not in {".yaml", ".yml"}:
            place = place.with_suffix(".yaml")
        if not place.is_file():
            raise CardError(f"no model card at {place}; expected a card (.yaml) or a weight file beside its card")
        try:
            table = yaml.safe_load(place.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CardError(f"{place} is not readable as YAML: {' '.join(str(error).split())}") from None
        if not isinstance(table, dict):
            raise CardError(f"{place} is not a model card: expected a table of entries")
        return cls.from_mapping(table, place)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any], path: Path) -> Card:
        """Build a card from its YAML table; ``weights`` and a skeleton file are found beside ``path``."""
        values = dict(table)
        known = set(cls.__dataclass_fields__) - {"path"}
        unknown = sorted(set(values) - known)
        missing = sorted({"name", "network", "skeleton"} - set(values))
        if unknown or missing:
            raise CardError(f"{path}: unknown entries {unknown}, missing entries {missing}")
        for name, read in _READERS.items():
            if name in values:
                try:
                    values[name] = read(values[name])
                except (TypeError, ValueError) as error:
                    raise CardError(f"{path}: {name} is {values[name]!r}: {error}") from None
        try:
            values["skeleton"] = _skeleton(values["skeleton"], path.parent)
        except (TypeError, ValueError, KeyError) as error:
            raise CardError(f"{path}: skeleton: {error}") from None
        for name in ("weights", "person_score"):
            if values.get(name) is not None:
                values[name] = path.parent / str(values[name])
        return cls(**values, path=path)

    def thresholds(self) -> dict[str, float]:
        """The settings of the decoder that the card knows better: what is reliable depends on the network."""
        return {entry.name: getattr(self, entry.name) for entry in DecodeOptions.options() if entry.from_card}

    def verified_weights(self) -> Path:
        """Path of the weight file after comparing its digest with the card.

        Raises:
            CardError: the file is missing, truncated or another one than the card describes.
        """
        if self.weights is None:
            raise CardError(f"{self.path or self.name}: the card names no weight file")
        if not self.weights.is_file():
            raise CardError(f"the weights {self.weights} named by {self.path} are missing")
        found = file_digest(self.weights)
        if self.sha256 and found != self.sha256:
            raise CardError(
                f"the weights {self.weights} are not those of {self.path}: sha256 {found[:12]}..., expected "
                f"{self.sha256[:12]}... (a truncated download?)"
            )
        return self.weights

    def save(self, path: Path) -> None:
        """Write the card as YAML; the files it names must lie beside it."""
        table: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == "path" or value in ("", {}, None):
                continue
            if isinstance(value, Skeleton):
                value = value.name if value == SKELETONS.get(value.name) else value.to_mapping()
            elif isinstance(value, Path):
                value = value.name
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            table[name] = value
        path.write_text(yaml.safe_dump(table, sort_keys=False, width=110, allow_unicode=True))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _skeleton(given: Any, folder: Path) -> Skeleton:
    """A skeleton from its table, the name of a built-in one, or a YAML file beside the card."""
    if isinstance(given, Mapping):
        return Skeleton.from_mapping(given)
    beside = folder / str(given)
    return load_skeleton(beside if beside.is_file() else str(given))


def _network(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or "type" not in given:
        raise ValueError("expected a table with an entry 'type'")
    return given


def _channels(given: Any) -> str:
    if given not in CHANNEL_ORDERS:
        raise ValueError(f"expected one of {', '.join(CHANNEL_ORDERS)}")
    return str(given)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(given: Any) -> int:
        if type(given) is not int or not low <= given <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return given

    return read


def _number(low: float, high: float) -> Callable[[Any], float]:
    def read(given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not low <= given <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return float(given)

    return read


def _numbers(count: int, low: float, high: float) -> Callable[[Any], tuple[float, ...]]:
    one = _number(low, high)

    def read(given: Any) -> tuple[float, ...]:
        if not isinstance(given, (list, tuple)) or len(given) != count:
            raise ValueError(f"expected {count} numbers from {low:g} to {high:g}")
        return tuple(map(one, given))

    return read


def _channel_values(given: Any) -> tuple[float, ...]:
    """One number for all three channels, or three."""
    alone = isinstance(given, (int, float))
    try:
        return _numbers(3, -1e6, 1e6)([given] * 3 if alone else given)
    except ValueError:
        raise ValueError("expected one number or three") from None


_READERS: dict[str, Callable[[Any], Any]] = {
    "network": _network,
    "stride": _whole(1, 64),
    "channels": _channels,
    "mean": _channel_values,
    "scale": _channel_values,
    "pad_value": _whole(0, 255),
    "paf_offset": _number(-4.0, 4.0),
    "heat_offset": _numbers(2, -4.0, 4.0),
    "min_person_score": _number(0.0, 1.0),
    "min_joint_score": _number(0.0, 1.0),
}
"""What an entry of a card's table must be; a ValueError says what was expected."""
