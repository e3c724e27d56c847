"""Settings of what is made of people: ids, places in space, drawings, markers, the messages of others."""

from __future__ import annotations

from dataclasses import dataclass

from openpose_ros.option import OptionSet, option

EVERYBODY = 10000
"""As ``fine_people``: for pictures that are kept, and may cost what they cost."""


@dataclass(frozen=True)
class DrawOptions(OptionSet):
    """How people are drawn."""

    labels: bool = option(False, "write each person's id and score above it", live=True)
    boxes: bool = option(False, "draw the box around each person's joints", live=True)
    opacity: float = option(
        1.0, "how much the drawing covers the picture; 1 covers it", minimum=0.1, maximum=1.0, live=True
    )
    fine_people: int = option(
        8,
        "people drawn with soft edges and rims around joints; if there are more, all are drawn plainly, at a third of "
        "the cost",
        minimum=0,
        maximum=EVERYBODY,
        live=True,
    )


@dataclass(frozen=True)
class DepthOptions(OptionSet):
    """Places in space, from a depth image."""

    depth: bool = option(
        False,
        "tell where joints are in space: read depth, registered to the image, and camera_info beside every image",
    )
    depth_transport: str = option(
        "raw",
        "how the depth images come: raw is sensor_msgs/Image on the topic depth, compressedDepth is "
        "sensor_msgs/CompressedImage on depth/compressedDepth, as PNG",
        choices=("raw", "compressedDepth"),
    )
    rectified: bool = option(
        False,
        "the images are rectified (image_rect): directions come from P of camera_info instead of K and D",
    )
    depth_slop: float = option(
        0.02,
        "seconds by which the stamps of an image and of its depth may differ; half a frame's time is enough",
        minimum=0.0,
        maximum=10.0,
        live=True,
    )
    depth_wait: float = option(
        0.05,
        "seconds that a result waits at most for its depth image, which may come later than the network's answer",
        minimum=0.0,
        maximum=10.0,
        live=True,
    )
    depth_min: float = option(
        0.2, "metres below which a depth is taken for an error of the sensor", minimum=0.0, maximum=1000.0, live=True
    )
    depth_max: float = option(
        10.0, "metres above which a depth is taken for an error of the sensor", minimum=0.1, maximum=1000.0, live=True
    )
    depth_window: float = option(
        0.08,
        "side in metres of the square around a joint in which its depth is read: more pixels for somebody near",
        minimum=0.01,
        maximum=0.5,
        live=True,
    )

    def __post_init__(self) -> None:
        if self.depth_min >= self.depth_max:
            raise ValueError(f"depth_min is {self.depth_min} and depth_max {self.depth_max}; expected the former below")


@dataclass(frozen=True)
class MarkerOptions(OptionSet):
    """How people are shown in space (RViz)."""

    marker_distance: float = option(
        3.0,
        "metres before the camera at which people without depth are shown; needs camera_info",
        minimum=0.1,
        maximum=100.0,
        live=True,
    )
    marker_line_width: float = option(
        0.03, "width of a limb in metres; joints and labels follow it", minimum=0.001, maximum=1.0, live=True
    )
    marker_labels: bool = option(True, "write each person's id and score above it", live=True)


@dataclass(frozen=True)
class BridgeOptions(OptionSet):
    """The same people in the messages of others."""

    foxglove: bool = option(False, "publish foxglove_msgs/ImageAnnotations on annotations")
    hri: bool = option(
        False, "publish tracked people for ROS4HRI (REP-155) below /humans/bodies, in messages of hri_msgs"
    )
    vision: bool = option(False, "publish the boxes of people as vision_msgs/Detection2DArray on detections")


@dataclass(frozen=True)
class TrackOptions(OptionSet):
    """How people are followed from image to image."""

    track: bool = option(
        True, "give people ids that stay theirs from image to image; false leaves all ids at -1", live=True
    )
    track_memory: float = option(
        2.0,
        "seconds for which somebody out of sight keeps the id; images must come more often than that",
        minimum=0.0,
        maximum=60.0,
        live=True,
    )
    track_min_similarity: float = option(
        0.1,
        "object keypoint similarity with where somebody is expected, below which it must be somebody else",
        minimum=0.01,
        maximum=1.0,
        live=True,
    )
    track_min_frames: int = option(
        1,
        "images in which somebody must have been seen before an id is given; more keeps ids from false finds",
        minimum=1,
        maximum=100,
        live=True,
    )
    smooth: bool = option(
        False, "smooth the joints of each person over time (One-Euro filter), whether ids are given or not", live=True
    )
    smooth_min_cutoff: float = option(
        1.0,
        "cutoff of the smoothing of a joint at rest in Hz; less is calmer and slower",
        minimum=0.01,
        maximum=100.0,
        live=True,
    )
    smooth_beta: float = option(
        15.0,
        "what a speed of one body height a second adds to that cutoff in Hz; more follows motion more closely",
        minimum=0.0,
        maximum=100.0,
        live=True,
    )
