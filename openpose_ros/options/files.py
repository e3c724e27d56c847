"""Settings of what is read from files and written to them, without ROS."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openpose_ros.option import OptionSet, option

MAPS = ("parts", "background", "pafs")
"""Kinds of a network's maps, in the order in which OpenPose writes them."""


@dataclass(frozen=True)
class FrameOptions(OptionSet):
    """Which frames are looked at, and how they are turned."""

    first_frame: int = option(0, "number of the first frame, counted from 0", minimum=0)
    last_frame: int = option(-1, "number of the last frame; -1 is the end", minimum=-1)
    frame_step: int = option(1, "how many frames further the next one is, 5 for every fifth", minimum=1)
    mirror: bool = option(False, "mirror each frame, left to right")
    rotate: int = option(
        0, "degrees against the clock by which each frame is turned: 0, 90, 180 or 270", minimum=0, maximum=270
    )
    max_fps: float = option(
        0.0,
        "frames a second that are looked at at most, such as to watch them; 0 is no bound",
        minimum=0.0,
        maximum=1e4,
    )

    def __post_init__(self) -> None:
        if self.rotate % 90:
            raise ValueError(f"rotate is {self.rotate}; expected 0, 90, 180 or 270")
        if 0 <= self.last_frame < self.first_frame:
            raise ValueError(f"last_frame is {self.last_frame}, before first_frame {self.first_frame}")


@dataclass(frozen=True)
class PictureOptions(OptionSet):
    """What the pictures show."""

    render: str = option(
        "people",
        "people; heatmaps or pafs, all over one another; background; or the map of a single joint or limb, such as "
        "left_wrist or left_elbow-left_wrist, or of the joint of a number",
    )
    on_black: bool = option(False, "draw on black instead of on the picture")
    map_opacity: float = option(0.7, "how much a map covers the picture where it is 1", minimum=0.0, maximum=1.0)
    render_threshold: float = option(
        0.0, "score below which a joint is not drawn; it is written all the same", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class ResultOptions(OptionSet):
    """How results are written."""

    keypoint_scale: str = option(
        "image",
        "what coordinates in JSON are counted in: pixels of the image or of the network's input, unit from 0 to 1 or "
        "signed from -1 to 1, over the width and over the height",
        choices=("image", "input", "unit", "signed"),
    )
    candidates: bool = option(False, "write all candidates for joints into the JSON, too (part_candidates)")
    maps: str = option(
        "", "which of the network's maps --maps-to writes, such as parts,background,pafs; empty is all of them"
    )
    maps_format: str = option(
        "png",
        "png: all maps side by side, enlarged to the network's input; float: the same numbers as OpenPose's own "
        "format; npz: NumPy, on the network's cells",
        choices=("png", "float", "npz"),
    )
    maps_range: str = option(
        "auto",
        "what the maps' numbers are: bytes 0 to 255 (a PAF's 0 is 128), unit 0 to 1, signed -1 to 1, or raw as the "
        "network gave them; auto is bytes for png and raw for the others",
        choices=("auto", "bytes", "unit", "signed", "raw"),
    )
    picture_format: str = option("png", "format of pictures", choices=("png", "jpg", "bmp", "webp", "tiff"))
    fourcc: str = option(
        "", "four letters that name a video's codec, such as mp4v, MJPG or XVID; empty takes the first that works"
    )
    video_fps: float = option(
        0.0,
        "frames a second of a written video; 0 is that of the source, and 5 for photos",
        minimum=0.0,
        maximum=1000.0,
    )

    def __post_init__(self) -> None:
        self.map_kinds()
        if self.fourcc and not re.fullmatch(r"[\x20-\x7e]{4}", self.fourcc):
            raise ValueError(f"fourcc is {self.fourcc!r}; expected four letters such as mp4v")
        if self.maps_format == "png" and self.maps_range not in ("auto", "bytes"):
            raise ValueError(f"maps_range is {self.maps_range!r}, but a png holds bytes: take maps_format float or npz")

    def map_kinds(self) -> tuple[str, ...]:
        """The kinds of maps that are written, in the order of :data:`MAPS`."""
        asked = [part.strip() for part in self.maps.split(",")] if self.maps.strip() else list(MAPS)
        unknown = [kind for kind in asked if kind not in MAPS]
        if unknown:
            raise ValueError(f"maps is {self.maps!r}; expected some of {', '.join(MAPS)}")
        return tuple(kind for kind in MAPS if kind in asked)
