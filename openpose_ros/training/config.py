"""Every setting of a training run, as dataclasses: what ``train``, ``prepare`` and ``preview`` read from YAML.

A file may leave out whatever it does not change. Lists of files and ``key=value`` words are merged in order, the
later one wins, and a key that is not here, or a value of another type, is refused by name (OmegaConf).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from openpose_ros.weights.catalogue import trainable_cards


class ConfigError(ValueError):
    """A configuration cannot be used; the text names the key, its value and what was expected."""


@dataclass
class SourceConfig:
    """Photos to learn from."""

    type: str = "coco"
    """``coco`` (JSON and folder), ``yolo`` (a folder of photos and one of YOLO-pose texts), ``shards`` (tar files that
    ``prepare`` wrote), ``photos`` (a folder without labels), ``lmdb``, ``hdf5`` or ``tfrecord`` (what CMU's, the Keras
    and the TensorFlow 2 scripts prepared), or the dotted path of a class of your own."""
    name: str = ""
    """How counts and messages call it; empty: its annotations' or folder's name."""
    images: str = ""
    """Folder of the photos."""
    annotations: str = ""
    """COCO's JSON, the folder of YOLO texts, or the LMDB or HDF5 file."""
    shards: list[str] = field(default_factory=list)
    """Paths, URLs or ``pipe:`` commands of tar files; braces expand, as in ``coco-{000..118}.tar``. Of ``tfrecord`` its
    files."""
    weight: float = 1.0
    """Share of the crops that come from here, beside the other sources' weights."""
    joints: list[str] = field(default_factory=list)
    """Joints that the source labels, where it knows fewer than the skeleton; the others carry no loss."""
    one_person: bool = False
    """Only one person a photo is labelled: outside that person's box nothing carries loss."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of a class of your own. Of ``yolo``: ``keypoints`` (names, COCO's by default) and ``boxes`` (a
    folder of texts with the boxes of all people). Of ``shards``: ``stream`` (read local ones from their beginning, too)
    and ``buffer`` (crops that a stream keeps to shuffle)."""


@dataclass
class CropConfig:
    """Which part of a photo a crop shows, and how it is turned (the recipes of CMU and of lightweight OpenPose)."""

    height: int = 368
    width: int = 368
    person: float = 0.6
    """A person's height as a share of the crop's, before ``scale``."""
    scale: list[float] = field(default_factory=lambda: [0.5, 1.1])
    """Range of a random factor on the person's size."""
    stretch: float = 0.0
    """Random change of the aspect ratio: 0.2 stretches by up to 1.2 either way."""
    rotation: float = 40.0
    """Degrees either way."""
    shift: float = 40.0
    """Crop pixels either way, between the person's and the crop's centre."""
    flip: float = 0.5
    whole: list[float] = field(default_factory=lambda: [0.8, 1.6])
    """Range of the short side of a photo without labels, as a multiple of the crop's shorter side."""
    empty: float = 0.02
    """Share of a labelled source's crops that show its photos of nobody, where it has any."""
    min_keypoints: int = 5
    """People with fewer labelled joints are no crop centres (they are still labelled)."""
    min_area: float = 1024.0
    """Nor those of a smaller area, in square pixels of the photo."""
    apart: float = 0.3
    """Nor those closer to an earlier centre than this share of that person's larger side."""
    views: int = 0
    """Crops per centre: 0 draws a new one each time, 4 draws from the same four, which a teacher's cache can hold."""
    occlusion: float = 0.0
    """Probability of pasting a person cut out of another photo into the crop."""
    extra: list[dict[str, Any]] = field(default_factory=list)
    """Augmentations of your own, in this order: ``type`` is the dotted path of a class, the rest its arguments."""


@dataclass
class DataConfig:
    """Where crops come from and how they reach the training device."""

    sources: list[SourceConfig] = field(default_factory=list)
    crop: CropConfig = field(default_factory=CropConfig)
    workers: int = 2
    """Loader processes of each training process; 0 loads in the training process itself."""
    prefetch: int = 4
    """Batches that each worker keeps ready."""


@dataclass
class PhotometricConfig:
    """Changes of light and quality on the training device; every one is drawn anew for each crop."""

    enabled: bool = True
    brightness: float = 0.2
    """Added, as a share of 255, either way."""
    contrast: float = 0.3
    """Factor 1 - c .. 1 + c about the crop's mean."""
    saturation: float = 0.3
    hue: float = 0.03
    """Turn of the colour circle, either way."""
    grey: float = 0.05
    """Probability of a crop without colour."""
    blur: float = 0.1
    """Probability of a Gaussian blur of up to 2 pixels."""
    noise: float = 0.1
    """Probability of Gaussian noise of up to 5 % of 255."""
    jpeg: float = 0.1
    """Probability of the traces of a JPEG of quality 20 to 80."""
    extra: list[dict[str, Any]] = field(default_factory=list)
    """Your own, applied last: ``type`` is the dotted path of a torch module on (B, 3, H, W) values in 0..255."""


@dataclass
class TargetConfig:
    """What a perfect network would answer."""

    sigma: float = 7.0
    """Spread of a joint's Gaussian, in input pixels."""
    limb_width: float = 8.0
    """Distance from a limb's axis up to which its vector is drawn, in input pixels."""


@dataclass
class LossConfig:
    """Masked squared error, summed over cells and channels, averaged over the batch (CMU's and lightweight's)."""

    type: str = "l2"
    """``l2``, ``focal`` (errors weighted up where heat or a limb is, down where nothing is and nothing is answered)
    or the dotted path of a class of your own."""
    stages: list[float] = field(default_factory=list)
    """Weight of each stage, the first one first; empty: all 1."""
    heatmaps: float = 1.0
    pafs: float = 1.0
    foreground: float = 1.0
    """Weight of cells where a target is more than 0.01, beside 1 elsewhere."""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class TeacherConfig:
    """A frozen network whose fields the student learns beside the labels, or instead of them."""

    model: str = ""
    """A card; empty: no teacher."""
    scales: list[float] = field(default_factory=lambda: [1.0])
    flip: bool = True
    weight: float = 0.5
    """Share of the teacher in the loss of labelled crops, the rest being the labels'; others have only the teacher."""
    cache: str = ""
    """Folder that keeps the teacher's fields, for crops that come again (``data.crop.views``); empty: none."""


@dataclass
class GroupConfig:
    """Parameters that learn at their own rate."""

    modules: list[str] = field(default_factory=list)
    """Beginnings of parameter names, such as ``backbone`` or ``refinement_stages.0``; ``*`` stands for anything."""
    rate: float = 1.0
    """Multiple of the run's rate; 0 freezes them, batch normalisation included."""


@dataclass
class OptimiserConfig:
    """How weights move."""

    type: str = "adamw"
    """``adamw``, ``sgd`` or the dotted path of a torch optimiser."""
    rate: float = 3e-4
    weight_decay: float = 1e-4
    """Not for biases and normalisations."""
    momentum: float = 0.9
    """Of sgd; the first beta of adamw."""
    groups: list[GroupConfig] = field(default_factory=list)
    """A parameter belongs to the last group that names it."""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class ScheduleConfig:
    """How the rate goes, by optimiser steps."""

    type: str = "cosine"
    """``constant``, ``cosine``, ``step`` or the dotted path of a function: step -> factor."""
    warmup: int = 500
    """Steps of linear rise at the start."""
    end: float = 0.01
    """Factor at the end of cosine."""
    milestones: list[int] = field(default_factory=list)
    factor: float = 0.333
    """On the rate at every milestone of step."""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class CheckpointConfig:
    """What survives a power cut."""

    every: int = 500
    """Steps between two checkpoints."""
    minutes: float = 10.0
    """Time between two more; only the latest of them is kept."""
    newest: int = 3
    best: int = 1
    """Checkpoints of the highest AP to keep."""


@dataclass
class ValidationConfig:
    """Photos on which AP is measured on the way; empty: none, and no checkpoint is the best one."""

    images: str = ""
    annotations: str = ""
    every: int = 1000
    """Steps between two measurements; one is made at the end in any case."""
    limit: int = 0
    short_side: int = 368
    start: bool = True
    """Measure before the first step, too."""


@dataclass
class CalibrationConfig:
    """Photos from which the finished network's card learns what its people are worth (``calibrate card``)."""

    images: str = ""
    annotations: str = ""
    """Not those on which the network is to be measured; empty: the card keeps plain scores."""
    empty: str = ""
    """Folder of photos without any person."""


@dataclass
class RunConfig:
    """A training run."""

    name: str = MISSING
    runs: str = "runs"
    """Folder in which every run has its own, by its name."""
    card: str = MISSING
    """The card of the network to train, which needs no weights: a name that ``models`` lists, or a path, looked for
    beside the file that names it, first."""
    start: str = "random"
    """Weights to begin with: ``random``, ``imagenet`` (backbone only), or a card or weight file whose tensors are
    taken where name and shape fit."""
    seed: int = 1
    steps: int = 100_000
    """Optimiser steps."""
    batch: int = 32
    """Crops a step, over all processes, before accumulation."""
    accumulate: int = 1
    clip: float = 0.0
    """Largest norm of the gradient; 0: any."""
    ema: float = 0.0
    """Decay of the running mean of the weights, which is then validated and exported; 0: none."""
    blend: float = 1.0
    """Share of what was learned in the exported weights, the rest being ``start``'s: a half of each keeps more of what
    the start knew from data that are not at hand (Wortsman et al., "Robust fine-tuning", CVPR 2022)."""
    precision: str = "fp32"
    """``fp32``, ``bf16`` and ``fp16`` (mixed), or ``bf16-pure``: weights in bfloat16 with float32 master copies, the
    fast way on a CPU."""
    accelerator: str = "auto"
    """``auto``, ``cpu``, ``gpu`` or ``tpu``, as Lightning has them."""
    devices: int = 0
    """Processes on this machine; 0: all devices there are, one on a CPU."""
    nodes: int = 1
    strategy: str = "auto"
    overfit: int = 0
    """Learn and validate only so many photos, whole and unchanged: a check that labels, card and network fit."""
    data: DataConfig = field(default_factory=DataConfig)
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)
    targets: TargetConfig = field(default_factory=TargetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    checkpoints: CheckpointConfig = field(default_factory=CheckpointConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    pictures: int = 8
    """Crops in TensorBoard's pictures at every validation."""


def load(files: Sequence[str | Path], words: Sequence[str] = ()) -> RunConfig:
    """Merge YAML files and ``key=value`` words, the later one winning.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown or missing, or a value has another type.
    """
    merged = OmegaConf.structured(RunConfig)
    for file in files:
        path = Path(file).expanduser()
        table = _read(path)
        beside = path.parent / str(OmegaConf.select(table, "card"))
        if beside.is_file():
            table.card = str(beside)
        merged = _merge(merged, table, str(file))
    for word in words:
        if "=" not in word or word.startswith("="):
            raise ConfigError(f"{word!r} is no setting; expected key=value, such as optimiser.rate=1e-4")
        merged = _merge(merged, _word(word), word)
    absent = sorted(OmegaConf.missing_keys(merged))
    if absent:
        raise ConfigError(f"missing: {', '.join(absent)}; give a file with -c FILE or {absent[0]}=...")
    try:
        config: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise ConfigError(_first_line(error)) from None
    return replace(config, card=str(trainable_cards().get(config.card, config.card)))


def save(config: RunConfig, path: Path) -> None:
    """Write the merged configuration, complete, so that ``-c`` of this one file repeats the run."""
    path.write_text(show(config))


def show(config: RunConfig) -> str:
    """The whole configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _read(path: Path) -> DictConfig:
    try:
        table = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration {path}") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, DictConfig):
        raise ConfigError(f"{path} is no configuration: expected a table of settings")
    return table


def _word(word: str) -> DictConfig:
    try:
        # Nothing behind the sign means the empty text, not nothing at all.
        return OmegaConf.from_dotlist([f"{word}''" if word.endswith("=") else word])
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"{word}: {_first_line(error)}") from None


def _merge(merged: DictConfig, more: DictConfig, place: str) -> DictConfig:
    try:
        both = OmegaConf.merge(merged, more)
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        raise ConfigError(f"{place}: {_first_line(error)}") from None
    assert isinstance(both, DictConfig)
    return both


def _first_line(error: Exception) -> str:
    key = getattr(error, "full_key", None)
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{key}: {text}" if key else text
