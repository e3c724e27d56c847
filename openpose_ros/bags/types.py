"""The message types of bags: those of ROS 2 Jazzy, and ours from the texts in ``msg/``, which are openpose_msgs'."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openpose_ros.bags import BagError

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

TEXTS = Path(__file__).parent / "msg"

PEOPLE = "openpose_msgs/msg/People"
SKELETON = "openpose_msgs/msg/Skeleton"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@lru_cache(maxsize=1)
def ros2() -> Typestore:
    """All types that are read from ROS 2 bags and written.

    Images and their headers are the same in every ROS 2, so that a bag's own definitions need not be asked.

    Raises:
        BagError: rosbags is not installed.
    """
    need_rosbags()
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    own: dict[str, Any] = {}
    for file in sorted(TEXTS.glob("*.msg")):
        own.update(get_types_from_msg(file.read_text(encoding="utf-8"), f"openpose_msgs/msg/{file.stem}"))
    store.register(own)
    return store


@lru_cache(maxsize=1)
def ros1() -> Typestore:
    """The types that are read from ROS 1 bags."""
    need_rosbags()
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS1_NOETIC)


def need_rosbags() -> None:
    """Find rosbags, or say what is missing.

    Raises:
        BagError: it is not installed, or a part of it is not.
    """
    try:
        import rosbags.rosbag1
        import rosbags.rosbag2  # noqa: F401
    except ImportError as error:
        raise BagError(f"bags need the Python package rosbags ({error}): pip install 'rosbags>=0.11.6'") from None
