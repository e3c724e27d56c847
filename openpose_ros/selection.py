"""Frames of a source -> those that are asked for, turned and mirrored, no faster than asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from openpose_ros.media import Frame, Frames
from openpose_ros.options import FrameOptions
from openpose_ros.preprocess import Image

TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def selected(source: Frames, options: FrameOptions, limit: int = 0) -> Frames:
    """Some frames of a source; they keep their numbers, names and stamps.

    Args:
        source: closed with what is returned.
        options: which frames, and how.
        limit: how many at most; 0 is all.
    """
    last = options.last_frame if options.last_frame >= 0 else None

    def read() -> Iterator[Frame]:
        count, due = 0, time.monotonic()
        for frame in source:
            if last is not None and frame.index > last:
                return
            if frame.index < options.first_frame or (frame.index - options.first_frame) % options.frame_step:
                continue
            if options.max_fps:
                time.sleep(max(0.0, due - time.monotonic()))
                due = max(due, time.monotonic()) + 1.0 / options.max_fps
            yield replace(frame, image=turned(frame.image, options))
            count += 1
            if limit and count >= limit:
                return

    return Frames(
        source.source,
        read(),
        _total(source.total, options, limit),
        source.rate and source.rate / options.frame_step,
        source.live,
        source.close,
        source.recorded,
        source.camera,
    )


def turned(image: Image, options: FrameOptions) -> Image:
    """(H, W, 3), mirrored first and turned then; (W, H, 3) after a quarter turn."""
    if options.mirror:
        image = np.ascontiguousarray(image[:, ::-1])
    return np.asarray(cv2.rotate(image, TURNS[options.rotate]), np.uint8) if options.rotate else image


def _total(total: int | None, options: FrameOptions, limit: int) -> int | None:
    """How many frames there will be at most; None where nobody knows."""
    last = options.last_frame if options.last_frame >= 0 else None
    if total is None and last is None:
        return limit or None
    end = min(bound for bound in (total, None if last is None else last + 1) if bound is not None)
    count = max(0, -(-(end - options.first_frame) // options.frame_step))
    return min(count, limit) if limit else count
