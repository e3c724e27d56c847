"""Depth images and camera_info as messages -> metres and a CameraModel, and which depth belongs to an image.

The depth of an image is looked up after the network is done with it, by the stamp of that very image, in a short
ring of the latest depth messages: by then it has nearly always come. A synchronizer in front of the network would hold
every image back until its depth is there, also those that a newer one replaces before the network looks at them; and a
depth without regard to stamps shows the wall that somebody has just walked past.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage

from openpose_ros.camera_model import CameraModel
from openpose_ros.encodings import ImageError, named, raw_values
from openpose_ros.ros.compressed_depth import METRES, MILLIMETRES, decompress_depth

Floats = npt.NDArray[np.float32]
Message = Any
"""sensor_msgs/Image or sensor_msgs/CompressedImage."""


RING = 30
"""Depth messages kept: a second of an ordinary camera, longer than any network takes. Of 640x480 in 16 bits they are
18 MB; they are the messages themselves, not copies."""


def to_metres(message: Message) -> Floats:
    """The depths of a sensor_msgs/Image (REP 118), or of a CompressedImage of the transport compressedDepth.

    Args:
        message: 16UC1 (or mono16) in millimetres with 0 for unknown, or 32FC1 in metres with NaN for unknown. ``step``
            and ``is_bigendian`` are honoured.

    Returns:
        (h, w) metres, NaN where unknown: also for infinite depths and those that are not above 0.

    Raises:
        ImageError: another encoding, no pixels, a wrong step or wrong length of the data.
    """
    if isinstance(message, CompressedImage):
        return decompress_depth(message)
    if message.encoding not in (*MILLIMETRES, METRES):
        raise ImageError(
            f"the depth image's encoding is {named(message.encoding)}; expected 16UC1 (millimetres) or 32FC1 (metres)"
        )
    if message.height == 0 or message.width == 0:
        raise ImageError(f"the depth image is {message.width}x{message.height} pixels; expected at least 1x1")
    values = raw_values(message)[..., 0]
    if message.encoding == METRES:
        depth = np.array(values, np.float32)
        with np.errstate(invalid="ignore"):
            depth[~((depth > 0) & (depth < np.inf))] = np.nan
        return depth
    depth = values * np.float32(1e-3)
    depth[values == 0] = np.nan
    return depth


def to_camera(message: CameraInfo, rectified: bool = False) -> CameraModel:
    """The calibration of the images beside a sensor_msgs/CameraInfo.

    Args:
        message: K, D and P are of the whole sensor; roi, if any, says which part of it is sent, and binning how many
            of its pixels were then made one. What is the image's is worked out here.
        rectified: the images are rectified, so that P describes them, without distortion. The camera of a stereo
            pair whose P names a baseline is taken for itself: z is right, and x is from its own centre.

    Raises:
        ValueError: not calibrated, or nothing that a camera can be; the text says what.
    """
    matrix = np.array(message.p, np.float64).reshape(3, 4)[:, :3] if rectified else np.reshape(message.k, (3, 3))
    k = np.array(matrix, np.float64)
    if not k.any():
        raise ValueError(
            f"camera_info says that the camera is not calibrated ({'P' if rectified else 'K'} is all zero); calibrate "
            "it, for instance with camera_calibration"
        )
    across, down = max(1, message.binning_x), max(1, message.binning_y)
    width, height = message.roi.width or message.width, message.roi.height or message.height
    # Pixel centres are at whole numbers: that of a large pixel lies between those of the pixels it was made of.
    k[0, 2] = (k[0, 2] - message.roi.x_offset + 0.5) / across - 0.5
    k[1, 2] = (k[1, 2] - message.roi.y_offset + 0.5) / down - 0.5
    k[0, :2] /= across
    k[1, 1] /= down
    if rectified:
        return CameraModel(width // across, height // down, k)
    return CameraModel(width // across, height // down, k, np.array(message.d, np.float64), message.distortion_model)


class DepthRing:
    """The latest depth messages. Any thread may put and ask.

    Args:
        length: how many are kept.
    """

    def __init__(self, length: int = RING) -> None:
        self._messages: deque[tuple[int, Message]] = deque(maxlen=length)
        self._changed = threading.Condition()

    def put(self, message: Message) -> None:
        """Keep a message. One that is older than all that are kept means that time has begun anew, as in a bag played
        once more: they are dropped. Out of order by less, it takes its place among them."""
        stamp = _nanoseconds(message.header.stamp)
        with self._changed:
            if self._messages and stamp < min(kept for kept, _ in self._messages):
                self._messages.clear()
            self._messages.append((stamp, message))
            self._changed.notify_all()

    def nearest(self, stamp: Time, slop: float, wait: float = 0.0) -> Message | None:
        """The message whose stamp is nearest to this one, the later put of two equals; None if none is within
        ``slop`` seconds. While only earlier ones are there, it may still come: for ``wait`` seconds at most."""
        wanted = _nanoseconds(stamp)
        with self._changed:
            if wait > 0.0:
                self._changed.wait_for(lambda: any(there >= wanted - slop * 1e9 for there, _ in self._messages), wait)
            kept = [(abs(there - wanted), message) for there, message in reversed(self._messages)]
        apart, message = min(kept, key=lambda entry: entry[0], default=(0, None))
        return message if apart <= slop * 1e9 else None


def _nanoseconds(stamp: Time) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
