"""Doing a step only when its inputs changed: a digest of them, kept in a stamp that is written last."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def digest(contents: Iterable[Path], facts: Iterable[str] = ()) -> str:
    """SHA-256 of files, each with its name (one that is missing counts as such), and of strings."""
    sha = hashlib.sha256()
    for path in sorted(contents):
        body = path.read_bytes() if path.is_file() else b"missing"
        sha.update(f"{path.relative_to(ROOT)} {len(body)}\n".encode() + body)
    for fact in facts:
        sha.update(f"{fact}\n".encode())
    return sha.hexdigest()


def read(stamp: Path) -> str:
    """What a stamp says; nothing when the step was never finished."""
    return stamp.read_text() if stamp.is_file() else ""


@contextmanager
def alone() -> Iterator[None]:
    """Keeps two `make` in one checkout from installing or building at the same time: the second waits."""
    folder = os.open(ROOT / "workspace", os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make in this checkout.", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
