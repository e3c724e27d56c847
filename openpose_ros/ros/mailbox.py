"""One slot for each camera between its callback and the worker: the newest wins, and what it replaces is counted.

A queue would make every image wait for the ones before it; here latency never grows with load.
"""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Slot(Generic[Item]):
    """Holds the newest item of one sender until it is taken. Any thread may put.

    Attributes:
        received: how many items were put in.
        replaced: how many of them were replaced before anybody took them.
        period: least seconds between two takings; what comes too early waits, and may be replaced meanwhile.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self.received = 0
        self.replaced = 0
        self.period = 0.0
        self._item: Item | None = None
        self._due = 0.0
        self._changed = changed

    def put(self, item: Item) -> None:
        """Leave an item; one that was still there is dropped and counted. Returns at once."""
        with self._changed:
            self.received += 1
            if self._item is not None:
                self.replaced += 1
            self._item = item
            self._changed.notify()

    def _wait(self, now: float) -> float | None:
        """Seconds until the item may be taken; None while there is none."""
        return None if self._item is None else max(0.0, self._due - now)

    def _take(self, now: float) -> Item:
        assert self._item is not None
        item, self._item = self._item, None
        # Counted from when it was due, so that a little lateness costs no rate; but what was missed is not made up.
        begin = self._due if now - self._due < self.period else now
        self._due = max(begin + self.period, now + 0.5 * self.period)
        return item


class Mailbox(Generic[Item]):
    """The slots of all cameras. One thread takes, from one camera after the other."""

    def __init__(self) -> None:
        self._slots: list[Slot[Item]] = []
        self._next = 0
        self._closed = False
        self._changed = threading.Condition()

    def slot(self) -> Slot[Item]:
        """A new slot, the last one in turn."""
        with self._changed:
            self._slots.append(Slot(self._changed))
            return self._slots[-1]

    def take(self, most: int = 1, wait: bool = True) -> list[tuple[int, Item]]:
        """Wait until some slot has an item that is due, and take as many as are there now, at most one of each slot.

        Args:
            most: how many at most.
            wait: false returns at once, with nothing where nothing is due.

        Returns:
            Number of the slot and item, beginning with the slot whose turn it is; nothing once the mailbox is closed.
        """
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                turn = [*range(self._next, len(self._slots)), *range(self._next)]
                waits = {number: self._slots[number]._wait(now) for number in turn}
                due = [number for number, left in waits.items() if left == 0.0][:most]
                if due:
                    self._next = (due[-1] + 1) % len(self._slots)
                    return [(number, self._slots[number]._take(now)) for number in due]
                if not wait:
                    break
                self._changed.wait(min((left for left in waits.values() if left is not None), default=None))
            return []

    def close(self) -> None:
        """Wake up whoever waits and drop what is there; nothing can be taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
