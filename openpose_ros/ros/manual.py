"""What is written down about the nodes, from their one table in ``interface.py``: --help, docs/parameters.md (in the
form that image_proc's documentation has) and config/pose.yaml. ``python -m openpose_ros.ros.manual`` writes both files.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from openpose_ros.option import Option, OptionSet
from openpose_ros.ros.interface import FROM_CARD, INTERFACES, POSE_NODE, Interface, Meaning


def usage(interface: Interface) -> str:
    """The text of ``--help``."""
    lines = [
        f"usage: python -m openpose_ros {interface.name} [--help] [--ros-args -p NAME:=VALUE -r TOPIC:=TOPIC ...]",
        f"   or: ros2 run openpose_ros {interface.name} [--ros-args ...]",
        "",
        interface.summary,
    ]
    for title, table in _tables(interface).items():
        lines += ["", f"{title}:", *(_entry(name, f"{kind}, {about}") for name, (kind, about) in table.items())]
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
        "# Written by `python -m openpose_ros.ros.manual` from openpose_ros/options/.",
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
        "Written by `python -m openpose_ros.ros.manual` from `openpose_ros/options/`; do not edit.",
        "",
        "Topic names are relative: a namespace and remaps move them. Several cameras have theirs below the name of "
        "each. A *live* parameter may be set while the node runs and counts from the next image; the others are "
        "read-only and are given at the start. `ros2 param dump /pose_node > mine.yaml` keeps all of them: "
        "`--ros-args --params-file mine.yaml` starts a node with them, and `ros2 param load /pose_node mine.yaml` sets "
        "the live ones of a node that runs, and says of each other that it is read-only. What the nodes do with all "
        "that: [running.md](running.md).",
    ]
    for interface in INTERFACES:
        lines += ["", f"## {interface.name}", "", interface.summary]
        for title, table in _tables(interface).items():
            lines += ["", f"### {title}", ""]
            lines += [f"- **{name}** ({kind}): {about}" for name, (kind, about) in table.items()]
        lines += ["", "### Parameters"]
        for options in interface.options:
            lines += ["", f"#### {_title(options)}", ""]
            for option in options.options():
                default = "the card's" if option.name in FROM_CARD else f"`{_yaml(option)}`"
                notes = ", ".join(filter(None, [_type(option), f"default: {default}", _allowed(option)]))
                lines += [f"- **{option.name}** ({notes}{', live' if option.live else ''}): {option.description}"]
    return "\n".join(lines) + "\n"


def _tables(interface: Interface) -> dict[str, Mapping[str, Meaning]]:
    """The tables of topics and services that are not empty, by their titles."""
    tables = {
        "Subscribed Topics": interface.subscribes,
        "Published Topics": interface.publishes,
        "Services": interface.services,
    }
    return {title: table for title, table in tables.items() if table}


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
