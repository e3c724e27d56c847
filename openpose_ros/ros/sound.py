"""Whether this ROS works with this Python: messages, which are compiled against a NumPy, and the middleware.

To be tried in a process of its own: built for another NumPy, a message may end the process.
"""

from __future__ import annotations

from rclpy.serialization import deserialize_message, serialize_message
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CameraInfo


def messages() -> bool:
    """Whether a message with arrays of NumPy comes back as it went."""
    matrix = [float(number) for number in range(9)]
    back = deserialize_message(serialize_message(CameraInfo(k=matrix, d=[0.5])), CameraInfo)
    return list(back.k) == matrix and list(back.d) == [0.5]


def own_messages() -> bool:
    """Whether a result comes back as it went; an ImportError where openpose_msgs is not built or not sourced."""
    from openpose_msgs.msg import Keypoint, People, Person

    people = [Person(id=3, keypoints=[Keypoint(x=1.5)])]
    back = deserialize_message(serialize_message(People(people=people)), People)
    return bool(back.people[0].id == 3 and back.people[0].keypoints[0].x == 1.5)


def middleware() -> str:
    """Such as ``rmw_fastrtps_cpp``; an error where the one that RMW_IMPLEMENTATION names is not installed."""
    return str(get_rmw_implementation_identifier())
