"""Large files from a web server: resumed after interruptions, checked when complete."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openpose_ros.training.config import ConfigError

BLOCK = 1 << 20
TRIES = 5
"""Interruptions in a row, without a single byte between them, after which it gives up."""


class FetchError(ConfigError):
    """A file could not be fetched; the text says which, why and how to go on."""


@dataclass(frozen=True)
class Remote:
    """A file on a server: where it is, its size in bytes and its MD5."""

    url: str
    size: int
    md5: str

    @property
    def name(self) -> str:
        """Of the file."""
        return self.url.rpartition("/")[2]


def fetch(
    remote: Remote, folder: Path, progress: Callable[[int], object] = lambda more: None, wait: float = 2.0
) -> Path:
    """Bring a file into a folder, going on with what an earlier call left there as ``NAME.part``.

    Args:
        remote: what to fetch.
        folder: where to.
        progress: is told how many more bytes there are, the ones of earlier calls first.
        wait: seconds before the second try, doubled each time.

    Raises:
        FetchError: the server does not answer, has another file, or what came is not what was published.
    """
    done = folder / remote.name
    if done.is_file() and done.stat().st_size == remote.size:
        progress(remote.size)
        return done
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{remote.name}.part"
    if part.is_file() and part.stat().st_size > remote.size:
        part.unlink()
    there = part.stat().st_size if part.is_file() else 0
    progress(there)
    tries = 0
    while there < remote.size:
        try:
            _transfer(remote, part, there, progress)
        except (urllib.error.HTTPError, FetchError) as error:
            raise FetchError(f"{remote.url} cannot be fetched: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            reason: object = getattr(error, "reason", error)
        else:
            reason = "the connection ended early"
        now = part.stat().st_size if part.is_file() else 0
        if now >= remote.size:
            break
        tries = 1 if now > there else tries + 1
        there = now
        if tries >= TRIES:
            raise FetchError(
                f"{remote.url} cannot be fetched: {reason}; {there} of {remote.size} bytes are there, the same command "
                "goes on with them"
            )
        time.sleep(wait * 2 ** (tries - 1))
    _check(remote, part)
    part.replace(done)
    return done


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


def _transfer(remote: Remote, part: Path, there: int, progress: Callable[[int], object]) -> None:
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={there}-"} if there else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        if there and answer.status != 206:
            # A server that cannot go on sends everything again.
            progress(-there)
            there = 0
        total = there + int(answer.headers.get("Content-Length") or remote.size - there)
        if total != remote.size:
            raise FetchError(f"it has {total} bytes there, expected {remote.size}")
        with part.open("r+b" if there else "wb") as stream:
            stream.seek(there)
            while block := answer.read(BLOCK):
                stream.write(block)
                progress(len(block))


def _check(remote: Remote, path: Path) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != remote.md5:
        path.unlink()
        raise FetchError(
            f"{remote.name} has MD5 {digest.hexdigest()}, expected {remote.md5}: what came is not what was published; "
            "it was removed, the same command begins again"
        )
