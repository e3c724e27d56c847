"""What each node subscribes to, publishes, serves and can be set to: the one table behind ``manual.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openpose_ros.option import Option, OptionSet
from openpose_ros.options import (
    AdaptiveOptions,
    BackendOptions,
    BridgeOptions,
    DecodeOptions,
    DepthOptions,
    DrawOptions,
    HealthOptions,
    InputOptions,
    MarkerOptions,
    PoseNodeOptions,
    SourceNodeOptions,
    TrackOptions,
)

Meaning = tuple[str, str]
"""Type of a topic or a service, and what it is for."""


@dataclass(frozen=True)
class Interface:
    """A node as its users see it: names of topics and services with their meaning, and classes of parameters."""

    name: str
    summary: str
    publishes: Mapping[str, Meaning]
    options: tuple[type[OptionSet], ...]
    subscribes: Mapping[str, Meaning] = field(default_factory=dict)
    services: Mapping[str, Meaning] = field(default_factory=dict)

    def parameters(self) -> Iterator[Option]:
        """All parameters, class by class."""
        for kind in self.options:
            yield from kind.options()


POSE_NODE = Interface(
    name="pose_node",
    summary="Camera images in, people out.",
    subscribes={
        "image": ("sensor_msgs/Image", "the camera; only while somebody listens to what is made of it"),
        "image/compressed": ("sensor_msgs/CompressedImage", "instead of image, with image_transport compressed"),
        "camera_info": (
            "sensor_msgs/CameraInfo",
            "the calibration, unless remapped beside the images; only with depth or while somebody looks at markers",
        ),
        "depth": ("sensor_msgs/Image", "16UC1 mm or 32FC1 m, registered to the image; only with the parameter depth"),
        "depth/compressedDepth": (
            "sensor_msgs/CompressedImage",
            "instead of depth, with depth_transport compressedDepth",
        ),
    },
    publishes={
        "poses": ("openpose_msgs/People", "one for every image processed, with the header of the image"),
        "poses/skeleton": ("openpose_msgs/Skeleton", "names and limbs of the keypoints, latched"),
        "poses/markers": (
            "visualization_msgs/MarkerArray",
            "skeletons in space, where there is depth or camera_info",
        ),
        "annotated": ("sensor_msgs/Image", "the image with its people drawn"),
        "annotated/compressed": ("sensor_msgs/CompressedImage", "the same as JPEG"),
        "annotations": ("foxglove_msgs/ImageAnnotations", "the same as lines and points; with the parameter foxglove"),
        "detections": ("vision_msgs/Detection2DArray", "the boxes of the people; with the parameter vision"),
        "/humans/bodies/...": ("hri_msgs", "ROS4HRI (REP-155), people with ids; with the parameter hri"),
        "/diagnostics": ("diagnostic_msgs/DiagnosticArray", "how the node and each of its cameras are"),
    },
    services={
        "~/reset_ids": ("std_srvs/Trigger", "give everybody a new id, from the next image on"),
        "~/set_enabled": ("std_srvs/SetBool", "look at no image while false; the network stays loaded"),
    },
    options=(
        PoseNodeOptions,
        BackendOptions,
        InputOptions,
        AdaptiveOptions,
        DecodeOptions,
        TrackOptions,
        DepthOptions,
        MarkerOptions,
        BridgeOptions,
        DrawOptions,
        HealthOptions,
    ),
)

SOURCE_NODE = Interface(
    name="source_node",
    summary="Photos, a folder, a video, a bag or a webcam as a camera.",
    publishes={
        "image": ("sensor_msgs/Image", "the pictures, bgr8"),
        "camera_info": ("sensor_msgs/CameraInfo", "of an ideal pinhole camera, or as it was recorded in the bag"),
    },
    options=(SourceNodeOptions,),
)

INTERFACES = (POSE_NODE, SOURCE_NODE)

FROM_CARD = frozenset(entry.name for entry in DecodeOptions.options() if entry.from_card)
"""Parameters of pose_node whose default the model's card knows better; unless set, they take its value."""
