"""Photos, folders, videos, bags, webcams and streams -> frames. The way back is in ``results.py``."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from openpose_ros.bags import BagError, CutOffError, is_bag, stem
from openpose_ros.encodings import ImageError
from openpose_ros.preprocess import Image

PHOTO_SUFFIXES = frozenset(
    {".avif", ".bmp", ".exr", ".gif", ".hdr", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png",
     ".pnm", ".ppm", ".ras", ".tif", ".tiff", ".webp"}
)  # fmt: skip
"""What counts as a photo in a folder; whether OpenCV was built with its decoder shows when it is read."""

_log = logging.getLogger(__name__)


class MediaError(ValueError):
    """A source that cannot be opened; the text says in one sentence what was wrong with it."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        image: (H, W, 3) uint8, BGR, upright (EXIF orientation is applied, but not to the images of a bag).
        name: for people: the file's name, with the frame's number for a video.
        stem: for files made out of this frame, as OpenPose names them: the photo's stem, ``clip_000000000012`` for
            a frame of a video or bag, ``000000000012`` for one of a webcam.
        stamp_seconds: place in a video, time since the first image of a bag was recorded or a webcam was opened;
            photos count one a second.
        index: number of the frame in its source, from 0; unreadable photos have a number too.
        frame_id: of the camera, for an image of a bag; else empty.
    """

    image: Image
    name: str
    stem: str
    stamp_seconds: float
    index: int
    frame_id: str = ""


class Frames(Iterator[Frame]):
    """The frames of a source, one after the other. Closes itself at the end; also a context manager.

    Attributes:
        source: what was asked for, as text.
        total: how many frames there will be at most; None where nobody knows (webcam, some videos).
        rate: frames a second of a video, webcam or bag; None for photos and where it is not known.
        live: a webcam, whose frames do not wait.
        recorded: a bag, whose frames come as irregularly as their stamps say.
        camera: of a bag, the sensor_msgs/CameraInfo that was recorded beside the images; None without one.
    """

    def __init__(
        self,
        source: str,
        reader: Iterator[Frame],
        total: int | None,
        rate: float | None = None,
        live: bool = False,
        release: Callable[[], None] = lambda: None,
        recorded: bool = False,
        camera: Any | None = None,
    ) -> None:
        self.source = source
        self.total = total
        self.rate = rate
        self.live = live
        self.recorded = recorded
        self.camera = camera
        self._reader = reader
        self._release = release

    def __next__(self) -> Frame:
        try:
            return next(self._reader)
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Give the file or the webcam back; no frame comes after this."""
        self._reader = iter(())
        self._release()

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def frames(source: str | Path | Sequence[str | Path], limit: int = 0, topic: str = "") -> Frames:
    """Open a photo, several photos, a folder of photos (sorted by name), a video file, a bag, a webcam (its index) or a
    camera's stream (``rtsp://...``, ``http://...``).

    A photo that cannot be read is named in a warning and left out, and the rest goes on; a video or bag that ends early
    is named too. ``limit`` bounds how many are looked at; 0 is all. ``topic`` is that of the images in a bag; empty
    takes the only one.

    Raises:
        MediaError: the source does not exist or cannot be opened, a folder holds no photo, or a bag several cameras.
    """
    if not isinstance(source, (str, Path)):
        if len(source) != 1:
            return _photos([_existing(one) for one in source], limit, f"{len(source)} photos")
        source = source[0]
    if str(source).isdecimal() and not Path(source).exists():
        return _webcam(int(str(source)), limit)
    if re.match(r"[a-z]+://", str(source)):
        return _stream(str(source), limit)
    path = _existing(source)
    if path.is_dir():
        photos = sorted(p for p in path.iterdir() if _is_photo(p))
        if not photos and is_bag(path):
            return _bag(path, limit, topic)
        if not photos:
            raise MediaError(f"no photo in the folder {path}; expected files such as .jpg or .png")
        return _photos(photos, limit, str(path))
    if is_bag(path):
        return _bag(path, limit, topic)
    if path.suffix.lower() in PHOTO_SUFFIXES or cv2.haveImageReader(str(path)):
        return _photos([path], limit, str(path))
    return _video(path, limit)


def listed(text: str) -> list[str]:
    """The sources that a text names, with commas between them.

    A comma may as well be part of a name: the longest names that exist are taken, and all of the text where nothing in
    it exists.
    """
    parts, found, missing = text.split(","), [], 0
    while parts:
        for count in range(len(parts), 0, -1):
            name = ",".join(parts[:count]).strip()
            if name and Path(name).expanduser().exists():
                break
        else:
            count, name = 1, parts[0].strip()
            missing += bool(name)
        found += [name] if name else []
        del parts[:count]
    return found if missing < len(found) else [text]


def read_photo(path: Path) -> Image | None:
    """(H, W, 3) uint8 BGR of an image file, upright; None where OpenCV cannot read it."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # raised, for one, when there are more pixels than OpenCV is willing to hold
        return None
    return None if image is None else np.ascontiguousarray(image, np.uint8)


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and path.is_file() and not path.name.startswith(".")


def _existing(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if not path.exists():
        raise MediaError(f"no file or folder {path}; expected a photo, a folder, a video, a bag or a webcam's index")
    return path


def _photos(paths: Sequence[Path], limit: int, name: str) -> Frames:
    chosen = paths[:limit] if limit else paths

    def read() -> Iterator[Frame]:
        for index, path in enumerate(chosen):
            image = read_photo(path)
            if image is None:
                _log.warning("%s cannot be read as a photo; skipped", path)
                continue
            yield Frame(image, path.name, path.stem, float(index), index)

    return Frames(name, read(), len(chosen))


def _video(path: Path, limit: int) -> Frames:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"{path} is neither a photo nor a video that OpenCV can read")
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))  # zero or negative in streams and torn files
    rate = _rate(capture)
    total = None if count <= 0 else min(count, limit) if limit else count

    def read() -> Iterator[Frame]:
        index = 0
        while not limit or index < limit:
            good, image = capture.read()
            if not good:
                if index == 0 or (total is not None and index < total - 1):
                    _log.warning("%s ends after %d of %s frames", path, index, total or "an unknown number of")
                return
            # OpenCV's own place in the video means different things in different backends.
            stamp = index / (rate or 25.0)
            yield Frame(_bgr(image), f"{path.name} {index}", f"{path.stem}_{index:012d}", stamp, index)
            index += 1

    return Frames(str(path), read(), total, rate, release=capture.release)


def _bag(path: Path, limit: int, topic: str) -> Frames:
    from openpose_ros.bags.reading import Bag, picture

    try:
        bag = Bag(path)
    except BagError as error:
        raise MediaError(str(error)) from None
    try:
        topics = bag.image_topics([topic] if topic else [])
        if len(topics) > 1:
            raise BagError(
                f"{path} has several image topics, {', '.join(t.name for t in topics)}; expected one as topic"
            )
    except BagError as error:
        bag.close()
        raise MediaError(str(error)) from None
    chosen = topics[0]
    camera, seconds = bag.camera(chosen), bag.seconds(chosen)
    rate = (chosen.messages - 1) / seconds if seconds > 0.0 and chosen.messages > 1 else None

    def read() -> Iterator[Frame]:
        began = 0
        try:
            for index, recorded in enumerate(bag.messages([chosen])):
                if limit and index >= limit:
                    return
                began = began or recorded.time
                name = f"{path.name} {index}"
                try:
                    message = bag.decoded(recorded)
                    image = picture(message, chosen)
                except ImageError as error:
                    _log.warning("%s: %s; skipped", name, error)
                    continue
                stamp = (recorded.time - began) / 1e9
                yield Frame(image, name, f"{stem(path)}_{index:012d}", stamp, index, message.header.frame_id)
        except CutOffError as error:
            _log.warning("%s", error)

    total = min(chosen.messages, limit or chosen.messages)
    return Frames(str(path), read(), total, rate, release=bag.close, recorded=True, camera=camera)


def _webcam(number: int, limit: int) -> Frames:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"no webcam {number}: OpenCV could not open /dev/video{number}")
    return _live(capture, f"webcam {number}", limit)


def _stream(address: str, limit: int) -> Frames:
    capture = cv2.VideoCapture(address)
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"{address} cannot be opened: no camera answers there, or this OpenCV reads no such streams")
    return _live(capture, address, limit)


def _live(capture: cv2.VideoCapture, name: str, limit: int) -> Frames:
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not one that waited

    def read() -> Iterator[Frame]:
        began = time.monotonic()
        index = 0
        while not limit or index < limit:
            good, image = capture.read()
            if not good:
                _log.warning("%s gave no further picture after %d", name, index)
                return
            yield Frame(_bgr(image), f"{index}", f"{index:012d}", time.monotonic() - began, index)
            index += 1

    return Frames(name, read(), limit or None, _rate(capture), live=True, release=capture.release)


def _rate(capture: cv2.VideoCapture) -> float | None:
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 0.0 < rate < 1000.0 else None


def _bgr(picture: Any) -> Image:
    """What a capture gave, as (H, W, 3) uint8; some cameras deliver grey pictures."""
    image = np.asarray(picture, np.uint8)
    grey = image.ndim == 2 or image.shape[2] == 1
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8) if grey else image
