"""The size that a compressed picture claims, from its first bytes."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros import encodings
from openpose_ros.encodings import ImageError, decompress
from openpose_ros.picture_header import stated_size

PHOTO = np.random.default_rng(0).integers(0, 255, (30, 47, 3)).astype(np.uint8)
WEBP_LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]
PROGRESSIVE = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]


def coded(extension: str, image: Any = PHOTO, flags: list[int] | None = None) -> bytes:
    return bytes(cv2.imencode(extension, image, flags or [])[1])


def png(width: int, height: int, depth: int = 8) -> bytes:
    """A PNG whose header claims so many pixels."""
    data = bytearray(coded(".png"))
    data[16:25] = struct.pack(">IIB", width, height, depth)
    return bytes(data)


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(coded(".jpg"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("extension", "flags"),
    [(".jpg", []), (".jpg", PROGRESSIVE), (".png", []), (".bmp", []), (".tiff", []), (".webp", []),
     (".webp", WEBP_LOSSLESS)],
    ids=["jpeg", "progressive", "png", "bmp", "tiff", "webp", "lossless"],
)  # fmt: skip
def test_size_is_that_of_the_picture(extension: str, flags: list[int]) -> None:
    data = coded(extension, PHOTO, flags)
    assert stated_size(data) == (30, 47)
    sent = SimpleNamespace(format=extension, data=data)
    assert decompress(sent).shape == (30, 47, 3)


def test_jpeg_with_filling_and_a_foreign_segment_is_read() -> None:
    data = coded(".jpg")
    segment = b"\xff\xff\xff\xe5\x00\x0b\xff\xc0\x00\x11\x08\x00\x01\x00\x02"
    assert stated_size(data[:2] + segment + data[2:]) == (30, 47)


def test_bmp_that_begins_with_its_upper_row_has_a_size() -> None:
    data = bytearray(coded(".bmp"))
    data[22:26] = struct.pack("<i", -30)
    assert stated_size(bytes(data)) == (30, 47)


def test_tiles_count_where_they_are_larger_than_the_picture() -> None:
    entries = [(256, 3, 8), (257, 3, 6), (322, 4, 4096), (323, 4, 2048)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    assert stated_size(b"II*\0" + struct.pack("<IH", 8, len(entries)) + body) == (2048, 4096)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".tiff", ".webp"])
def test_no_beginning_of_a_picture_is_too_short(extension: str) -> None:
    data = coded(extension)
    for length in range(min(len(data), 700)):
        assert stated_size(data[:length]) in (None, (30, 47))


def test_random_bytes_after_a_magic_number_do_no_harm() -> None:
    random = np.random.default_rng(1)
    for magic in (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X", b"BM", b"II*\0", b"MM\0*", b""):
        for _ in range(300):
            stated_size(magic + random.bytes(random.integers(0, 200)))


@pytest.mark.parametrize(
    ("data", "size"),
    [(png(30000, 30000), "30000x30000"), (png(2**31 - 1, 2**31 - 1), "2147483647x2147483647"),
     (png(8192, 8193, 16), "8192x8193"), (jpeg(65000, 65000), "65000x65000")],
)  # fmt: skip
def test_a_few_bytes_that_claim_gigabytes_are_refused_before_they_are_decoded(
    data: bytes, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings.cv2, "imdecode", lambda *arguments: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=f"claims {size} pixels; expected at most {2**26}"):
        decompress(SimpleNamespace(format="jpeg", data=data))


@pytest.mark.parametrize("magic", [b"GIF89a", b"P6\n99999 99999\n255\n", b"#?RADIANCE\n", b"\x76\x2f\x31\x01"])
def test_pictures_whose_size_nobody_looked_up_are_refused(magic: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be decoded; expected a whole jpeg, png, webp, bmp or tiff"):
        decompress(SimpleNamespace(format="gif", data=magic + bytes(100)))


def test_a_book_as_format_is_not_told_in_full() -> None:
    with pytest.raises(ImageError) as caught:
        decompress(SimpleNamespace(format="x" * 10_000, data=b"?"))
    assert len(str(caught.value)) < 250
