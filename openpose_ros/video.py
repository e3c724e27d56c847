"""Pictures -> a video file, in a codec that this OpenCV can write."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from openpose_ros.preprocess import Image

FORMATS = ((".mp4", "mp4v"), (".avi", "MJPG"))
"""Tried in this order: a build of OpenCV without FFmpeg can write only the second."""

SUFFIXES = (".mp4", ".avi", ".m4v", ".mkv", ".mov", ".webm")
FOR_MP4 = ("mp4v", "avc1", "H264", "hev1")
"""Codecs whose files are called .mp4 unless a suffix says otherwise; those of any other .avi."""

_log = logging.getLogger(__name__)


class VideoError(OSError):
    """A video that cannot be written; the text says in one sentence which and why."""


class Video:
    """A video that is written picture by picture. Its size is that of the first one, in even numbers of pixels.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path, first: Image, rate: float, fourcc: str = "") -> None:
        """Open the file, which is complete after ``close``.

        Args:
            path: without a suffix it gets that of the format.
            first: the picture whose size the video takes; it is not written yet.
            rate: frames a second.
            fourcc: four letters of the codec; empty takes the first that works.

        Raises:
            VideoError: this OpenCV can write no such file.
        """
        self._size = (first.shape[1] // 2 * 2 or 2, first.shape[0] // 2 * 2 or 2)
        suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ""
        formats: tuple[tuple[str, str], ...] = FORMATS
        if suffix or fourcc:
            codec = fourcc or dict(FORMATS).get(suffix, FORMATS[0][1])
            formats = ((suffix or (".mp4" if codec in FOR_MP4 else ".avi"), codec),)
        for ending, codec in formats:
            self.path = path if suffix else path.with_name(path.name + ending)
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*codec), rate, self._size)
            if self._writer.isOpened():
                return
            self._writer.release()
            self.path.unlink(missing_ok=True)
            _log.warning("this OpenCV cannot write %s files as %s", ending, codec)
        raise VideoError(f"this OpenCV can write no video {self.path}; take another fourcc, or write pictures instead")

    def add(self, picture: Image) -> None:
        """Write one picture; another size is fitted between black bars."""
        self._writer.write(_fitted(picture, self._size))

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    """The picture in a video's size (width, height), its aspect kept, in the middle of black."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    shown = (max(1, min(size[0], round(width * scale))), max(1, min(size[1], round(height * scale))))
    small = cv2.resize(image, shown, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - shown[0]) // 2, (size[1] - shown[1]) // 2
    right, bottom = size[0] - shown[0] - left, size[1] - shown[1] - top
    return np.asarray(cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT), np.uint8)
