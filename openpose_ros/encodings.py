"""sensor_msgs/Image and CompressedImage -> (H, W, 3) uint8 BGR, for every encoding that a camera is likely to send.

Nothing here needs ROS: a message is any object with the fields of one, be it rclpy's or one that was read from a bag.
Whatever is wrong with it is an ImageError that names the value and what was expected. Where a sound cv_bridge is
installed it converts the encodings that it knows (ros/bridge.py); the checks, and everything else, are ours.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.picture_header import stated_size
from openpose_ros.preprocess import Image

Pixels = npt.NDArray[Any]
Range = tuple[float, float]


class ImageMessage(Protocol):
    """The fields of a sensor_msgs/Image that matter here; ``data`` is any buffer of bytes."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedMessage(Protocol):
    """The fields of a sensor_msgs/CompressedImage that matter here; ``data`` is any buffer of bytes."""

    format: str
    data: Any


class Converter(Protocol):
    """What may convert some encodings in place of this file: a cv_bridge that works.

    Attributes:
        encodings: those it is asked for.
    """

    encodings: frozenset[str]

    def to_bgr(self, message: Any) -> Image:
        """(H, W, 3) uint8, BGR, of a sensor_msgs/Image in one of ``encodings``."""


class Encoding(NamedTuple):
    """How the values of one pixel lie in the data, and OpenCV's code that makes them BGR (None: they are)."""

    bits: int
    channels: int
    code: int | None


PACKED = {
    **{
        f"{name}{bits}": Encoding(bits, channels, code)
        for bits in (8, 16)
        for name, channels, code in (
            ("mono", 1, cv2.COLOR_GRAY2BGR),
            ("bgr", 3, None),
            ("rgb", 3, cv2.COLOR_RGB2BGR),
            ("bgra", 4, cv2.COLOR_BGRA2BGR),
            ("rgba", 4, cv2.COLOR_RGBA2BGR),
            # OpenCV names a Bayer pattern by its second row and column, ROS by its first.
            ("bayer_rggb", 1, cv2.COLOR_BayerBG2BGR),
            ("bayer_bggr", 1, cv2.COLOR_BayerRG2BGR),
            ("bayer_gbrg", 1, cv2.COLOR_BayerGR2BGR),
            ("bayer_grbg", 1, cv2.COLOR_BayerGB2BGR),
        )
    },
    # Two pixels in four bytes. Jazzy renamed them.
    "yuv422": Encoding(8, 2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": Encoding(8, 2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": Encoding(8, 2, cv2.COLOR_YUV2BGR_YUYV),
    "yuyv": Encoding(8, 2, cv2.COLOR_YUV2BGR_YUYV),
}
"""Encodings whose pixels lie one after the other."""

PLANAR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21, "nv24": None}
"""Encodings with all brightness before all colour: at half resolution in nv12 and nv21, at full in nv24."""

CV_TYPE = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)C([134])")
"""OpenCV's own names: type of the values and how many a pixel has. Three are taken as BGR."""

DTYPES = {"8U": "u1", "8S": "i1", "16U": "u2", "16S": "i2", "32S": "i4", "32F": "f4", "64F": "f8"}

# ITU-R BT.601, 16..235 for black and white, as OpenCV reads nv12: rows B, G, R, columns Y, U, V and a constant.
BT601 = np.array(
    [[1.164, 2.018, 0.0, -276.928], [1.164, -0.391, -0.813, 135.488], [1.164, 0.0, 1.596, -222.912]]
)  # fmt: skip


MOST_PIXELS = 2**26
"""A compressed picture that claims more, such as 8192x8193, is not decoded: 16 bits of three colours and their 8 bits
take 0.6 GB then."""

LONGEST_NAME = 60
"""Characters of an encoding or a format that an error tells."""


class ImageError(ValueError):
    """An image message that cannot be read; the text says in one sentence what is wrong with it."""


def to_bgr(message: ImageMessage, value_range: Range | None = None, bridge: Converter | None = None) -> Image:
    """The picture of a sensor_msgs/Image.

    Args:
        message: any encoding of ``PACKED``, ``PLANAR`` or OpenCV's names. ``step`` and ``is_bigendian`` are honoured.
        value_range: the values that become 0 and 255 in encodings without a range of their own, such as 32FC1.
        bridge: what :func:`openpose_ros.ros.bridge.sound_cv_bridge` found.

    Returns:
        (H, W, 3) uint8, BGR. May share the message's memory: to be read only.

    Raises:
        ImageError: unknown encoding, no pixels, a wrong step or wrong length of the data.
    """
    if message.height == 0 or message.width == 0:
        raise ImageError(f"the image is {message.width}x{message.height} pixels; expected at least 1x1")
    if message.encoding in PLANAR:
        return _planar(message)
    pixels = raw_values(message)
    if message.encoding in PACKED:
        # cv_bridge shears rows with odd padding, and its byte swapping is gone from NumPy 2.
        plain = pixels.flags.c_contiguous and not message.is_bigendian
        if bridge is not None and plain and message.encoding in bridge.encodings:
            return bridge.to_bgr(message)
        return _convert(_eight_bits(pixels), PACKED[message.encoding].code)
    grey_code = {1: cv2.COLOR_GRAY2BGR, 3: None, 4: cv2.COLOR_BGRA2BGR}[pixels.shape[2]]
    return _convert(_stretched(pixels, value_range, message.encoding), grey_code)


def decompress(message: CompressedMessage) -> Image:
    """The picture of a sensor_msgs/CompressedImage: JPEG, PNG, WebP, BMP or TIFF, 16-bit pictures included.

    Returns:
        (H, W, 3) uint8, BGR, not turned by its EXIF orientation: camera_info describes the picture as it was taken.

    Raises:
        ImageError: no data, a truncated or broken picture, one of depth, or one of more than MOST_PIXELS.
    """
    data = bytes(message.data)
    about = f"a compressed image of format {named(message.format)} and {len(data)} bytes"
    if "compressedDepth" in message.format:
        raise ImageError(f"{about} holds depth; expected a picture such as jpeg or png")
    picture = decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION, about)
    if picture.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{about} holds {picture.dtype} values; expected 8 or 16 bits")
    return _eight_bits(picture)


def decoded(data: bytes, flags: int, about: str) -> Pixels:
    """The values of a JPEG, PNG, WebP, BMP or TIFF, as OpenCV reads it with these flags.

    Args:
        about: what it is, for errors.

    Raises:
        ImageError: a truncated or broken picture, or one of more than MOST_PIXELS.
    """
    if not _complete(data):
        raise ImageError(f"{about} is truncated: its end marker is missing")
    size = stated_size(data)
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        raise ImageError(f"{about} claims {size[1]}x{size[0]} pixels; expected at most {MOST_PIXELS}")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if size is not None else None
    except cv2.error as error:
        raise ImageError(f"{about} cannot be decoded: {error.err or error}") from None
    if picture is None:
        raise ImageError(f"{about} cannot be decoded; expected a whole jpeg, png, webp, bmp or tiff")
    return picture


def raw_values(message: ImageMessage) -> Pixels:
    """(H, W, C) view of the values of a sensor_msgs/Image, in the machine's byte order.

    Raises:
        ImageError: step or length of the data do not fit the size.
    """
    dtype, channels = _layout(message.encoding)
    if channels == 2:
        _check_even(message, message.width)
    row = message.width * channels * dtype.itemsize
    if message.step < row:
        raise ImageError(
            f"step is {message.step} bytes; {message.width} pixels of {message.encoding} need at least {row}"
        )
    data = _data(message, message.step * message.height)
    stored = dtype.newbyteorder(">" if message.is_bigendian else "<")
    strides = (message.step, channels * dtype.itemsize, dtype.itemsize)
    pixels: Pixels = np.ndarray((message.height, message.width, channels), stored, data, strides=strides)
    # Rows that begin within a value are right for NumPy, but OpenCV rounds their distance.
    plain = stored.isnative and message.step % dtype.itemsize == 0
    return pixels if plain else pixels.astype(dtype)


def _layout(encoding: str) -> tuple[np.dtype[Any], int]:
    """Type of one value, and values per pixel."""
    if encoding in PACKED:
        return np.dtype(f"u{PACKED[encoding].bits // 8}"), PACKED[encoding].channels
    match = CV_TYPE.fullmatch(encoding)
    if match is None:
        known = ", ".join([*PACKED, *PLANAR])
        raise ImageError(
            f"the encoding is {named(encoding)}; expected {known} or OpenCV's names such as 8UC3 and 32FC1"
        )
    return np.dtype(DTYPES[match[1]]), int(match[2])


def _data(message: ImageMessage, *lengths: int) -> npt.NDArray[np.uint8]:
    data = np.frombuffer(message.data, np.uint8)
    if len(data) not in lengths:
        raise ImageError(
            f"the data has {len(data)} bytes; {message.height} rows of {message.encoding} with a step of "
            f"{message.step} bytes need {lengths[0]}"
        )
    return data


def _planar(message: ImageMessage) -> Image:
    height, width, encoding = message.height, message.width, message.encoding
    rows = 3 * height if encoding == "nv24" else 3 * height // 2
    if encoding != "nv24":
        _check_even(message, width, height)
    if message.step < width:
        raise ImageError(f"step is {message.step} bytes; {width} pixels of {encoding} need at least {width}")
    # sensor_msgs counts two bytes a pixel for these encodings: some publishers give a step twice that of their rows.
    data = _data(message, message.step * rows, width * rows if message.step == 2 * width else message.step * rows)
    plane = data.reshape(rows, -1)[:, :width]
    if PLANAR[encoding] is not None:
        return _convert(plane, PLANAR[encoding])
    stride = len(data) // rows
    colour = data[height * stride :].reshape(height, 2 * stride)[:, : 2 * width].reshape(height, width, 2)
    return np.asarray(cv2.transform(np.dstack([plane[:height], colour]), BT601), np.uint8)


def _convert(pixels: Pixels, code: int | None) -> Image:
    return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _check_even(message: ImageMessage, *sides: int) -> None:
    """Where neighbours share their colour. Older OpenCV reads beyond the image instead of complaining."""
    if any(side % 2 for side in sides):
        size = f"{message.width}x{message.height}"
        raise ImageError(f"an image of {message.encoding} is {size} pixels; expected even numbers")


def _eight_bits(pixels: Pixels) -> Image:
    """16-bit values divided by 257, so that the largest stays the largest."""
    return pixels if pixels.dtype == np.uint8 else np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)


def _stretched(pixels: Pixels, value_range: Range | None, encoding: str) -> Image:
    """8-bit pixels: black at the range's first value, white at its second; NaN is black."""
    if pixels.dtype == np.uint8:
        return pixels
    if value_range is None:
        raise ImageError(
            f"the encoding {encoding} does not say which values are black and white; expected the parameter "
            "value_range to name them"
        )
    black, white = value_range
    with np.errstate(over="ignore", invalid="ignore"):
        grey = (pixels.astype(np.float32) - black) * (255.0 / (white - black))
    return np.asarray(np.clip(np.rint(np.nan_to_num(grey, nan=0.0)), 0, 255), np.uint8)


def named(text: str) -> str:
    """A text out of a message, in quotes; not all of it, if somebody sent a book."""
    return repr(text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}...")


def _complete(data: bytes) -> bool:
    """Whether a JPEG or PNG has its end marker. Older OpenCV fills what is missing with grey and says nothing."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    if not data.startswith(b"\xff\xd8"):
        return True
    place = 2  # walk over the segments to the start of the scan: a thumbnail in one of them has end markers too
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data.find(b"\xff\xd9", place) >= 0
