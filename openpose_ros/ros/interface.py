"""What each node subscribes to, publishes and can be set to: the one table behind --help, docs/parameters.md and
config/pose.yaml. ``python -m openpose_ros.ros.interface`` writes both files anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openpose_ros.option import Option, OptionSet
from openpose_ros.options import (
    BackendOptions,
    DecodeOptions,
    DrawOptions,
    InputOptions,
    PoseNodeOptions,
    SourceNodeOptions,
)


@dataclass(frozen=True)
class Interface:
    """A node as its users see it: topic name -> what it carries, and the classes of its parameters."""

    name: str
    summary: str
    subscribes: Mapping[str, str]
    publishes: Mapping[str, str]
    options: tuple[type[OptionSet], ...]

    def parameters(self) -> Iterator[Option]:
        """All parameters, class by class."""
        for kind in self.options:
            yield from kind.options()


POSE_NODE = Interface(
    name="pose_node",
    summary="Camera images in, people out.",
    subscribes={
        "image": "sensor_msgs/Image, or sensor_msgs/CompressedImage on image/compressed (image_transport); only while "
        "somebody listens to poses or annotated",
    },
    publishes={
        "poses": "openpose_msgs/People, one for every image processed, with the header of the image",
        "poses/skeleton": "openpose_msgs/Skeleton, names and limbs of the keypoints, latched",
        "annotated": "sensor_msgs/Image, the image with its people drawn",
        "annotated/compressed": "sensor_msgs/CompressedImage, the same as JPEG",
    },
    options=(PoseNodeOptions, BackendOptions, InputOptions, DecodeOptions, DrawOptions),
)

SOURCE_NODE = Interface(
    name="source_node",
    summary="Photos, a folder, a video or a webcam as a camera.",
    subscribes={},
    publishes={
        "image": "sensor_msgs/Image, bgr8",
        "camera_info": "sensor_msgs/CameraInfo of an ideal pinhole camera",
    },
    options=(SourceNodeOptions,),
)

INTERFACES = (POSE_NODE, SOURCE_NODE)

FROM_CARD = frozenset(entry.name for entry in DecodeOptions.options() if entry.from_card)
"""Parameters of pose_node whose default the model's card knows better; unless set, they take its value."""


def usage(interface: Interface) -> str:
    """The text of ``--help``."""
    lines = [
        f"usage: python -m openpose_ros {interface.name} [--help] [--ros-args -p NAME:=VALUE -r TOPIC:=TOPIC ...]",
        f"   or: ros2 run openpose_ros {interface.name} [--ros-args ...]",
        "",
        interface.summary,
    ]
    for title, topics in (("subscribes to", interface.subscribes), ("publishes", interface.publishes)):
        if topics:
            lines += ["", f"{title}:", *(_entry(topic, about) for topic, about in topics.items())]
    for kind in interface.options:
        lines += ["", f"parameters: {_title(kind)}"]
        for option in kind.options():
            allowed = f" ({_allowed(option)})" if _allowed(option) else ""
            lines.append(_entry(f"{option.name}:={_yaml(option)}", option.description + allowed))
    lines += ["", "config/pose.yaml lists the parameters for a file: --ros-args --params-file FILE"]
    return "\n".join(lines)


def parameter_file() -> str:
    """The text of ``config/pose.yaml``: every parameter of pose_node with its default."""
    lines = [
        "# Parameters of pose_node: every one, with its default. What is marked live may be changed while it runs:",
        "#     ros2 param set /pose_node heat_threshold 0.05",
        "# Written by `python -m openpose_ros.ros.interface` from openpose_ros/options.py.",
        "/**:",
        "  ros__parameters:",
    ]
    for number, kind in enumerate(POSE_NODE.options):
        lines += [""] if number else []
        lines += [f"    # -- {_title(kind)}"]
        for option in kind.options():
            notes = [_allowed(option), "live" if option.live else ""]
            notes += ["left to the model's card unless set"] if option.name in FROM_CARD else []
            about = f"{option.description} ({'; '.join(filter(None, notes))})" if any(notes) else option.description
            lines += [f"    # {line}" for line in textwrap.wrap(about, 106)]
            hidden = "# " if option.name in FROM_CARD else ""
            lines += [f"    {hidden}{option.name}: {_yaml(option)}"]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The text of ``docs/parameters.md``: topics and parameters of every node."""
    lines = [
        "# Nodes, topics and parameters",
        "",
        "Written by `python -m openpose_ros.ros.interface` from `openpose_ros/options.py`; do not edit.",
        "",
        "Topic names are relative: a namespace and remaps move them. A *live* parameter may be set while the node runs "
        "and counts from the next image; the others are read-only and are given at the start.",
    ]
    for interface in INTERFACES:
        lines += ["", f"## {interface.name}", "", interface.summary]
        for title, topics in (("Subscribed topics", interface.subscribes), ("Published topics", interface.publishes)):
            if topics:
                lines += ["", f"### {title}", ""]
                lines += [f"- **{topic}**: {about}" for topic, about in topics.items()]
        lines += ["", "### Parameters"]
        for kind in interface.options:
            lines += ["", f"**{_title(kind)}**", "", "| name | type | default | allowed | live | meaning |"]
            lines += ["|---|---|---|---|---|---|"]
            for option in kind.options():
                default = "the card's" if option.name in FROM_CARD else f"`{_yaml(option)}`"
                cells = [f"`{option.name}`", _type(option), default, _allowed(option), "yes" if option.live else ""]
                lines += [f"| {' | '.join([*cells, option.description])} |"]
    return "\n".join(lines) + "\n"


def _title(kind: type[OptionSet]) -> str:
    return (kind.__doc__ or "").splitlines()[0].rstrip(".")


def _entry(name: str, about: str) -> str:
    return textwrap.fill(
        about, 110, initial_indent=f"  {name:<26}  ", subsequent_indent=" " * 30, break_on_hyphens=False
    )


def _yaml(option: Option) -> str:
    if option.kind is bool:
        return "true" if option.default else "false"
    return f'"{option.default}"' if option.kind is str else str(option.default)


def _type(option: Option) -> str:
    return {bool: "bool", int: "integer", float: "double", str: "string"}[option.kind]


def _allowed(option: Option) -> str:
    """The values an option may have; empty where any will do."""
    low, high = option.minimum, option.maximum
    if option.choices:
        return f"one of {', '.join(option.choices)}"
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "parameters.md").write_text(page())
    (root / "config" / "pose.yaml").write_text(parameter_file())
