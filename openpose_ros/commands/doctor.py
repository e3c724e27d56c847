"""doctor: what of this machine the package can use, what does not fit, and what to do about it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from openpose_ros.commands.flags import add_model

DESCRIPTION = """Look at this machine and say what to do: Python, ROS 2 and its middleware, shared memory, GPU, driver,
PyTorch, CuPy, TensorRT, OpenVINO, other packages, the network, and which backend `auto` takes. Takes a few seconds;
downloads and changes nothing.

  ok      works
  -       is not there and not needed, or good to know
  better  works, and could do so faster or more surely
  FIX     does not work

Exit status: 0 when a network can run here, whatever else is to be mended; 1 when none can.
"""


def main(argv: list[str] | None = None) -> int:
    """Examine, and show what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m openpose_ros doctor",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args(argv)

    from openpose_ros.doctor.examination import examine
    from openpose_ros.doctor.report import as_json, table

    if sys.stderr.isatty():
        print("Looking at this machine ...", file=sys.stderr)
    try:
        seen = examine(arguments.model)
    except KeyboardInterrupt:
        return 130
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    try:
        print(as_json(seen) if arguments.json else table(seen, width), flush=True)
    except BrokenPipeError:  # whoever reads has seen enough; Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0 if seen.can_run else 1


if __name__ == "__main__":
    sys.exit(main())
