import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2 messages")

from std_msgs.msg import Header

from openpose_ros.encodings import decompress, to_bgr
from openpose_ros.ros.images import compress, to_message

PHOTO = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.uint8), (0, 0), 4)


def test_message_of_an_image_comes_back() -> None:
    header = Header(frame_id="camera")
    for image in (PHOTO, PHOTO[::2, ::-3], PHOTO[:, :1]):
        sent = to_message(image, header)
        assert (sent.height, sent.width, sent.step, sent.encoding) == (*image.shape[:2], 3 * image.shape[1], "bgr8")
        assert sent.header == header
        assert type(sent.data) is array.array
        assert (to_bgr(sent) == image).all()


def test_jpeg_message_comes_back_better_at_higher_quality() -> None:
    def error(quality: int) -> float:
        sent = compress(PHOTO, Header(frame_id="camera"), quality)
        assert sent.header.frame_id == "camera"
        assert sent.format == "bgr8; jpeg compressed bgr8"
        return float(np.abs(decompress(sent).astype(int) - PHOTO).mean())

    assert error(95) < error(30)
