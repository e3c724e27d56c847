"""cv_bridge, where one is installed that works.

Built against another NumPy than the one that runs, cv_bridge fails at import, or takes the process down with it when
it converts: so it is tried in a process of its own, once, before it is trusted.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from functools import lru_cache
from typing import Any

import numpy as np

from openpose_ros.preprocess import Image

_log = logging.getLogger(__name__)

PROBE = """
import array, numpy, cv_bridge
from sensor_msgs.msg import Image
for encoding, values, expected in (
    ("rgb8", numpy.array([1, 2, 3, 250, 251, 252], "u1"), [[[3, 2, 1], [252, 251, 250]]]),
    ("mono16", numpy.array([514, 64764], "u2"), [[[2] * 3, [252] * 3]]),
):
    image = Image(encoding=encoding, height=1, width=2, step=values.nbytes)
    image.data = array.array("B", values.tobytes())
    assert cv_bridge.CvBridge().imgmsg_to_cv2(image, "bgr8").tolist() == expected, encoding
"""


class CvBridge:
    """A cv_bridge that passed the probe.

    Attributes:
        encodings: those it is asked to convert. bgr8 is not among them: that costs nothing without it. Nor are the
            16-bit Bayer patterns, which it interpolates before it scales.
    """

    encodings = frozenset(
        {"mono8", "mono16", "rgb8", "rgb16", "bgr16", "rgba8", "bgra8", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8",
         "bayer_grbg8"}
    )  # fmt: skip

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge

    def to_bgr(self, message: Any) -> Image:
        """(H, W, 3) uint8, BGR, of a sensor_msgs/Image in one of ``encodings``."""
        return np.asarray(self._bridge.imgmsg_to_cv2(message, "bgr8"), np.uint8)


@lru_cache(maxsize=1)
def sound_cv_bridge() -> CvBridge | None:
    """The installed cv_bridge if it converts two small images rightly, else None. Looks once."""
    if importlib.util.find_spec("cv_bridge") is None:
        return None
    try:
        tried = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("the installed cv_bridge could not be tried (%s); images are converted without it", error)
        return None
    if tried.returncode != 0:
        reason = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1]
        _log.warning("the installed cv_bridge does not work (%s); images are converted without it", reason)
        return None
    import cv_bridge

    return CvBridge(cv_bridge.CvBridge())
