"""JSON lines: what was found in a bag's images, for programs that know no messages."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from openpose_ros.bags import BagError
from openpose_ros.people import People


class Lines:
    """JSON lines, one an image; the file has its name only after ``finish``. Without a path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part") if path else Path()
        self._file: IO[str] | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._part.open("w", encoding="utf-8")
            except OSError as error:
                raise BagError(f"{path} cannot be written: {error.strerror}") from None

    def write(self, topic: str, header: Any, people: People) -> None:
        """Add the people of an image: its topic, stamp and frame_id, and OpenPose's JSON."""
        if self._file is None:
            return
        stamp = {"sec": header.stamp.sec, "nanosec": header.stamp.nanosec}
        about = {"topic": topic, "stamp": stamp, "frame_id": header.frame_id}
        self._try(lambda file: file.write(json.dumps({**about, **people.to_openpose_json()}) + "\n"))

    def finish(self) -> None:
        """Give the file its name."""
        if self._path is not None:
            self._try(lambda file: file.close())
            self._try(lambda _: self._part.replace(self._path or self._part))

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _try(self, act: Callable[[IO[str]], object]) -> None:
        assert self._file is not None
        try:
            act(self._file)
        except OSError as error:
            raise BagError(f"{self._path} cannot be written: {error.strerror}") from None
