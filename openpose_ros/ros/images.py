"""(H, W, 3) uint8 BGR -> sensor_msgs/Image and CompressedImage. The way back is in ``openpose_ros/encodings.py``."""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from openpose_ros.preprocess import Image


def to_message(image: Image, header: Header) -> ImageMessage:
    """A bgr8 message of an (H, W, 3) uint8 BGR image, at the price of one copy."""
    height, width = image.shape[:2]
    # Only an array.array is handed over as it is: the generated setter looks at every element of anything else.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(image).reshape(-1).data)
    message = ImageMessage(header=header, height=height, width=width, encoding="bgr8", step=3 * width)
    message.is_bigendian = int(sys.byteorder == "big")
    message.data = data
    return message


def compress(image: Image, header: Header, quality: int = 85) -> CompressedImage:
    """A JPEG message of an (H, W, 3) uint8 BGR image, with the format text that image_transport expects."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    message = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
    message.data = array.array("B", coded.tobytes())
    return message
