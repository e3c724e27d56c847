"""People, skeletons and pictures -> messages of a bag. ``ros/messages.py`` does the same for a node."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from openpose_ros.bags.types import COMPRESSED, PEOPLE, SKELETON, ros2
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton


def header_of(message: Any) -> Any:
    """A std_msgs/Header with the stamp and frame_id of a message of ROS 1 or 2."""
    types, stamp = ros2().types, message.header.stamp
    time = types["builtin_interfaces/msg/Time"](sec=stamp.sec, nanosec=stamp.nanosec)
    return types["std_msgs/msg/Header"](stamp=time, frame_id=message.header.frame_id)


def people_message(people: People, header: Any) -> Any:
    """openpose_msgs/People of everybody in an image, under the header of the image."""
    types = ros2().types
    keypoint_type, person_type = types["openpose_msgs/msg/Keypoint"], types["openpose_msgs/msg/Person"]
    point_type = types["geometry_msgs/msg/Point32"]
    shape = (*people.score.shape, 3)
    xyz = np.full(shape, np.nan, np.float32) if people.xyz is None else people.xyz
    rows = zip(
        people.id.tolist(), people.person_score.tolist(), people.xy.tolist(), people.score.tolist(),
        people.state.tolist(), xyz.tolist(), strict=True,
    )  # fmt: skip
    persons = [
        person_type(
            id=identity,
            score=whole,
            keypoints=[
                keypoint_type(x=x, y=y, score=score, state=state, position=point_type(*place))
                for (x, y), score, state, place in zip(places, scores, states, positions, strict=True)
            ],
        )
        for identity, whole, places, scores, states, positions in rows
    ]
    height, width = people.image_size
    return types[PEOPLE](
        header=header, skeleton=people.skeleton.name, image_width=width, image_height=height, people=persons
    )


def skeleton_message(skeleton: Skeleton) -> Any:
    """openpose_msgs/Skeleton: what the keypoints mean."""
    limbs = np.array(skeleton.limbs, np.uint8).reshape(-1)
    return ros2().types[SKELETON](name=skeleton.name, joints=list(skeleton.joints), limbs=limbs)


def jpeg_message(image: Image, header: Any, quality: int) -> Any:
    """sensor_msgs/CompressedImage of an (H, W, 3) uint8 BGR image, with the format text of image_transport."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return ros2().types[COMPRESSED](
        header=header, format="bgr8; jpeg compressed bgr8", data=np.asarray(coded, np.uint8).reshape(-1)
    )
