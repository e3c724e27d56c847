"""Files from a server, a mirror or a disk: resumed after interruptions, checked when complete."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
TRIES = 5
"""Interruptions in a row, without a single byte between them, after which it gives up."""

MIRROR = "OPENPOSE_ROS_MIRROR"
"""Environment variable with the address of a mirror, which takes the place of all servers; ``file:///...`` works."""


class FetchError(ValueError):
    """A file could not be fetched; the text says which, why and how to go on."""


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: where it is; ``http``, ``https`` or ``file``.
        size: bytes; 0 where it was not published.
        digest: kind and hexadecimal number, such as ``md5:5156...``, ``sha256:...``, ``sha384:...``, or ``git:...``,
            the name that git gives to a file of that content; empty where none was published.
    """

    url: str
    size: int
    digest: str

    @property
    def name(self) -> str:
        """Of the file."""
        return urllib.parse.urlsplit(self.url).path.rpartition("/")[2]


def fetch(
    remote: Remote,
    folder: Path,
    progress: Callable[[int], object] = lambda more: None,
    wait: float = 2.0,
    tries: int = TRIES,
) -> Path:
    """Bring a file into a folder, going on with what an earlier call left there as ``NAME.part``.

    Args:
        remote: what to fetch.
        folder: where to.
        progress: is told how many more bytes there are, the ones of earlier calls first.
        wait: seconds before the second try, doubled each time.
        tries: interruptions in a row, without a byte between them, after which it gives up.

    Raises:
        FetchError: the server does not answer, has another file, or what came is not what was published.
    """
    done = folder / remote.name
    if done.is_file() and remote.size and done.stat().st_size == remote.size:
        progress(remote.size)
        return done
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{remote.name}.part"
    if remote.url.startswith("file:"):
        _copy(remote, part, progress)
    else:
        _transfer_all(remote, part, progress, wait, tries)
    wrong = difference(part, remote.digest)
    if wrong:
        part.unlink()
        raise FetchError(
            f"{remote.name} {wrong}: what came from {remote.url} is not what was published; it was removed, the same "
            "command begins again"
        )
    part.replace(done)
    return done


def difference(path: Path, digest: str) -> str:
    """How a file differs from a published digest, such as ``has MD5 0123, expected 4567``; empty where it does not."""
    kind, _, expected = digest.partition(":")
    if not expected:
        return ""
    hashed = hashlib.new("sha1" if kind == "git" else kind, usedforsecurity=False)
    if kind == "git":
        hashed.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            hashed.update(block)
    return "" if hashed.hexdigest() == expected else f"has {kind} {hashed.hexdigest()}, expected {expected}"


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin what cannot end.

    Raises:
        FetchError: the disk of a folder, which need not exist yet, has less room than ``needed`` bytes.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise FetchError(f"{folder} has room for {free / 1e9:.1f} GB; {needed / 1e9:.1f} GB are needed")


def _copy(remote: Remote, part: Path, progress: Callable[[int], object]) -> None:
    source = Path(urllib.request.url2pathname(urllib.parse.urlsplit(remote.url).path))
    if not source.is_file():
        raise FetchError(f"there is no file {source}")
    found = source.stat().st_size
    if remote.size and found != remote.size:
        raise FetchError(f"{source} has {found} bytes, expected {remote.size}")
    shutil.copyfile(source, part)
    progress(found)


def _transfer_all(remote: Remote, part: Path, progress: Callable[[int], object], wait: float, most_tries: int) -> None:
    """Until the file is complete, over as many connections as it takes."""
    if remote.size and part.is_file() and part.stat().st_size > remote.size:
        part.unlink()
    there = part.stat().st_size if part.is_file() else 0
    progress(there)
    size, tries = remote.size, 0
    while not size or there < size:
        reason: object = "the connection ended early"
        try:
            size = _transfer(remote, part, there, progress)
        except urllib.error.HTTPError as error:
            if error.code == 416 and there and not remote.size:  # all of it is there
                return
            raise FetchError(f"{remote.url} cannot be fetched: {error}") from None
        except FetchError as error:
            raise FetchError(f"{remote.url} cannot be fetched: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
        now = part.stat().st_size if part.is_file() else 0
        if size and now >= size:
            return
        tries = 1 if now > there else tries + 1
        there = now
        if tries >= most_tries:
            raise FetchError(
                f"{remote.url} cannot be fetched: {reason}; {there} of {size or 'unknown'} bytes are there, the same "
                "command goes on with them"
            )
        time.sleep(wait * 2 ** (tries - 1))


def _transfer(remote: Remote, part: Path, there: int, progress: Callable[[int], object]) -> int:
    """One connection; returns how many bytes the whole file has."""
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={there}-"} if there else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        if there and answer.status != 206:
            # A server that cannot go on sends everything again.
            progress(-there)
            there = 0
        told = answer.headers.get("Content-Length")
        total = there + int(told) if told else remote.size
        if remote.size and total != remote.size:
            raise FetchError(f"it has {total} bytes there, expected {remote.size}")
        with part.open("r+b" if there else "wb") as stream:
            stream.seek(there)
            while block := answer.read(BLOCK):
                stream.write(block)
                progress(len(block))
    return total or part.stat().st_size
