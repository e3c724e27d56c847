"""The same network with the decoder of the textbooks in place of ours: what the decoder and its speed are worth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any

from openpose_ros.estimator import Estimator
from openpose_ros.evaluation import textbook
from openpose_ros.fields import Fields
from openpose_ros.people import People
from openpose_ros.preprocess import Image, check_image


class TextbookJob:
    """An image under way; as :class:`~openpose_ros.estimator.Job`."""

    def __init__(self, future: Future[tuple[Fields, dict[str, float]]]) -> None:
        self._future = future
        self.milliseconds: dict[str, float] = {}

    def wait(self) -> None:
        """Wait until the network is free."""
        wait([self._future])

    def result(self, timeout: float | None = None) -> list[People]:
        """The people of the image."""
        fields, spent = self._future.result(timeout)
        began = time.perf_counter()
        found = [textbook.decode(fields)]
        self.milliseconds = {**spent, "textbook": 1e3 * (time.perf_counter() - began)}
        return found


class TextbookEstimator(Estimator):
    """An Estimator, one image at a time, that enlarges the maps and reads them with the usual constants."""

    def submit(self, images: Sequence[Image]) -> Any:
        """Start on one image."""
        (image,) = images
        check_image(image)
        return TextbookJob(self._worker.submit(self._fields, [image], self.inputs))
