"""Several bags: one after the other, or side by side in processes with an estimator each."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from openpose_ros.bags import BagError
from openpose_ros.estimator import Estimator
from openpose_ros.recorded.run import Outcome, Task, run

Load = Callable[[], Estimator]


def run_all(tasks: Sequence[Task], load: Load, jobs: int) -> Iterator[tuple[Task, Outcome | BagError]]:
    """What became of each bag, as they are ready; one that fails does not stop the others.

    Args:
        load: makes an estimator, in every process anew; must be picklable, a partial of a function for one.
        jobs: processes at work at the same time; each takes the next bag when it is done with one.

    Raises:
        KeyboardInterrupt: Ctrl-C; the bags at work are left out, the finished ones stay.
        CardError, BackendError: the estimator cannot be made.
    """
    # Not fork: a network's threads do not live through it.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (load, stop)) as pool:
        waiting = {pool.submit(_one, task): task for task in tasks}
        try:
            for future in as_completed(waiting):
                task = waiting[future]
                try:
                    yield task, future.result()
                except BagError as error:
                    yield task, error
                except BrokenProcessPool:
                    yield task, BagError(f"{task.source}: its process ended by itself, for want of memory perhaps")
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _Worker:
    """What a process keeps from one bag to the next."""

    def __init__(self, load: Load, stop: Any) -> None:
        self._load = load
        self._stop = stop
        self._estimator: Estimator | None = None

    def run(self, task: Task) -> Outcome:
        if self._estimator is None:
            self._estimator = self._load()
        return run(self._estimator, task, self._go_on)

    def _go_on(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise BagError("stopped")


_worker: _Worker | None = None
"""Set once in every process of the pool."""


def _begin(load: Load, stop: Any) -> None:
    global _worker
    # Ctrl-C reaches every process of a terminal; the first one tells the others by the event.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    _worker = _Worker(load, stop)


def _one(task: Task) -> Outcome:
    assert _worker is not None
    return _worker.run(task)
