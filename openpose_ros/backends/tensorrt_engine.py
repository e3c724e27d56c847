"""Files of TensorRT engines: what each was built from, and the folder that keeps them.

An engine is a network compiled for one GPU by one version of TensorRT, and of no use to any other. Each file says in
its first lines what it was built from; one that does not fit, or is torn, is never loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpose_ros.backends import BackendError
from openpose_ros.backends.tensorrt_library import Gpu, Library
from openpose_ros.card import Card, file_digest
from openpose_ros.options import InputOptions
from openpose_ros.weights.catalogue import cache_folder
from openpose_ros.weights.store import replacing

PRECISIONS = ("float16", "float32", "int8")
"""Of the ONNX files that engines are built from; ``auto`` takes the first of the first two that there is."""

KEPT = 16
"""Engines in the folder; beyond them the one that was used longest ago is removed."""

LONGEST = InputOptions().max_long_side
"""Side of the largest input that engines take, where no larger one is asked for."""

MAGIC = b"openpose_ros engine 1\n"

Shape = tuple[int, int, int]
"""B, H, W of the network's input."""


class EngineMissingError(BackendError):
    """No engine of that precision fits; the text says why, and the command that makes one."""

    def __init__(
        self, reason: str, card: Card, precision: str, sizes: Sequence[tuple[int, int]] = (), most: int = 1
    ) -> None:
        super().__init__(f"{reason}; this makes one: {shlex.join(export_command(card, precision, sizes, most))}")
        self.precision = precision


def export_command(card: Card, precision: str, sizes: Sequence[tuple[int, int]] = (), most: int = 1) -> list[str]:
    """The command that makes an engine of a card, for sizes (height, width) and so many images at once."""
    command = ["python", "-m", "openpose_ros", "export", "--model", str(card.path or card.name)]
    command += ["--precision", precision, "--engine"]
    command += ["--sizes", *(f"{height}x{width}" for height, width in sizes)] if sizes else []
    return command + (["--batch", str(most)] if most > 1 else [])


@dataclass(frozen=True)
class Profile:
    """Shapes that an engine takes, and the one that it is fastest at."""

    smallest: Shape
    best: Shape
    largest: Shape

    @classmethod
    def exactly(cls, height: int, width: int, most: int = 1) -> Profile:
        """One size of images, up to ``most`` at once."""
        return cls((1, height, width), (1, height, width), (most, height, width))

    @classmethod
    def up_to(cls, side: int, height: int, width: int, stride: int, most: int = 1) -> Profile:
        """Images of any size up to ``side`` x ``side``, best of height x width, up to ``most`` at once."""
        return cls((1, stride, stride), (1, height, width), (most, side, side))

    def __post_init__(self) -> None:
        parts = zip(self.smallest, self.best, self.largest, strict=True)
        if not all(1 <= low <= middle <= high for low, middle, high in parts):
            raise ValueError(f"the sizes of an engine are {self}; expected each one within the smallest and largest")

    def covers(self, shape: Shape) -> bool:
        """Whether an engine built for these takes a batch of that shape."""
        return all(low <= here <= high for low, here, high in zip(self.smallest, shape, self.largest, strict=True))

    def __str__(self) -> str:
        low, best, high = ("x".join(map(str, shape)) for shape in (self.smallest, self.best, self.largest))
        return f"{low} to {high}, best {best}"


def profiles_for(sizes: Sequence[tuple[int, int]], stride: int, most: int = 1) -> tuple[Profile, ...]:
    """Each size (height, width) on its own, the first one being the usual one, and any other up to a bound.

    Args:
        sizes: of the network's input that are expected to come.
        stride: of the network.
        most: images at once.
    """
    side = max(LONGEST, *(max(size) for size in sizes))
    return (*(Profile.exactly(*size, most) for size in sizes), Profile.up_to(side, *sizes[0], stride, most))


def facts(card: Card, precision: str, profiles: Sequence[Profile], found: Library, gpu: Gpu) -> dict[str, Any]:
    """Everything that an engine depends on, ready for JSON.

    Raises:
        CardError: the card names no digest, and its weights are missing.
    """
    table = {
        "card": card.name,
        "weights": card.sha256 or file_digest(card.verified_weights()),
        "network": dict(card.network),
        "skeleton": card.skeleton.to_mapping(),
        "stride": card.stride,
        "channels": card.channels,
        "mean": list(card.mean),
        "scale": list(card.scale),
        "precision": precision,
        "profiles": [[list(part) for part in (one.smallest, one.best, one.largest)] for one in profiles],
        "package": found.package,
        "version": found.version,
        "gpu": gpu.name,
        "capability": list(gpu.capability),
    }
    read: dict[str, Any] = json.loads(_json(table))  # as it comes back from a file, so that the two compare
    return read


def folder() -> Path:
    """Where engines are kept for this user; ``XDG_CACHE_HOME`` moves it."""
    return cache_folder().parent / "engines"


def file_name(text: str) -> str:
    """Some text as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", text)


def path_of(about: Mapping[str, Any]) -> Path:
    """Where the engine with these facts belongs."""
    digest = hashlib.sha256(_json(about)).hexdigest()[:16]
    return folder() / f"{file_name(about['card'])}-{about['precision']}-{digest}.engine"


@dataclass(frozen=True)
class EngineFile:
    """An engine in the folder: its place and its header (the facts, digest of the ONNX file, digest and size)."""

    path: Path
    header: Mapping[str, Any]

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The shapes that it takes."""
        return tuple(Profile(*(tuple(shape) for shape in one)) for one in self.header["profiles"])

    def read(self) -> bytes:
        """The engine itself.

        Raises:
            BackendError: the file is torn, or gone.
        """
        try:
            with self.path.open("rb") as stream:
                stream.read(len(MAGIC))
                written = stream.readline()  # again, because it may have been built again
                plan = stream.read()
        except OSError as error:
            raise BackendError(f"the engine {self.path} cannot be read: {error.strerror}") from None
        if hashlib.sha256(plan).hexdigest() != _read(written).get("plan"):
            raise BackendError(
                f"the engine {self.path} is torn: {len(plan)} of {self.header['size']} bytes, or changed ones"
            )
        with suppress(OSError):  # the folder may be somebody else's
            os.utime(self.path)  # what was used last is kept
        return plan


def write(plan: bytes, about: Mapping[str, Any], onnx_digest: str) -> EngineFile:
    """Put an engine into the folder, whole or not at all, and remove those beyond ``KEPT``."""
    header = {**about, "onnx": onnx_digest, "plan": hashlib.sha256(plan).hexdigest(), "size": len(plan)}
    path = path_of(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Others may build the same at the same time.
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.{path.stem}.part")
    try:
        temporary.write_bytes(b"".join((MAGIC, _json(header), b"\n", plan)))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    kernels_of(path).unlink(missing_ok=True)
    dated = sorted(path.parent.glob("*.engine"), key=_age)
    for old in dated[KEPT:]:
        old.unlink(missing_ok=True)
        kernels_of(old).unlink(missing_ok=True)
    return EngineFile(path, header)


def opened(path: Path) -> EngineFile | None:
    """The engine file there, its header read; None when there is none or its first lines are not those of one."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                return None
            header = _read(stream.readline())
            file = EngineFile(path, header)
            return file if file.profiles and isinstance(header["plan"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fitting(card: Card, precision: str, found: Library, gpu: Gpu) -> list[EngineFile]:
    """Engines of a card that this TensorRT and GPU can run, of any profiles, the one used last first."""
    wanted = facts(card, precision, (), found, gpu)
    files = (opened(path) for path in sorted(folder().glob("*.engine"), key=_age))
    return [
        file
        for file in files
        if file is not None and all(file.header.get(name) == wanted[name] for name in wanted if name != "profiles")
    ]


def why_none(card: Card, precision: str, found: Library, gpu: Gpu) -> str:
    """What is wrong with the engines of this card that there are, in words; empty when there is none at all."""
    wanted = facts(card, precision, (), found, gpu)
    names = {"package": "flavour", "version": "version of TensorRT", "gpu": "GPU", "weights": "weights"}
    for path in sorted(folder().glob("*.engine"), key=_age):
        file = opened(path)
        if file is not None and (file.header.get("card"), file.header.get("precision")) == (card.name, precision):
            other = [text for name, text in names.items() if file.header.get(name) != wanted[name]]
            return f"the one in {path} is for another {' and '.join(other) or 'card'}"
    return ""


def kernels_of(path: Path) -> Path:
    """Where the kernels are kept that TensorRT for RTX compiles when it runs an engine."""
    return path.with_suffix(".kernels")


def save_blob(path: Path, blob: bytes) -> None:
    """Keep bytes that may be lost but must not be wrong: a digest before them."""
    with replacing(path) as temporary:
        temporary.write_bytes(hashlib.sha256(blob).digest() + blob)


def load_blob(path: Path) -> bytes:
    """Bytes of :func:`save_blob`; empty when there are none or they are torn."""
    try:
        whole = path.read_bytes()
    except OSError:
        return b""
    digest, blob = whole[:32], whole[32:]
    return blob if hashlib.sha256(blob).digest() == digest else b""


def _json(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True, separators=(",", ":")).encode()


def _read(line: bytes) -> dict[str, Any]:
    """A header; empty when it is none."""
    try:
        header = json.loads(line)
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def _age(path: Path) -> float:
    """Sorts the file used last to the front; another process may have removed it meanwhile."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
