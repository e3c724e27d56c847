"""What this machine lacks, as sentences that say what to install."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path


def check_tools() -> None:
    """Ends the program if C and C++ cannot be compiled, which every ROS message package needs."""
    wanted = {
        "C compiler": (os.environ.get("CC", "cc"), "gcc"),
        "C++ compiler": (os.environ.get("CXX", "c++"), "g++"),
        "make": ("make", "make"),
    }
    missing = [(what, package) for what, (tool, package) in wanted.items() if not shutil.which(tool.split()[0])]
    if missing:
        names = " and no ".join(what for what, _ in missing)
        packages = " ".join(package for _, package in missing)
        sys.exit(f"No {names} found, and ROS messages are compiled: sudo apt-get install {packages}")


def check_python() -> None:
    """Ends the program if this Python came without the parts that Debian and Ubuntu package on their own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        sys.exit(
            f"{sys.executable} came without its C headers (Python.h): sudo apt-get install {version}-dev, "
            "or give another Python with make PYTHON=..."
        )
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit(
            f"{sys.executable} cannot make virtual environments: sudo apt-get install {version}-venv, "
            "or give another Python with make PYTHON=..."
        )


def check_platform() -> None:
    """Ends the program where there are no ROS 2 wheels."""
    if sys.platform == "linux" and platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc":
        return
    sys.exit(
        "ROS 2 comes as wheels only for x86_64 Linux with glibc, and this is "
        f"{platform.machine()} {platform.system()}: source a ROS 2 installation "
        "(source /opt/ros/jazzy/setup.bash, say) and run make again."
    )
