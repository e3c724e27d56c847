"""sensor_msgs/CompressedImage of image_transport's compressedDepth -> metres.

Twelve bytes go before a PNG of 16 bits: the kind of compression (int32) and two float32, A and B. The PNG of 16UC1
holds millimetres. That of 32FC1 holds A / depth + B, which is finer near the camera; 0 is unknown in both. The format
field begins with the encoding of the original: ``16UC1; compressedDepth png``.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage

from openpose_ros.encodings import ImageError, decoded, named

HEADER = struct.Struct("<iff")

MILLIMETRES = ("16UC1", "mono16")
METRES = "32FC1"


def decompress_depth(message: CompressedImage) -> npt.NDArray[np.float32]:
    """The depths of a compressed depth image.

    Returns:
        (h, w) metres, NaN where unknown.

    Raises:
        ImageError: another transport, encoding or compression, or a truncated or broken picture.
    """
    data = bytes(message.data)
    about = f"a compressed depth image of format {named(message.format)} and {len(data)} bytes"
    encoding, _, transport = (part.strip() for part in message.format.partition(";"))
    if not transport.startswith("compressedDepth") or encoding not in (*MILLIMETRES, METRES):
        raise ImageError(
            f"{about} is no depth that is known here; expected a format such as '16UC1; compressedDepth png'"
        )
    if transport.endswith("rvl"):
        raise ImageError(f"{about} is coded as RVL, which is not read here; set the format of its publisher to png")
    if len(data) <= HEADER.size:
        raise ImageError(f"{about} holds no picture; expected {HEADER.size} bytes and a PNG")
    values = decoded(data[HEADER.size :], cv2.IMREAD_UNCHANGED, about)
    if values.ndim != 2 or values.dtype != np.uint16:
        raise ImageError(f"{about} holds a picture of {values.shape} {values.dtype} values; expected one of 16 bits")
    if encoding == METRES:
        _, a, b = HEADER.unpack_from(data)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.float32(a) / (values.astype(np.float32) - np.float32(b))
            depth[~((values > 0) & (depth > 0) & (depth < np.inf))] = np.nan
        return depth
    depth = values * np.float32(1e-3)
    depth[values == 0] = np.nan
    return depth
