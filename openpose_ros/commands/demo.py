"""``demo``: source node and pose node as two processes on real photos, told as a table and shown as pictures."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

DESCRIPTION = """Starts source_node and pose_node as two processes, waits for /poses, prints who was found and writes
annotated pictures. It talks to nothing but its own nodes and downloads nothing, unless there is no network on this
machine: then it says so and fetches a small one (7 MB), once."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo; 0 when people messages came, 1 with a sentence on stderr when not, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="demo", description=DESCRIPTION)
    parser.add_argument(
        "--input",
        default=os.environ.get("DEMO_INPUT", ""),
        help="photo, folder, video, webcam index, or 'synthetic' for the backend without a network (default: "
        "$DEMO_INPUT, else the demo's own photos)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_out"), metavar="DIR", help="folder of the pictures (%(default)s)"
    )
    parser.add_argument("--model", default="", help="card or name of a network (default: the best there is)")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for people (%(default)s)"
    )
    arguments = parser.parse_args(argv)

    # Only now, so that --help answers at once.
    from openpose_ros.card import CardError
    from openpose_ros.demo.processes import NodeEndedError
    from openpose_ros.demo.story import DemoError, show
    from openpose_ros.media import MediaError
    from openpose_ros.weights import WeightsError

    try:
        show(arguments.input, arguments.output, arguments.model, arguments.timeout)
    except (CardError, DemoError, MediaError, NodeEndedError, WeightsError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; its nodes are stopped", file=sys.stderr)
        return 130
    return 0
