"""How long each step of a frame took on an NVIDIA GPU, by its own clock."""

from __future__ import annotations

from torch import cuda


class Clock:
    """Events that happen on a stream between the steps of one frame."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, cuda.Event]] = []

    def mark(self, ended: str = "") -> None:
        """Queue an event on the current stream: a step has ended, or something that does not count."""
        event = cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._marks.append((ended, event))

    def milliseconds(self) -> dict[str, float]:
        """Of each step, those of the same name together. Waits for the last event."""
        spent: dict[str, float] = {}
        if self._marks:
            self._marks[-1][1].synchronize()
        for (_, before), (ended, after) in zip(self._marks, self._marks[1:], strict=False):
            if ended:
                spent[ended] = spent.get(ended, 0.0) + before.elapsed_time(after)
        return spent
