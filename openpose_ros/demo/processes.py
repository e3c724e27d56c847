"""Nodes as processes of their own that end with this one, in an isolated ROS domain."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from openpose_ros.ros import fastdds

DOMAINS = range(1, 102)
"""Domain ids whose ports stay clear of those that Linux hands out to other programs."""

PATIENCE = 5.0
"""Seconds a node is given to stop by itself before it is killed."""

PR_SET_PDEATHSIG = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


class NodeEndedError(RuntimeError):
    """A node ended by itself; the text says which, how, and gives the last lines of its log."""


def isolate() -> None:
    """Let this process and its children talk to nobody but each other: an own domain, this machine only.

    Must run before rclpy is initialised. Humble knows only ROS_LOCALHOST_ONLY; later releases warn of it. Fast DDS
    gets the profile for camera images, without which it loses many of them, unless the user has set one.
    """
    os.environ["ROS_DOMAIN_ID"] = str(DOMAINS[os.getpid() % len(DOMAINS)])
    os.environ.pop("ROS_STATIC_PEERS", None)
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ.pop("ROS_LOCALHOST_ONLY", None)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.update(fastdds.added_to(os.environ))


class Nodes:
    """Starts nodes as ``python -m openpose_ros NAME``; leaving the ``with`` block stops all of them.

    SIGTERM and a closed terminal end the block like Ctrl-C does, so that no node outlives it.
    """

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = tempfile.TemporaryDirectory(prefix="openpose_ros_")
        self._handlers: dict[signal.Signals, object] = {}

    def start(self, name: str, parameters: Mapping[str, object], *arguments: str, module: str = "") -> None:
        """Start one of the executables, or a module instead, with ROS parameters (values are written as YAML)."""
        command = [sys.executable, "-m", *([module] if module else ["openpose_ros", name]), *arguments]
        if parameters:
            command += ["--ros-args", *(part for p, v in parameters.items() for part in ("-p", f"{p}:={_yaml(v)}"))]
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the nodes only through stop()
                preexec_fn=_end_with_parent,
            )

    def pid(self, name: str) -> int:
        """The process of a node."""
        return self._running[name].pid

    def check(self) -> None:
        """Raise a NodeEndedError if a node has ended by itself."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                raise NodeEndedError(f"{name} {how}; the last lines of its log:\n{self.last_lines(name)}")

    def last_lines(self, name: str, count: int = 20) -> str:
        """The end of a node's log, indented."""
        text = self._log(name).read_text(errors="replace") if self._log(name).is_file() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-count:]) or "    (it wrote nothing)"

    def stop(self) -> None:
        """Ask every node to stop, wait, and kill those that do not."""
        deadline = time.monotonic() + PATIENCE
        try:
            for process in self._running.values():
                process.terminate()
            for process in self._running.values():
                process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            for process in self._running.values():
                process.kill()  # does nothing to one that has ended
                process.wait()
            self._running.clear()

    def __enter__(self) -> Nodes:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, _interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._logs.cleanup()

    def _log(self, name: str) -> Path:
        return Path(self._logs.name) / f"{name}.log"


def _end_with_parent() -> None:
    """Have Linux end a node even if this process is killed and can do nothing more."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _yaml(value: object) -> str:
    """A parameter's value as ``-p name:=VALUE`` wants it; texts are quoted, so that "12" stays one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
