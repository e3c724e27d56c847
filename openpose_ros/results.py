"""What was found -> files: annotated photos, an annotated video, and OpenPose's JSON, named as OpenPose names them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np

from openpose_ros.media import Frame
from openpose_ros.people import People
from openpose_ros.preprocess import Image

VIDEO_FORMATS = ((".mp4", "mp4v"), (".avi", "MJPG"))
"""Tried in this order: a build of OpenCV without FFmpeg can write only the second."""

_log = logging.getLogger(__name__)


class ResultError(OSError):
    """A result that cannot be written; the text says in one sentence which and why."""


class Results:
    """Writes results into a folder, which it makes. A context manager: the video is complete after ``close``.

    Attributes:
        folder: where everything is written.
        files: what was written, in order; the frames of a video are one file.
    """

    def __init__(
        self, folder: Path, *, pictures: bool = True, video: str = "", json: bool = False, rate: float = 25.0
    ) -> None:
        """Prepare to write.

        Args:
            folder: made when it is missing.
            pictures: write ``STEM_rendered.png`` for each frame.
            video: stem of a video of all frames; empty writes none.
            json: write ``STEM_keypoints.json`` for each frame (OpenPose's format, version 1.3).
            rate: frames a second of the video.

        Raises:
            ResultError: the folder cannot be made.
        """
        self.folder = folder
        self.files: list[Path] = []
        self._pictures = pictures
        self._video_stem = video
        self._json = json
        self._rate = rate
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._stems: dict[str, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(f"the folder {folder} cannot be made: {error.strerror}") from None

    def add(self, frame: Frame, people: People, annotated: Image | None) -> None:
        """Write one frame's results; ``annotated`` is only needed for pictures and videos.

        Raises:
            ResultError: a file cannot be written (a full disk, a folder without permission).
        """
        stem = self._stem(frame.stem)
        if self._json:
            self._write(self.folder / f"{stem}_keypoints.json", json.dumps(people.to_openpose_json()).encode())
        if annotated is None:
            return
        if self._pictures:
            good, data = cv2.imencode(".png", annotated, [cv2.IMWRITE_PNG_COMPRESSION, 3])
            if not good:
                raise ResultError(f"the picture of {frame.name} cannot be encoded as PNG")
            self._write(self.folder / f"{stem}_rendered.png", data.tobytes())
        if self._video_stem:
            self._add_to_video(annotated)

    @property
    def needs_pictures(self) -> bool:
        """Whether anything is done with the annotated pictures."""
        return self._pictures or bool(self._video_stem)

    def close(self) -> None:
        """Finish the video; what is written after that begins a new one."""
        if self._video is not None:
            self._video.release()
            self._video = None

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _stem(self, stem: str) -> str:
        """Two photos of one name, such as a.jpg and a.png, become a and a_1."""
        count = self._stems.get(stem, 0)
        self._stems[stem] = count + 1
        return f"{stem}_{count}" if count else stem

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.write_bytes(data)
        except OSError as error:
            raise ResultError(f"{path} cannot be written: {error.strerror}") from None
        self.files.append(path)

    def _add_to_video(self, annotated: Image) -> None:
        if self._video is None:
            self._size = (annotated.shape[1] // 2 * 2 or 2, annotated.shape[0] // 2 * 2 or 2)
            self._video, path = self._open_video()
            self.files.append(path)
        self._video.write(_fitted(annotated, self._size))

    def _open_video(self) -> tuple[cv2.VideoWriter, Path]:
        for suffix, codec in VIDEO_FORMATS:
            path = self.folder / f"{self._video_stem}_rendered{suffix}"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), self._rate, self._size)
            if writer.isOpened():
                return writer, path
            writer.release()
            path.unlink(missing_ok=True)
            _log.warning("this OpenCV cannot write %s files as %s", suffix, codec)
        raise ResultError(f"this OpenCV can write no video into {self.folder}; write pictures instead")


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
