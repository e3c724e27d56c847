"""The bytes of protocol buffers, read without a library: fields, each a number and a content. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator


def fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(field number, content) of a protocol buffer; the content of a number is its bytes as they stand.

    Raises:
        ValueError: the data ends within a field or is no protocol buffer.
    """
    place = 0
    while place < len(data):
        key, place = number(data, place)
        kind = key & 7
        if kind == 0:
            size = number(data, place)[1] - place
        elif kind == 2:
            size, place = number(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"byte {place} begins no field")
        if place + size > len(data):
            raise ValueError(f"a field of {size} bytes ends behind the end")
        yield key >> 3, data[place : place + size]
        place += size


def number(data: memoryview, place: int) -> tuple[int, int]:
    """A number of variable length and the place behind it.

    Raises:
        ValueError: the data ends within it.
    """
    value = 0
    for count, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError(f"byte {place} begins no number")


def numbers(packed: memoryview) -> list[int]:
    """All numbers of a packed field."""
    found, place = [], 0
    while place < len(packed):
        value, place = number(packed, place)
        found.append(value)
    return found


def shape(message: memoryview) -> list[int]:
    """The sizes in a TensorFlow ``TensorShapeProto``."""
    sides = [dict(fields(side)) for field, side in fields(message) if field == 2]
    return [number(side[1], 0)[0] if 1 in side else 0 for side in sides]
