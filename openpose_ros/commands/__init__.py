"""The executables: ``python -m openpose_ros NAME`` and ``ros2 run openpose_ros NAME`` are the same code."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """An executable: the module whose ``main(argv)`` it runs, and a line for ``--help``."""

    module: str
    description: str


COMMANDS: dict[str, Command] = {
    "pose_node": Command("openpose_ros.ros.pose_node", "ROS 2 node: camera images in, people out"),
    "source_node": Command(
        "openpose_ros.ros.source_node", "ROS 2 node: photos, a folder, a video, a bag or a webcam as a camera"
    ),
    "predict": Command("openpose_ros.commands.predict", "annotate an image, a folder, a video, a bag or a webcam"),
    "bag_poses": Command(
        "openpose_ros.commands.bag_poses", "recorded bags with images -> bags with the people in them"
    ),
    "evaluate": Command("openpose_ros.commands.evaluate", "COCO accuracy of a model on annotated photos"),
    "train": Command("openpose_ros.commands.train", "teach a network on annotated photos"),
    "prepare": Command("openpose_ros.commands.prepare", "photos and labels -> tar shards for train"),
    "preview": Command("openpose_ros.commands.preview", "a sheet of what train shows to the network"),
    "download": Command("openpose_ros.commands.download", "fetch what is not shipped: networks by name, coco2017"),
    "calibrate": Command("openpose_ros.commands.calibrate", "learn from photos what a network's people are worth"),
    "models": Command("openpose_ros.commands.models", "the networks there are: size, cost, licence, accuracy"),
    "convert": Command("openpose_ros.commands.convert", "weights of other projects -> weights and card"),
    "doctor": Command("openpose_ros.commands.doctor", "what this machine has, what does not fit, what to do"),
    "export": Command("openpose_ros.commands.export", "a network -> ONNX in float32, float16 or int8, and engines"),
    "benchmark": Command("openpose_ros.commands.benchmark", "what a frame costs, stage by stage"),
    "demo": Command("openpose_ros.commands.demo", "source node and pose node on real photos, shown as a table"),
}
