"""`make build`: both packages built by colcon into install/, again only when something that colcon copies changed.

With --symlink-install, install/ points at the sources: edited Python, launch and parameter files need no build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from workspace import machine, once
from workspace.install import MADE_FROM

PACKAGES = [".", "openpose_msgs"]
COPIED = ["package.xml", "setup.py", "setup.cfg", "resource/openpose_ros", "openpose_ros/commands/__init__.py"]
LINKED = ["launch/*.py", "config/**/*", "model/*"]
OUTPUTS = [once.ROOT / name for name in ("build", "install")]
STAMP = once.ROOT / "install" / ".built"


def main() -> int:
    """Runs colcon if its inputs changed since it last succeeded."""
    messages = [path for path in (once.ROOT / "openpose_msgs").rglob("*") if path.is_file()]
    linked = sorted(str(path) for pattern in LINKED for path in once.ROOT.glob(pattern))
    base = once.read(MADE_FROM)
    now = once.digest([*messages, *(once.ROOT / name for name in COPIED)], [base, *linked])
    with once.alone():
        built = once.read(STAMP)
        if built == f"{base}\n{now}":
            return 0
        machine.check_tools()
        if not built.startswith(base):
            # CMake's cache and the scripts' first lines name the Python of another virtual environment.
            for folder in OUTPUTS:
                shutil.rmtree(folder, ignore_errors=True)
        started = time.monotonic()
        print("Building openpose_msgs and openpose_ros.", flush=True)
        STAMP.unlink(missing_ok=True)
        if colcon() != 0:
            return 1
        STAMP.write_text(f"{base}\n{now}")
        print(f"install/ is ready ({time.monotonic() - started:.0f} s).", flush=True)
    return 0


def colcon() -> int:
    """Builds into build/, install/ and log/ of the checkout; returns colcon's exit status."""
    # The base paths are given because a crawl from the root ends at the outer package and never sees the inner one.
    command = [sys.executable, "-m", "colcon", "build", "--symlink-install", "--base-paths", *PACKAGES]
    cmake = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}"]
    # A list of prefixes that holds install/ itself makes colcon warn of overriding its own packages.
    own = str(once.ROOT / "install")
    clean = {
        name: os.pathsep.join(path for path in value.split(os.pathsep) if not path.startswith(own))
        if name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH")
        else value
        for name, value in os.environ.items()
    }
    return subprocess.run([*command, "--cmake-args", *cmake], cwd=once.ROOT, env=clean).returncode


if __name__ == "__main__":
    sys.exit(main())
