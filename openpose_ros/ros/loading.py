"""The network is loaded in a thread of its own, so that whoever waits for it can be asked to stop; and the process ends
without waiting for libraries that do not come back.

A signal that raises an exception wherever the program happens to be does not do: in the middle of a compiler, or of a
library that loads weights, it leaves locks behind that nobody will open any more, and the process never ends.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, NoReturn, TypeVar

import rclpy

from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

Answer = TypeVar("Answer")

Load = Callable[[str, BackendOptions, InputOptions, DecodeOptions], "Estimator"]

LOOK = 0.05
"""Seconds between two looks at whether somebody asked to stop, or what is waited for is done."""

PATIENCE = 10.0
"""Seconds that a node which is to end waits for the image in progress, and one that is deactivated at the least. ros2
launch kills after 15."""


class StoppedError(RuntimeError):
    """Somebody asked to stop before the work was done."""


def network(
    model: str,
    backend: BackendOptions,
    inputs: InputOptions,
    decode: DecodeOptions,
    kind: type[Estimator] | None = None,
) -> Estimator:
    """The estimator that the parameters ask for, of a kind of one's own if that is given."""
    from openpose_ros.estimator import Estimator  # the network's libraries are loaded here, not for --help

    return (kind or Estimator).load(
        model,
        backend.backend,
        backend.device,
        precision=backend.precision,
        threads=backend.threads,
        hint=backend.hint,
        inputs=inputs,
        decode=decode,
    )


def unless_asked(asked: threading.Event, work: Callable[[], Answer]) -> Answer:
    """What ``work`` returns or raises; it runs in another thread.

    Raises:
        StoppedError: ``asked`` was set before the work was done. The thread is left behind, and what it returns later
            is dropped.
    """
    answer: Future[Answer] = Future()

    def act() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)

    thread = threading.Thread(target=act, name="openpose_ros loading", daemon=True)
    thread.start()
    while thread.is_alive() and not asked.is_set():
        thread.join(LOOK)
    if not answer.done():
        raise StoppedError("asked to stop before it was done")
    return answer.result()


def leave(status: int) -> NoReturn:
    """End the process, now that everything has been given back.

    Python's own end would wait for what a thread that was left behind has started, and take libraries away under its
    feet; and of those that nobody uses any more, PyTorch alone takes half a second for it.
    """
    gc.collect()  # what is left of the node; else the middleware would leave its shared memory behind
    rclpy.get_default_context().destroy()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
