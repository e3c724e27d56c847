"""How large a compressed picture says it is, without decoding it: a few bytes may claim gigabytes.

JPEG (ITU-T T.81, B.2.2), PNG (W3C PNG, 11.2.2), WebP (RFC 9649), BMP and TIFF (TIFF 6.0, 2): what image_transport and
cameras send. Whatever else OpenCV can decode has no business on a robot's image topic.
"""

from __future__ import annotations

import struct

FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG markers that begin a frame and tell its size."""

ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers without a segment."""

SCAN, END = 0xDA, 0xD9

TIFF_SIDES = {256: 0, 322: 0, 257: 1, 323: 1}
"""Tags of TIFF: width of the picture and of a tile, height of both."""


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Height and width in pixels from the header of a JPEG, PNG, WebP, BMP or TIFF; None where there is none."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return _sides(struct.unpack_from(">II", data, 16))
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            old = data[14:18] == b"\x0c\0\0\0"
            return _sides(struct.unpack_from("<HH" if old else "<ii", data, 18))
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data, "<" if data.startswith(b"II") else ">")
    except (struct.error, IndexError):
        pass  # the data ends within the header
    return None


def _sides(width_and_height: tuple[int, int]) -> tuple[int, int]:
    width, height = map(abs, width_and_height)  # a BMP that begins with its upper row has a negative height
    return height, width


def _jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        while data[place] == 0xFF:  # markers may be preceded by any number of these
            place += 1
        marker = data[place]
        place += 1
        if marker in FRAMES:
            return struct.unpack_from(">HH", data, place + 3)
        if marker in (SCAN, END):
            return None
        if marker and marker not in ALONE:
            place += struct.unpack_from(">H", data, place)[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    return None


def _tiff(data: bytes, order: str) -> tuple[int, int] | None:
    """The sides of the first picture, or those of its tiles where they are longer: room is made for whole ones."""
    sides = [0, 0]
    place = struct.unpack_from(f"{order}I", data, 4)[0]
    for entry in range(struct.unpack_from(f"{order}H", data, place)[0]):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, place + 2 + 12 * entry)
        if tag in TIFF_SIDES:
            value = struct.unpack_from(f"{order}H" if kind == 3 else f"{order}I", data, place + 10 + 12 * entry)[0]
            sides[TIFF_SIDES[tag]] = max(sides[TIFF_SIDES[tag]], value)
    return _sides((sides[0], sides[1])) if all(sides) else None
