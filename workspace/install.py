"""`make setup`: the virtual environment .venv with everything that building, testing and the demo need.

Without ROS 2 it holds ROS 2 itself, as wheels, and the exact versions of lock.txt. Where ROS 2 is sourced, it lies on
top of that ROS's own Python and adds only what is missing there, because the versions that fit are not ours to say.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Sequence

from workspace import machine, once, pytorch, ros_wheels

VENV = once.ROOT / ".venv"
WORKSPACE = once.ROOT / "workspace"
LOCK = WORKSPACE / "lock.txt"
TOOLS = WORKSPACE / "tools.in"
MADE_FROM = VENV / "made_from"
STAMP = VENV / "stamp"
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
INPUTS = [LOCK, TOOLS, pytorch.PIN, *(WORKSPACE / f"{name}.py" for name in ("install", "pytorch", "ros_wheels"))]


def main(argv: Sequence[str] | None = None) -> int:
    """Brings .venv up to date; silent and quick when it is. Interrupted, it goes on where it stood."""
    parser = argparse.ArgumentParser(prog="workspace.install", description=__doc__)
    parser.add_argument("--ros", default="", help="prefix of the sourced ROS 2; empty: install the wheels")
    parser.add_argument("--torch-index", default="", help="package index to take PyTorch from; empty: choose")
    options = parser.parse_args(argv)

    base = f"Python {platform.python_version()} {sys.executable}, ROS {options.ros or 'wheels'}, {once.ROOT}"
    inputs = [*INPUTS, once.ROOT / "setup.py"] if options.ros else INPUTS
    with once.alone():
        now = once.digest(inputs, [base, options.torch_index])
        if once.read(STAMP) == now:
            return 0
        started = time.monotonic()
        STAMP.unlink(missing_ok=True)
        check_machine(options.ros)
        try:
            make_venv(base, options.ros)
            if options.ros:
                subprocess.run([*PIP, "install", "-qq", "--upgrade", "pip>=24"], check=True)
                # First, because Lightning would bring the one with CUDA.
                install_pytorch(options.torch_index)
                install_beside_ros()
            else:
                install_lock()
                install_pytorch(options.torch_index)
        except subprocess.CalledProcessError:
            sys.exit("pip could not install everything; its words stand above. make setup goes on from here.")
        except KeyboardInterrupt:
            sys.exit("Interrupted; make setup goes on from here.")
        if not options.ros:
            ros_wheels.repair(VENV)
        STAMP.write_text(now)
        print(f".venv is ready ({time.monotonic() - started:.0f} s).", flush=True)
    return 0


def check_machine(ros: str) -> None:
    """Ends the program with a sentence if something is missing that pip cannot bring."""
    if not ros:
        machine.check_platform()
    machine.check_tools()
    machine.check_python()


def make_venv(base: str, ros: str) -> None:
    """Makes .venv, anew if it was made from another Python or ROS, or for another place, or only half."""
    if once.read(MADE_FROM) == base:
        return
    print(f"Making .venv from {sys.executable}" + (f" on top of {ros}" if ros else ""), flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    venv.EnvBuilder(system_site_packages=bool(ros), symlinks=True, with_pip=True, prompt="openpose_ros").create(VENV)
    # colcon, linters and test collectors that walk the checkout stay out.
    (VENV / "COLCON_IGNORE").touch()
    if not ros:
        # colcon takes this for what it is, a ROS prefix, only with such scripts; install/setup.bash sources them.
        for shell in ("bash", "sh", "zsh"):
            (VENV / f"local_setup.{shell}").write_text(f'export AMENT_PREFIX_PATH="{VENV}" ROS_DISTRO=jazzy\n')
    MADE_FROM.write_text(base)


def install_lock() -> None:
    """ROS 2, colcon and all libraries, in the versions of the lock, which is complete: pip need not resolve."""
    count = sum(line[:1].isalpha() for line in LOCK.read_text().splitlines())
    print(f"Installing ROS 2 and what else the lock names ({count} packages).", flush=True)
    subprocess.run([*PIP, "install", "-qq", "--upgrade", "pip", "--constraint", str(LOCK)], check=True)
    subprocess.run([*PIP, "install", "-qq", "--no-deps", "--requirement", str(LOCK)], check=True)


def install_beside_ros() -> None:
    """Only what the sourced ROS and the system lack. NumPy stays as it is: ROS's messages are compiled against it."""
    print("Installing what the sourced ROS 2 lacks.", flush=True)
    python = PIP[0]
    wanted = output(python, "-m", "workspace.requirements").splitlines()
    keep = VENV / "keep.txt"
    keep.write_text(output(python, "-c", "import numpy; print('numpy==' + numpy.__version__)"))
    if not visible("cv2"):
        wanted.append("opencv-python-headless")
    bounds = ["--constraint", str(keep), "--requirement", str(TOOLS)]
    subprocess.run([*PIP, "install", "-qq", *bounds, *wanted], check=True)


def install_pytorch(index: str) -> None:
    """PyTorch, unless the system has one of its own: a Jetson's, say, is built for its GPU."""
    if visible("torch") and not list(VENV.glob("lib/python*/site-packages/torch")):
        return
    print("Installing PyTorch (some 200 MB; gigabytes where it comes with CUDA).", flush=True)
    pytorch.install([*PIP, "install", "-qq", "--constraint", str(TOOLS)], index)


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, cwd=once.ROOT, stdout=subprocess.PIPE, text=True).stdout


def visible(module: str) -> bool:
    """Whether the Python of .venv finds a module, without importing it."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([PIP[0], "-c", code]).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
