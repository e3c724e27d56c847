"""``python -m openpose_ros NAME ...``: the executables without a ROS installation."""

from __future__ import annotations

import sys
from importlib import import_module

from openpose_ros import __version__
from openpose_ros.commands import COMMANDS


def main(argv: list[str] | None = None) -> int:
    """Run the named executable; without a name, or with one that is unknown, list them."""
    arguments = sys.argv[1:] if argv is None else argv
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        sys.argv[0] = f"openpose_ros {name}"
        return int(import_module(COMMANDS[name].module).main(arguments[1:]))
    if name in {"-h", "--help"}:
        print(_overview())
        return 0
    if name == "--version":
        print(__version__)
        return 0
    print(f"{_overview()}\n\nopenpose_ros: unknown command {name!r}", file=sys.stderr)
    return 2


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.description}" for name, command in COMMANDS.items()]
    head = "usage: python -m openpose_ros COMMAND ...   (in a ROS 2 workspace: ros2 run openpose_ros COMMAND ...)"
    return "\n".join([head, "", "commands:", *lines, "", "COMMAND --help tells more."])


if __name__ == "__main__":
    sys.exit(main())
