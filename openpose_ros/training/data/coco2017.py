"""COCO 2017: what there is to fetch, under which terms, and how it is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from openpose_ros.fetch import FetchError, Remote

TERMS = """\
COCO 2017 (cocodataset.org). The annotations are licensed under CC BY 4.0 by the COCO Consortium. The photos are not
COCO's: each has its own licence on Flickr (the field "license" of the annotations), many of them non-commercial or
without derivatives, and Flickr's terms of use apply. Do not pass the photos on, and decide yourself what you may do
with a network that learned from them."""

SERVER = "http://images.cocodataset.org"


@dataclass(frozen=True)
class Part:
    """An archive of COCO.

    Attributes:
        remote: the file.
        unpacked: bytes that its content takes, about.
        wanted: beginnings of the members that are unpacked.
    """

    remote: Remote
    unpacked: int
    wanted: tuple[str, ...]


PARTS = {
    "annotations": Part(
        Remote(
            f"{SERVER}/annotations/annotations_trainval2017.zip", 252_907_541, "md5:f4bbac642086de4f52a3fdda2de5fa2c"
        ),
        260_000_000,
        ("annotations/person_keypoints_",),
    ),
    "val": Part(
        Remote(f"{SERVER}/zips/val2017.zip", 815_585_330, "md5:442b8da7639aecaf257c1dceb8ba8c80"),
        830_000_000,
        ("val2017/",),
    ),
    "train": Part(
        Remote(f"{SERVER}/zips/train2017.zip", 19_336_861_798, "md5:cced6f7f71b7629ddf16f17bbcfab6b2"),
        19_600_000_000,
        ("train2017/",),
    ),
}
"""By the name that the command calls them."""


def at(part: Part, server: str) -> Part:
    """The same archive on another server that has it under the same path."""
    return replace(part, remote=replace(part.remote, url=part.remote.url.replace(SERVER, server.rstrip("/"), 1)))


def unpack(archive: Path, part: Part, folder: Path, progress: Callable[[int], object] = lambda more: None) -> int:
    """Unpack what is wanted; files that are there in their full size are left alone.

    Returns:
        How many files there are now.

    Raises:
        FetchError: the archive cannot be read.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            wanted = [m for m in members.infolist() if m.filename.startswith(part.wanted) and not m.is_dir()]
            for member in wanted:
                path = folder / member.filename
                if not (path.is_file() and path.stat().st_size == member.file_size):
                    members.extract(member, folder)
                progress(member.file_size)
    except zipfile.BadZipFile as error:
        raise FetchError(f"{archive} cannot be unpacked: {error}") from None
    return len(wanted)


def complete(part: Part, folder: Path) -> bool:
    """Whether it was unpacked here to the end."""
    return _mark(part, folder).is_file()


def mark_complete(part: Part, folder: Path) -> None:
    """Remember that it was unpacked to the end."""
    _mark(part, folder).write_text(f"{part.remote.name} {part.remote.digest}\n")


def _mark(part: Part, folder: Path) -> Path:
    return folder / f".{Path(part.remote.name).stem}.complete"
