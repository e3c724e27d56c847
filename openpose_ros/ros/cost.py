"""What the ROS side of a frame costs: reading an image message, filling and publishing people."""

from __future__ import annotations

import rclpy
from openpose_msgs import msg
from rclpy.context import Context
from std_msgs.msg import Header

from openpose_ros.benchmark.table import timed
from openpose_ros.encodings import to_bgr
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.ros import qos
from openpose_ros.ros.images import to_message
from openpose_ros.ros.messages import PeopleMessage


def reading(image: Image, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of sensor_msgs/Image -> BGR array: ``convert``."""
    message = to_message(image, Header())
    return {"convert": timed(lambda: to_bgr(message), repeats)}


def publishing(people: People, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of filling an openpose_msgs/People, ``message``, and of sending it to one listener, ``publish``."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("openpose_ros_benchmark", context=context)
    try:
        node.create_subscription(msg.People, "benchmark/poses", lambda message: None, qos.results())
        publisher = node.create_publisher(msg.People, "benchmark/poses", qos.results())
        builder, header = PeopleMessage(people.skeleton), Header()
        filled = builder.fill(people, header)
        return {
            "message": timed(lambda: builder.fill(people, header), repeats),
            "publish": timed(lambda: publisher.publish(filled), repeats),
        }
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
