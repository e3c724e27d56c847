"""What was found -> files: pictures, a video, OpenPose's JSON, COCO's results, maps; named as OpenPose names them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from openpose_ros.decode import Candidates, joint_candidates
from openpose_ros.maps import maps_file, on_host
from openpose_ros.media import Frame
from openpose_ros.options import ResultOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.video import Video, VideoError

PRESSED_LIGHTLY = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 3]}
"""PNG packed harder takes twice the time and saves a few per cent."""

FINE = 8
"""Digits behind the point of coordinates that run from 0 to 1; those in pixels have 4."""


class ResultError(OSError):
    """A result that cannot be written; the text says in one sentence which and why."""


@dataclass(frozen=True)
class Wanted:
    """Where each kind of result goes; None writes none of it.

    Attributes:
        pictures: folder of ``STEM_rendered.png``, one a frame.
        json: folder of ``STEM_keypoints.json``, one a frame (OpenPose's format, version 1.3).
        maps: folder of ``STEM_pose_heatmaps.png``, one a frame.
        video: file; without a suffix it gets that of the format.
        coco: file of COCO's keypoint results.
    """

    pictures: Path | None = None
    json: Path | None = None
    maps: Path | None = None
    video: Path | None = None
    coco: Path | None = None

    def folders(self) -> list[Path]:
        """Every folder that something is written into."""
        files = [path.parent for path in (self.video, self.coco) if path is not None]
        return [path for path in (self.pictures, self.json, self.maps) if path is not None] + files


class Results:
    """Writes results; a context manager: video and COCO's results are complete after ``close``.

    Attributes:
        files: what was written, in order; the frames of a video are one file.
    """

    def __init__(self, wanted: Wanted, options: ResultOptions | None = None, rate: float = 25.0) -> None:
        """Make the folders.

        Args:
            wanted: what is written, and where.
            options: how.
            rate: frames a second of a video, where the options do not say.

        Raises:
            ResultError: a folder cannot be made.
        """
        self.files: list[Path] = []
        self._wanted = wanted
        self._options = options or ResultOptions()
        self._rate = self._options.video_fps or rate
        self._video: Video | None = None
        self._stems: dict[str, int] = {}
        self._coco: list[dict[str, object]] | None = []
        for folder in wanted.folders():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ResultError(f"the folder {folder} cannot be made: {error.strerror}") from None

    def add(self, frame: Frame, people: People, drawn: Image | None, found: Candidates | None = None) -> None:
        """Write one frame's results.

        Args:
            frame: where they come from.
            people: in its pixels.
            drawn: the picture, where pictures or a video are written.
            found: what the people were made of, where ``needs_found``.

        Raises:
            ResultError: a file cannot be written (a full disk, a folder without permission).
        """
        stem, wanted = self._stem(frame.stem), self._wanted
        if wanted.json is not None:
            table = json.dumps(self._json(people, found))
            self._write(wanted.json / f"{stem}_keypoints.json", table.encode())
        if wanted.maps is not None and found is not None:
            self._write_maps(wanted.maps / f"{stem}_pose_heatmaps.{self._options.maps_format}", found)
        if wanted.coco is not None and len(people):
            self._coco = [*(self._coco or []), *people.to_coco(_number(frame))]
        if drawn is None:
            return
        if wanted.pictures is not None:
            suffix = f".{self._options.picture_format}"
            good, data = cv2.imencode(suffix, drawn, PRESSED_LIGHTLY.get(suffix, []))
            if not good:
                raise ResultError(f"the picture of {frame.name} cannot be encoded as {suffix[1:]}")
            self._write(wanted.pictures / f"{stem}_rendered{suffix}", data.tobytes())
        if wanted.video is not None:
            self._add_to_video(wanted.video, drawn)

    @property
    def needs_pictures(self) -> bool:
        """Whether anything is done with the drawn pictures."""
        return self._wanted.pictures is not None or self._wanted.video is not None

    @property
    def needs_found(self) -> bool:
        """Whether anything is done with what the people were made of."""
        scaled = self._wanted.json is not None and self._options.keypoint_scale != "image"
        return self._options.candidates or self._wanted.maps is not None or scaled

    def close(self) -> None:
        """Finish the video and COCO's results. What is written after that begins new ones.

        Raises:
            ResultError: COCO's results cannot be written.
        """
        if self._video is not None:
            self._video.close()
            self._video = None
        if self._wanted.coco is not None and self._coco is not None:
            rows, self._coco = self._coco, None
            self._write(self._wanted.coco, json.dumps(rows).encode())

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _json(self, people: People, found: Candidates | None) -> dict[str, object]:
        scale = self._options.keypoint_scale
        digits = 4 if scale in ("image", "input") else FINE
        parts = joint_candidates(found) if found is not None and self._options.candidates else None
        if found is not None:
            grid = found.fields.grids[0]
            people = replace(people, xy=grid.to_scale(people.xy, scale))
            for part in parts or ():
                part[:, :2] = grid.to_scale(part[:, :2], scale)
        return people.to_openpose_json(parts, digits)

    def _write_maps(self, path: Path, found: Candidates) -> None:
        options = self._options
        try:
            data = maps_file(on_host(found.fields), 0, options.map_kinds(), options.maps_format, options.maps_range)
        except ValueError as error:
            raise ResultError(f"{path} cannot be written: {error}") from None
        self._write(path, data)

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

    def _add_to_video(self, path: Path, drawn: Image) -> None:
        try:
            if self._video is None:
                self._video = Video(path, drawn, self._rate, self._options.fourcc)
                self.files.append(self._video.path)
            self._video.add(drawn)
        except VideoError as error:
            raise ResultError(str(error)) from None


def _number(frame: Frame) -> int:
    """COCO's number of a photo: the last number in its name."""
    numbers = re.findall(r"\d+", frame.stem)
    if not numbers:
        raise ResultError(f"{frame.name} has no number in its name, which COCO's results call a photo by")
    return int(numbers[-1])
