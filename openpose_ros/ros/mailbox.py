"""One slot between the camera's callback and the worker: the newest wins, and what it replaces is counted.

A queue would make every image wait for the ones before it; here latency never grows with load.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Holds the newest item until it is taken. Any thread may put, one thread takes.

    Attributes:
        received: how many items were put in.
        replaced: how many of them were replaced before anybody took them.
    """

    def __init__(self) -> None:
        self.received = 0
        self.replaced = 0
        self._item: Item | None = None
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Leave an item; one that was still there is dropped and counted. Returns at once."""
        with self._changed:
            self.received += 1
            if self._item is not None:
                self.replaced += 1
            self._item = item
            self._changed.notify()

    def take(self) -> Item | None:
        """Wait for an item and take it; None once the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item = None if self._closed else self._item
            self._item = None
            return item

    def close(self) -> None:
        """Wake up whoever waits and drop what is there; nothing can be taken any more."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()
