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

from openpose_ros.ros.interface import Interface
from openpose_ros.ros.manual import usage

TURN = 0.2
"""Seconds between two looks at whether somebody asked to stop."""


class StartError(RuntimeError):
    """A node cannot start; the text says why in one sentence, unless the log has said it already."""


class Program(Protocol):
    """A node that :func:`run` can run."""

    finished: bool

    def start(self) -> None:
        """Begin; a StartError ends the program with exit status 1."""

    def stop(self) -> None:
        """Give back threads, files and devices."""

    def destroy_node(self) -> Any:
        """Leave the ROS graph."""


class Stop:
    """SIGINT and SIGTERM: they interrupt a start, and after that ask the program to end, however often they come."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.starting = True
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}

    def close(self) -> None:
        """As before; but a process that is ending ignores further signals, which would end it with an error."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.asked.is_set() else handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()
        if self.starting:
            self.starting = False
            raise KeyboardInterrupt


def run(interface: Interface, create: Callable[[], Program], argv: list[str] | None) -> int:
    """Run a node until it is finished or asked to stop.

    Returns:
        0 after a clean end, 1 if the node could not start, 2 after wrong arguments.
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
    node: Program | None = None
    try:
        # Without rclpy's own signal handlers, which shut the context down while a node may still be publishing.
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        node = create()
        _forward_log(node)
        node.start()
        stop.starting = False
        _spin(node, stop.asked)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except StartError as error:
        if str(error):
            rclpy.logging.get_logger(interface.name).fatal(str(error))
        return 1
    except Exception as error:
        if rclpy.ok():
            rclpy.logging.get_logger(interface.name).fatal(f"{type(error).__name__}: {error}")
        raise
    finally:
        stop.starting = False
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
        stop.close()
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


def _forward_log(node: Any) -> None:
    log = logging.getLogger("openpose_ros")
    log.setLevel(logging.INFO)
    log.addHandler(_RosLog(node.get_logger()))
    log.propagate = False
