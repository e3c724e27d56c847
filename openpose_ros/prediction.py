"""From a source to its results: what ``predict`` does with every frame, and what it tells at the end."""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

import cv2
import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from openpose_ros.backends import at_once
from openpose_ros.draw import draw
from openpose_ros.draw_maps import Shown, draw_maps, shown
from openpose_ros.estimator import Estimator, Job
from openpose_ros.maps import on_host
from openpose_ros.media import Frames
from openpose_ros.options import DrawOptions, PictureOptions
from openpose_ros.people import JointState, People
from openpose_ros.preprocess import Image
from openpose_ros.results import Results

IN_FLIGHT = 2
"""Frames submitted before the first is waited for: one in the network while another is drawn and written."""

_log = logging.getLogger(__name__)


class Pictured(Protocol):
    """Anything with a picture: (H, W, 3) uint8 BGR, and what the log calls it."""

    @property
    def image(self) -> Image: ...

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Pictured)


class WindowError(RuntimeError):
    """No window can be opened; the text says why in one sentence."""


class Window:
    """A window that shows frames as they come."""

    TITLE = "openpose_ros: q or Esc ends"

    def __init__(self) -> None:
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise WindowError("a window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set")
        try:
            cv2.namedWindow(self.TITLE, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise WindowError(
                "this OpenCV is headless and can open no window: install opencv-python in place of "
                "opencv-python-headless"
            ) from None

    def show(self, picture: Image, wait: bool) -> bool:
        """Show a picture, until a key is pressed where ``wait``; False once the user wants to end."""
        cv2.imshow(self.TITLE, picture)
        return cv2.waitKey(0 if wait else 1) & 0xFF not in (27, ord("q"))


class Tally:
    """Frames and people counted, and the milliseconds of each stage.

    Attributes:
        frames, people: how many.
        interrupted: Ctrl-C ended it.
        milliseconds: by stage, one value a frame.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.people = 0
        self.interrupted = False
        self.milliseconds: dict[str, list[float]] = {}

    def add(self, people: People, milliseconds: dict[str, float]) -> None:
        """Count one frame."""
        self.frames += 1
        self.people += len(people)
        for stage, value in milliseconds.items():
            self.milliseconds.setdefault(stage, []).append(value)

    def __str__(self) -> str:
        medians = ", ".join(f"{stage} {statistics.median(v):.1f}" for stage, v in self.milliseconds.items())
        plural = "" if self.frames == 1 else "s"
        return f"{self.frames} frame{plural}, {self.people} people\nmedian milliseconds a frame: {medians or 'none'}"


def predict(
    estimator: Estimator,
    source: Frames,
    results: Results,
    drawing: DrawOptions,
    window: Window | None = None,
    pictures: PictureOptions | None = None,
) -> Tally:
    """Find the people in every frame, draw, write and show them; Ctrl-C ends it early, and so does the window.

    Raises:
        ValueError: ``pictures`` ask for a map that the network's skeleton does not have.
    """
    tally, pictures = Tally(), pictures or PictureOptions()
    what = shown(pictures.render, estimator.skeleton)
    wanted = results.needs_pictures or window is not None
    still = source.rate is None and not source.live
    with tqdm(total=source.total, unit="frame", disable=None) as bar, logging_redirect_tqdm():
        try:
            for frame, job in jobs_in(estimator, source):
                people = job.result()[0]
                began = time.perf_counter()
                picture = _picture(frame.image, people, job, what, pictures, drawing) if wanted else None
                drawn = time.perf_counter()
                results.add(frame, people, picture, job.found if results.needs_found else None)
                written = time.perf_counter()
                tally.add(people, {**job.milliseconds, "draw": 1e3 * (drawn - began), "write": 1e3 * (written - drawn)})
                bar.update(1)
                if window is not None and picture is not None and not window.show(picture, wait=still):
                    break
        except KeyboardInterrupt:
            tally.interrupted = True
    return tally


def people_in(estimator: Estimator, source: Iterable[Item]) -> Iterator[tuple[Item, People, dict[str, float]]]:
    """Pictures with their people and the milliseconds of each stage, in order; the network works on the next meanwhile.

    One that the estimator refuses is named in a warning and left out.
    """
    for item, job in jobs_in(estimator, source):
        people = job.result()[0]
        yield item, people, job.milliseconds


def jobs_in(estimator: Estimator, source: Iterable[Item]) -> Iterator[tuple[Item, Job]]:
    """Pictures and what the estimator was asked about each, as :func:`people_in`."""
    waiting: deque[tuple[Item, Job]] = deque()
    for item in source:
        try:
            waiting.append((item, estimator.submit([item.image])))
        except ValueError as error:
            _log.warning("%s: %s; skipped", item.name, error)
        if len(waiting) >= max(IN_FLIGHT, at_once(estimator.backend) + 1):
            yield waiting.popleft()
    yield from waiting


def _picture(
    image: Image, people: People, job: Job, what: Shown, options: PictureOptions, drawing: DrawOptions
) -> Image:
    below = np.zeros_like(image) if options.on_black else image
    if what.kind != "people":
        assert job.found is not None
        return draw_maps(below, on_host(job.found.fields), what, 1.0 if options.on_black else options.map_opacity)
    if options.render_threshold:
        seen = people.score >= options.render_threshold
        people = replace(people, state=np.where(seen, people.state, JointState.UNKNOWN).astype(np.uint8))
    return draw(below, people, drawing)
