"""A repair of the ROS 2 wheels.

Their CMake export files name the Python and NumPy headers of the container that they were built in. CMake stops on
include folders that do not exist, so that no message package builds until they name this machine's.
"""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

FOREIGN = re.compile(r'/opt/python/[^";]*/include/python3\.\d+t?(;/opt/python/[^";]*/numpy/_core/include)?')


def repair(venv: Path) -> None:
    """Rewrites the export files of `venv`; one that is right stays untouched."""
    numpy = next(venv.glob("lib/python*/site-packages/numpy/_core/include"))
    headers = f"{sysconfig.get_path('include')};{numpy}"
    for file in venv.glob("share/*/cmake/*Export*.cmake"):
        text = file.read_text()
        if (right := FOREIGN.sub(headers, text)) != text:
            file.write_text(right)
