"""Every setting, once.

ROS parameters, command-line flags, YAML files and ``docs/parameters.md`` are all derived from these classes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from openpose_ros.option import OptionSet, option


@dataclass(frozen=True)
class InputOptions(OptionSet):
    """What the network gets to see."""

    input_size: str = option(
        "368",
        "size of the network's input: one number is its short side in pixels, 256x456 a fixed height x width into "
        "which the image is fitted",
        live=True,
    )
    max_long_side: int = option(
        1312,
        "bound on the long side of the network's input in pixels, so that a panorama costs no more; 0 is none",
        minimum=0,
        maximum=8192,
        live=True,
    )
    scales: str = option(
        "1",
        "several passes at these multiples of the input size, averaged, such as 1,1.5; each costs its own pass",
        live=True,
    )
    flip: bool = option(False, "average with the mirrored image: more accurate, twice the work", live=True)

    def __post_init__(self) -> None:
        self.size()
        self.scale_list()

    def size(self) -> tuple[int, int] | int:
        """(height, width) of a fixed input, or the short side."""
        match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", self.input_size)
        if match is None or not all(16 <= int(side) <= 8192 for side in match.groups() if side):
            raise ValueError(
                f"input_size is {self.input_size!r}; expected a short side such as 368 or height x width such as "
                "256x456, 16 to 8192 pixels"
            )
        return (int(match[1]), int(match[2])) if match[2] else int(match[1])

    def scale_list(self) -> tuple[float, ...]:
        """The multiples of the input size, first the one whose grid the averaged fields have."""
        try:
            scales = tuple(float(part) for part in self.scales.split(","))
        except ValueError:
            scales = ()
        if not scales or not all(0.1 <= scale <= 8.0 for scale in scales):
            raise ValueError(f"scales is {self.scales!r}; expected numbers from 0.1 to 8 such as 1,1.5")
        return scales


@dataclass(frozen=True)
class AdaptiveOptions(OptionSet):
    """A size of the network's input that follows the load."""

    target_rate: float = option(
        0.0,
        "images a second of each camera to keep up with, by looking at the largest of adaptive_sizes that there is "
        "time for, the same for all cameras; 0 leaves input_size as it is",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )
    adaptive_sizes: str = option(
        "256,320,368,448",
        "the sizes to choose from, instead of input_size, all short sides or all height x width; it begins with the "
        "smallest",
        live=True,
    )

    def __post_init__(self) -> None:
        self.sizes()

    def sizes(self) -> tuple[str, ...]:
        """The sizes as ``input_size`` takes them, the smallest first."""
        names = [part.strip() for part in self.adaptive_sizes.split(",")]
        try:
            sides = {name: InputOptions(input_size=name).size() for name in names}
        except ValueError:
            sides = {}
        if len(sides) < 2 or len(sides) < len(names) or len({type(side) for side in sides.values()}) > 1:
            raise ValueError(
                f"adaptive_sizes is {self.adaptive_sizes!r}; expected two or more different sizes of one kind, such as "
                "256,320,368 or 256x456,368x656"
            )
        return tuple(sorted(names, key=lambda name: math.prod(map(int, name.split("x")))))


@dataclass(frozen=True)
class BackendOptions(OptionSet):
    """What runs the network."""

    backend: str = option(
        "auto",
        "what runs the network; auto takes the fastest that works here and says which",
        choices=("auto", "tensorrt", "torch", "torch_compile", "openvino", "synthetic"),
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU when there is one")
    precision: str = option(
        "auto",
        "arithmetic of the network; auto takes bfloat16 or float16 where the hardware is fast at it, else float32; "
        "int8 is for TensorRT",
        choices=("auto", "float32", "bfloat16", "float16", "int8"),
    )
    threads: int = option(0, "CPU threads of the network; 0 takes all cores there are", minimum=0, maximum=1024)


@dataclass(frozen=True)
class DecodeOptions(OptionSet):
    """From heatmaps and part affinity fields to people."""

    heat_threshold: float = option(
        0.01, "heat below which a local maximum is no candidate for a joint", minimum=0.001, maximum=1.0, live=True
    )
    max_candidates: int = option(
        256, "candidates a joint may have in one image, the strongest are kept", minimum=1, maximum=4096, live=True
    )
    samples: int = option(10, "points at which a limb's field is read", minimum=2, maximum=64, live=True)
    sample_threshold: float = option(
        0.0, "projected field above which a point supports the limb", minimum=-1.0, maximum=1.0, live=True
    )
    sample_ratio: float = option(
        0.3, "share of the points that must support a limb", minimum=0.0, maximum=1.0, live=True
    )
    min_joints: int = option(2, "people with fewer joints are dropped", minimum=2, maximum=25, live=True)
    min_person_score: float = option(
        0.0, "people with a lower score are dropped", minimum=0.0, maximum=1.0, live=True, from_card=True
    )
    min_joint_score: float = option(
        0.0,
        "joints with a lower score are unknown, after the people were scored",
        minimum=0.0,
        maximum=1.0,
        live=True,
        from_card=True,
    )
    max_people: int = option(
        0, "keep only so many people, the best-scored; 0 keeps all", minimum=0, maximum=1000, live=True
    )
    complete: bool = option(
        False,
        "place missing joints where the body's shape and the heat suggest; such joints are marked COMPLETED",
        live=True,
    )


@dataclass(frozen=True)
class DrawOptions(OptionSet):
    """How people are drawn."""

    labels: bool = option(False, "write each person's id and score above it", live=True)
    boxes: bool = option(False, "draw the box around each person's joints", live=True)
    opacity: float = option(
        1.0, "how much the drawing covers the picture; 1 covers it", minimum=0.1, maximum=1.0, live=True
    )


@dataclass(frozen=True)
class DepthOptions(OptionSet):
    """Places in space, from a depth image."""

    depth: bool = option(
        False,
        "tell where joints are in space: read depth, registered to the image, and camera_info beside every image",
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


@dataclass(frozen=True)
class PoseNodeOptions(OptionSet):
    """The node around the network."""

    model: str = option(
        "",
        "name of an installed model, or path of a card (.yaml) or of a weight file beside its card; empty takes the "
        "bundled network",
    )
    autostart: bool = option(
        True, "configure and activate at the start; false waits for a lifecycle manager to ask for it"
    )
    cameras: str = option(
        "",
        "names of several cameras, such as left,right: each has its topics below its name (left/image, left/poses), "
        "all share one network; empty is one camera without a name",
    )
    image_transport: str = option(
        "raw",
        "how the images come: raw is sensor_msgs/Image on the topic image, compressed is "
        "sensor_msgs/CompressedImage on image/compressed",
        choices=("raw", "compressed"),
    )
    qos: str = option(
        "auto",
        "reliability asked of the camera; auto is reliable where every publisher offers that, else best effort",
        choices=("auto", "reliable", "best_effort"),
    )
    max_rate: float = option(
        0.0,
        "images a second of each camera that are looked at, the newest then; 0 takes as many as there is time for",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )
    max_age: float = option(
        0.0,
        "seconds after which an image is too old to be looked at, by its stamp and the node's clock; 0 takes any",
        minimum=0.0,
        maximum=86400.0,
        live=True,
    )
    max_batch: int = option(
        0,
        "images of different cameras that go through the network together; 0 takes all that are there on a GPU, "
        "where that is faster, and one at a time on a CPU",
        minimum=0,
        maximum=64,
        live=True,
    )
    value_range: str = option(
        "",
        "the values that count as black and white in images without a range of their own (32FC1, 16UC1 and the "
        "like), such as 0,4.5; empty refuses such images",
        live=True,
    )
    jpeg_quality: int = option(85, "quality of the pictures on annotated/compressed", minimum=1, maximum=100, live=True)
    report_period: float = option(
        10.0, "seconds between two log lines with rates and drops; 0 is silent", minimum=0.0, maximum=86400.0, live=True
    )

    def __post_init__(self) -> None:
        self.black_and_white()
        self.camera_names()

    def camera_names(self) -> tuple[str, ...]:
        """The cameras' names; a single empty one where none has a name."""
        if not self.cameras.strip():
            return ("",)
        names = tuple(name.strip() for name in self.cameras.split(","))
        for name in names:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*", name) or names.count(name) > 1:
                raise ValueError(
                    f"cameras is {self.cameras!r}; expected different names such as left,right, of letters, digits "
                    "and underscores"
                )
        return names

    def black_and_white(self) -> tuple[float, float] | None:
        """The two values of ``value_range``, None where it is empty."""
        if not self.value_range.strip():
            return None
        try:
            black, white = (float(part) for part in self.value_range.split(","))
        except ValueError:
            black = white = math.nan
        if not (math.isfinite(black) and math.isfinite(white) and black != white):
            raise ValueError(f"value_range is {self.value_range!r}; expected two different numbers such as 0,4.5")
        return black, white


@dataclass(frozen=True)
class HealthOptions(OptionSet):
    """When the node calls itself unwell (/diagnostics)."""

    diagnostics_period: float = option(
        1.0, "seconds between two messages on /diagnostics; 0 sends none", minimum=0.0, maximum=3600.0
    )
    warn_latency: float = option(
        0.5, "95th percentile, in seconds, of stamp to publishing above which it warns; 0 is never",
        minimum=0.0, maximum=86400.0, live=True,
    )  # fmt: skip
    error_latency: float = option(
        2.0, "the same above which it is an error; 0 is never", minimum=0.0, maximum=86400.0, live=True
    )
    warn_rate: float = option(
        0.0, "processed images a second below which it warns; 0 is never", minimum=0.0, maximum=1000.0, live=True
    )
    stale_after: float = option(
        3.0, "seconds without an image, while somebody listens, after which a camera is stale",
        minimum=0.1, maximum=86400.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class SourceNodeOptions(OptionSet):
    """A stand-in for a camera."""

    source: str = option(
        "",
        "a photo, several photos with commas between them, a folder of photos, a video file, a bag or a webcam's index",
    )
    topic: str = option("", "the image topic of a bag that is played; empty takes the only one")
    rate: float = option(
        0.0,
        "images a second; 0 takes the rate of the video or webcam, the times of a bag, and 1 for photos",
        minimum=0.0,
        maximum=1000.0,
    )
    loop: bool = option(True, "begin again after the last image; false ends the node there")
    frame_id: str = option(
        "", "the frame_id in every header; empty is that of the bag, and camera_optical_frame for anything else"
    )
    width: int = option(
        0, "width in pixels to which images are scaled, keeping their shape; 0 leaves them", minimum=0, maximum=16384
    )
    hfov: float = option(
        60.0,
        "horizontal field of view in degrees that camera_info claims, unless it was recorded in the bag",
        minimum=1.0,
        maximum=179.0,
    )
    wait: bool = option(False, "publish nothing until somebody subscribes to the images")
