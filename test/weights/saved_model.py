"""Writes the variables of a SavedModel as TensorFlow 2 does: a sorted table of entries, and the data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

KEY = "layer_with_weights-{}/variable/.ATTRIBUTES/VARIABLE_VALUE"


def write_saved_model(folder: Path, variables: Mapping[str, npt.NDArray[np.float32]], block: int = 4096) -> Path:
    """``folder`` with ``saved_model.pb`` (empty), ``variables.index`` in blocks of about so many bytes, and data."""
    data, entries, objects = b"", {}, b""
    for place, (name, values) in enumerate(variables.items()):
        key = KEY.format(place)
        stored = np.ascontiguousarray(values, "<f4").tobytes()
        sides = b"".join(field(2, b"\x08" + number(side)) for side in values.shape)
        entries[key] = b"\x08\x01" + field(2, sides) + whole(4, len(data)) + whole(5, len(stored))
        data += stored
        attribute = field(1, b"VARIABLE_VALUE") + field(2, name.encode()) + field(3, key.encode())
        objects += field(1, field(2, attribute))
    text = number(len(objects)) + b"\0\0\0\0" + objects
    entries["_CHECKPOINTABLE_OBJECT_GRAPH"] = b"\x08\x07" + whole(4, len(data)) + whole(5, len(text))
    data += text
    variables_folder = folder / "variables"
    variables_folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    (variables_folder / "variables.data-00000-of-00001").write_bytes(data)
    (variables_folder / "variables.index").write_bytes(index({"": b"\x08\x01", **entries}, block))
    return folder


def index(entries: Mapping[str, bytes], size: int) -> bytes:
    """A sorted table in LevelDB's format."""
    whole_table, handles, pending = b"", {}, {}

    def flush() -> None:
        nonlocal whole_table
        if pending:
            written = blocked(pending)
            handles[max(pending)] = number(len(whole_table)) + number(len(written) - 5)
            whole_table += written
            pending.clear()

    for key in sorted(entries):
        pending[key] = entries[key]
        if sum(len(value) for value in pending.values()) > size:
            flush()
    flush()
    empty = number(len(whole_table)) + number(8)
    whole_table += blocked({})
    main = number(len(whole_table))
    written = blocked(handles)
    whole_table += written
    footer = empty + main + number(len(written) - 5)
    return whole_table + footer.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


def blocked(entries: Mapping[str, bytes]) -> bytes:
    """A block, its kind (not compressed) and four bytes of a check sum."""
    content, before, restarts = b"", b"", []
    for count, (key, value) in enumerate(sorted(entries.items())):
        name, shared = key.encode(), 0
        if count % 16 == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(before), len(name)) and before[shared] == name[shared]:
                shared += 1
        content += number(shared) + number(len(name) - shared) + number(len(value)) + name[shared:] + value
        before = name
    restarts = restarts or [0]
    ends = b"".join(place.to_bytes(4, "little") for place in (*restarts, len(restarts)))
    return content + ends + b"\0" + b"\0\0\0\0"


def number(value: int) -> bytes:
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def field(which: int, content: bytes) -> bytes:
    return number(which << 3 | 2) + number(len(content)) + content


def whole(which: int, value: int) -> bytes:
    return number(which << 3) + number(value)
