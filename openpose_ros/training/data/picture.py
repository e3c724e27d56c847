"""A photo as it is stored, in a file, in a tar shard or in memory: bytes until somebody needs its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from openpose_ros.preprocess import Image

REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""Factors by which a JPEG can be decoded smaller, at a fraction of the cost and without aliases."""

_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


class PhotoError(ValueError):
    """A photo cannot be used; the text is the reason alone, without the photo's name, so that equal ones count up."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Where the encoded bytes of a photo are: ``data`` itself, or a file, or ``length`` bytes of it at ``offset``."""

    path: str = ""
    offset: int = 0
    length: int = -1
    data: bytes | None = None

    def read(self) -> bytes:
        """The encoded photo.

        Raises:
            PhotoError: its file is missing or unreadable, or ends too early.
        """
        if self.data is not None:
            return self.data
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                data = stream.read(self.length)
        except FileNotFoundError:
            raise PhotoError("photo missing") from None
        except OSError as error:
            raise PhotoError(f"photo unreadable ({error.strerror})") from None
        if len(data) < self.length:
            raise PhotoError("photo unreadable (its shard is torn)")
        return data


def size_of(data: bytes) -> tuple[int, int]:
    """Height and width of an encoded photo, as stored, without decoding it where it is a JPEG or PNG.

    Raises:
        PhotoError: no photo, or a JPEG that ends too early (which decoders fill up with grey, silently).
    """
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return int(height), int(width)
    image = decode(data)
    return image.shape[0], image.shape[1]


def decode(data: bytes, shrink: int = 1) -> Image:
    """(H, W, 3) uint8 BGR of the pixels as stored (COCO annotates those, so an orientation tag must not turn them).

    Args:
        data: the encoded photo.
        shrink: 1, 2, 4 or 8: pixel p of the answer shows the source's from p * shrink to p * shrink + shrink - 1.

    Raises:
        PhotoError: OpenCV cannot read it.
    """
    jpeg = data.startswith(b"\xff\xd8")
    how = REDUCED[shrink if jpeg else 1] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
    except cv2.error:  # raised, for one, when there are more pixels than OpenCV is willing to hold
        image = None
    if image is None:
        raise PhotoError("photo unreadable")
    if shrink > 1 and not jpeg:
        height, width = (side // shrink * shrink for side in image.shape[:2])
        if min(height, width):
            image = cv2.resize(
                image[:height, :width], (width // shrink, height // shrink), interpolation=cv2.INTER_AREA
            )
    return np.asarray(image, np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    size, place = None, 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xFF:  # padding before a marker
            place += 1
            continue
        if marker in _BARE:
            place += 2
            continue
        if marker in _SIZED and place + 9 <= len(data):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            size = int(height), int(width)
        if marker == 0xDA:  # from here on come pixels, in which no end marker can stand
            if data.find(b"\xff\xd9", place) < 0:
                raise PhotoError("photo cut short")
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    if size is None or not min(size):
        raise PhotoError("photo unreadable")
    return size
