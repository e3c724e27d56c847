"""Settings of the nodes around it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from openpose_ros.option import OptionSet, option


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
        "where that is faster, and on a CPU one at a time, or as many as the hint throughput works on at once",
        minimum=0,
        maximum=64,
        live=True,
    )
    in_flight: int = option(
        2,
        "images, or batches of them, that are under way at once: with 2 the network looks at the next one while people "
        "of this one are found and published; with 1 it waits, which gives fewer images a second and leaves each the "
        "whole processor",
        minimum=1,
        maximum=2,
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
        3.0, "seconds without an image, while somebody listens, after which a camera is stale and markers vanish; also "
        "those on one image after which the network is said to hang", minimum=0.1, maximum=86400.0, live=True,
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
