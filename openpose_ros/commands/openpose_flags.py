"""Flags of CMU's OpenPose -> those of ``predict``, where they mean the same; the others are refused in a sentence.

Names, defaults and meanings are those of its documentation (version 1.7). Its flags have underscores, ours dashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

Arguments = list[str]


class Flag(NamedTuple):
    """A flag of OpenPose.

    Attributes:
        ours: its value as text -> our arguments; a ValueError says what the value should be.
        switch: it is on or off, and stands alone or with ``=true`` and the like.
    """

    ours: Callable[[str], Arguments]
    switch: bool = False


def _to(name: str, *, unset: Sequence[str] = ()) -> Flag:
    """Our flag of the same meaning; at the values ``unset`` theirs does nothing."""
    return Flag(lambda value: [] if value in unset else [name, value])


def _switch(name: str) -> Flag:
    return Flag(lambda value: [name] if value == "true" else [], switch=True)


def _one_of(name: str, values: dict[str, str]) -> Flag:
    def ours(value: str) -> Arguments:
        if value not in values:
            raise ValueError(f"expected one of {', '.join(values)}")
        return [name, values[value]]

    return Flag(ours)


def _only(*allowed: str, why: str, switch: bool = False) -> Flag:
    """A flag that changes nothing at the values that are allowed, and is refused at any other."""

    def ours(value: str) -> Arguments:
        if value not in allowed:
            raise ValueError(why)
        return []

    return Flag(ours, switch)


def _source(value: str) -> Arguments:
    return [value]


def _camera(value: str) -> Arguments:
    return ["0" if value.startswith("-") else value]


def _net_resolution(value: str) -> Arguments:
    match = re.fullmatch(r"(-1|\d+)x(-1|\d+)", value)
    if match is None or value == "-1x-1":
        raise ValueError("expected width x height such as 656x368, or -1 for one of them")
    width, height = ("auto" if side == "-1" else side for side in match.groups())
    return ["--input-size", f"{height}x{width}"]


def _part_to_show(value: str) -> Arguments:
    if not value.isdecimal():
        raise ValueError("expected a number")
    usual = {"0": "people", "1": "background", "2": "heatmaps", "3": "pafs"}
    return ["--render", usual[value] if value in usual else str(int(value) - 4)]


def _display(value: str) -> Arguments:
    return [] if value in ("-1", "0") else ["--show"]


def _gpus(value: str) -> Arguments:
    if value not in ("-1", "0", "1"):
        raise ValueError("one GPU is used; for several cameras run several nodes, each with its own --device cuda:N")
    return ["--device", "cpu"] if value == "0" else []


BODIES = "only bodies are looked for"
FLAGS: dict[str, Flag] = {
    # what is looked at
    "image_dir": Flag(_source),
    "video": Flag(_source),
    "ip_camera": Flag(_source),
    "camera": Flag(_camera),
    "frame_first": _to("--first-frame"),
    "frame_last": _to("--last-frame"),
    "frame_step": _to("--frame-step"),
    "frame_flip": _switch("--mirror"),
    "frame_rotate": _to("--rotate"),
    "fps_max": _to("--max-fps", unset=("-1", "-1.")),
    # the network
    "model_pose": _one_of("--model", {"COCO": "cmu_coco", "BODY_25": "cmu_body25", "MPI": "cmu_mpi"}),
    "net_resolution": Flag(_net_resolution),
    "num_gpu": Flag(_gpus),
    "num_gpu_start": Flag(lambda value: [] if value == "0" else ["--device", f"cuda:{value}"]),
    "number_people_max": _to("--max-people", unset=("-1",)),
    # what is written
    "write_json": _to("--json-to"),
    "write_images": _to("--pictures-to"),
    "write_images_format": _to("--picture-format"),
    "write_video": _to("--video-to"),
    "write_video_fps": _to("--video-fps", unset=("-1", "-1.")),
    "write_coco_json": _to("--coco-json"),
    "write_heatmaps": _to("--maps-to"),
    "write_heatmaps_format": _to("--maps-format"),
    "heatmaps_scale": _one_of("--maps-range", {"0": "signed", "1": "unit", "2": "bytes", "3": "raw"}),
    "part_candidates": _switch("--candidates"),
    "keypoint_scale": _one_of(
        "--keypoint-scale", {"0": "image", "1": "input", "2": "image", "3": "unit", "4": "signed"}
    ),
    # what is drawn
    "part_to_show": Flag(_part_to_show),
    "disable_blending": _switch("--on-black"),
    "render_threshold": _to("--render-threshold"),
    "alpha_pose": Flag(lambda value: ["--opacity", str(max(0.1, float(value)))]),
    "alpha_heatmap": _to("--map-opacity"),
    "render_pose": Flag(lambda value: ["--no-pictures", "--no-video"] if value == "0" else []),
    "display": Flag(_display),
    # what changes nothing here
    "output_resolution": _only("-1x-1", why="pictures have the size of their frames"),
    "body": _only("1", why=BODIES),
    "face": _only("false", why=BODIES, switch=True),
    "hand": _only("false", why=BODIES, switch=True),
    "3d": _only("false", why="places in space come from a depth camera, in pose_node", switch=True),
    "tracking": _only("-1", why="ids are given by pose_node and bag_poses, with track"),
    "identification": _only("false", why="ids are given by pose_node and bag_poses, with track", switch=True),
    "maximize_positives": _only(
        "false", why="take --min-person-score 0 --min-joint-score 0, and evaluate what that is worth", switch=True
    ),
    "upsampling_ratio": _only("0", "0.", why="maps are never enlarged to find people"),
    "process_real_time": _only("false", why="take --frame-step; a node takes the newest image by itself", switch=True),
    "frames_repeat": _only("false", why="source_node repeats frames, with loop", switch=True),
    "disable_multi_thread": Flag(lambda value: [], switch=True),
    "no_gui_verbose": Flag(lambda value: [], switch=True),
    "logging_level": Flag(lambda value: []),
    "cli_verbose": Flag(lambda value: []),
    "net_resolution_dynamic": _only("1", "0", "1.", "0.", why="--max-long-side bounds the longer side"),
}
"""By their names, in the order of the documentation's tables."""

REFUSED = {
    "prototxt_path": "`convert` reads a .caffemodel, --model names what came out",
    "caffemodel_path": "`convert` reads a .caffemodel, --model names what came out",
    "model_folder": "`download` and `convert` keep models where --model finds them by name",
    "write_keypoint": "it was deprecated there, take --write_json",
    "flir_camera": "pose_node takes images of any camera with a ROS driver",
    "camera_parameter_path": "pose_node takes the calibration from camera_info",
    "frame_undistort": "pose_node takes rectified images, with rectified",
    "3d_views": "places in space come from a depth camera, in pose_node",
    "3d_min_views": "places in space come from a depth camera, in pose_node",
    "write_video_3d": "places in space come from a depth camera, in pose_node",
    "write_video_with_audio": "a video here has no sound",
    "camera_resolution": "a webcam is taken in its own size",
    "fullscreen": "the window can be made larger by hand",
}
"""Further flags that people use, and what to do instead."""

SCALES = ("scale_number", "scale_gap")
MAPS = {"heatmaps_add_parts": "parts", "heatmaps_add_bkg": "background", "heatmaps_add_PAFs": "pafs"}
OUTPUTS = ("write_json", "write_images", "write_video", "write_coco_json", "write_heatmaps")


def translated(argv: Sequence[str]) -> list[str]:
    """Command-line arguments with OpenPose's flags replaced; our own stay where they are.

    As there, what is not asked for by a ``--write_`` flag is not written once one of them is given, and several flags
    that belong together (``scale_number`` and ``scale_gap``, ``heatmaps_add_...``) are one of ours.

    Raises:
        ValueError: a flag of OpenPose that means nothing here, or a value that it does not take.
    """
    rest: list[str] = []
    given: dict[str, str] = {}
    for argument, name, value in _read(argv):
        if not name:
            rest.append(argument)
            continue
        given[name] = value
        if name in FLAGS:
            try:
                rest += FLAGS[name].ours(value)
            except ValueError as error:
                raise ValueError(f"--{name} of OpenPose is {value!r}: {error}") from None
    return rest + _scales(given) + _maps(given) + _nothing_else(given)


def _read(argv: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each argument, and where it is a flag of OpenPose its name and value; an empty name elsewhere."""
    words = list(argv)
    while words:
        word = words.pop(0)
        match = re.fullmatch(r"--?([A-Za-z0-9_]+)(?:=(.*))?", word)
        name, value = (match[1], match[2]) if match else ("", None)
        if name.startswith("no") and name[2:] in FLAGS and FLAGS[name[2:]].switch and value is None:
            name, value = name[2:], "false"
        if name in REFUSED:
            raise ValueError(f"--{name} of OpenPose has no counterpart: {REFUSED[name]}")
        # Our own --video stands alone; theirs names a source, which ours takes just as well.
        if name not in {*FLAGS, *SCALES, *MAPS} or (name == "video" and value is None):
            yield word, "", ""
            continue
        switch = name in MAPS or (name in FLAGS and FLAGS[name].switch)
        if value is None and switch:
            value = words.pop(0) if words and words[0].lower() in ("true", "false") else "true"
        elif value is None:
            if not words:
                raise ValueError(f"--{name} of OpenPose needs a value")
            value = words.pop(0)
        yield word, name, {"1": "true", "0": "false"}.get(value, value.lower()) if switch else value


def _scales(given: dict[str, str]) -> Arguments:
    if not set(given) & set(SCALES):
        return []
    try:
        count, gap = int(given.get("scale_number", "1")), float(given.get("scale_gap", "0.25"))
    except ValueError:
        raise ValueError("--scale_number of OpenPose takes a whole number, --scale_gap a number") from None
    scales = [1.0 - gap * index for index in range(count)]
    if not scales or min(scales) <= 0.0:
        raise ValueError(
            f"{count} scales of OpenPose with gaps of {gap:g} end at {1.0 - gap * (count - 1):g}; expected one or more "
            "above 0"
        )
    return ["--scales", ",".join(f"{scale:g}" for scale in scales)]


def _maps(given: dict[str, str]) -> Arguments:
    kinds = [kind for name, kind in MAPS.items() if given.get(name) == "true"]
    if "write_heatmaps" in given and not kinds:
        raise ValueError("--write_heatmaps of OpenPose needs --heatmaps_add_parts, _bkg or _PAFs: which maps?")
    return ["--maps", ",".join(kinds)] if kinds else []


def _nothing_else(given: dict[str, str]) -> Arguments:
    if not set(given) & set(OUTPUTS):
        return []
    return ["--no-pictures", "--no-video"]
