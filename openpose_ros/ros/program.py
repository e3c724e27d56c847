"""A node as a program: arguments, start, spinning, signals, exit status."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from openpose_ros.ros import loading
from openpose_ros.ros.interface import Interface
from openpose_ros.ros.manual import usage

TURN = 0.2
"""Seconds between two looks at whether somebody asked to stop."""


class StartError(RuntimeError):
    """A node cannot start; the text says why in one sentence, unless the log has said it already."""


class Program(Protocol):
    """A node that :func:`run` can run.

    Attributes:
        finished: whether it has nothing more to do.
        asked: set when the program is to end; nothing that takes long may outlast that.
    """

    finished: bool
    asked: threading.Event

    def start(self) -> None:
        """Begin; a StartError ends the program with exit status 1, unless it was asked to end."""

    def stop(self) -> None:
        """Give back threads, files and devices."""

    def destroy_node(self) -> Any:
        """Leave the ROS graph."""


class Stop:
    """SIGINT and SIGTERM ask the program to end, however often they come. They interrupt nothing (``loading.py``)."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}

    def close(self) -> None:
        """As before; but a process that is ending ignores further signals, which would end it with an error."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.asked.is_set() else handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()


def run(interface: Interface, create: Callable[[], Program], argv: list[str] | None) -> int:
    """Run a node until it is finished or asked to stop, and end the process.

    The exit status is 0 after a clean end, 1 if the node could not start.

    Returns:
        0 after help, 2 after wrong arguments.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        own = remove_ros_args(arguments)
    except RuntimeError as error:
        print(f"{interface.name}: the ROS arguments cannot be read: {error}", file=sys.stderr)
        return 2
    if "--help" in own or "-h" in own:
        print(usage(interface))
        return 0
    if own:
        hint = "parameters and remaps follow after --ros-args, --help tells them"
        print(f"{interface.name}: unknown argument {own[0]!r}; {hint}", file=sys.stderr)
        return 2
    stop = Stop()
    try:
        status = _live(interface, create, arguments, stop)
    finally:
        stop.close()
    return loading.leave(status)


def _live(interface: Interface, create: Callable[[], Program], arguments: list[str], stop: Stop) -> int:
    """The node from beginning to end; 0 or 1."""
    node: Program | None = None
    log = logging.getLogger("openpose_ros")
    try:
        # Without rclpy's own signal handlers, which shut the context down while a node may still be publishing.
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        node = create()
        node.asked = stop.asked
        _forward(log, node)
        node.start()
        _spin(node, stop.asked)
    except ExternalShutdownException:
        pass
    except StartError as error:
        if stop.asked.is_set():
            return 0
        if str(error):
            rclpy.logging.get_logger(interface.name).fatal(str(error))
        return 1
    except Exception as error:
        if rclpy.ok():
            rclpy.logging.get_logger(interface.name).fatal(f"{type(error).__name__}: {error}")
        raise
    finally:
        if node is not None:
            node.stop()
            log.handlers.clear()  # a thread that was left behind has nobody to talk to any more
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(node: Program, asked: threading.Event) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not (node.finished or asked.is_set()):
            executor.spin_once(timeout_sec=TURN)
    finally:
        executor.remove_node(node)
        executor.shutdown()


class _RosLog(logging.Handler):
    """What the core says through Python's logging, said by the node."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        # A line each: rclpy wants one severity per place in the source.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def _forward(log: logging.Logger, node: Any) -> None:
    log.setLevel(logging.INFO)
    log.addHandler(_RosLog(node.get_logger()))
    log.propagate = False
