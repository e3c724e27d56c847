"""What became of the images: counted by the node, told every now and then in one log line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tally:
    """Counts since the node was activated.

    Attributes:
        received: images that came from the camera.
        replaced: of those, never looked at because a newer one came.
        broken: could not be read.
        failed: the network or the decoder raised an exception.
        processed: gave a result, with or without people.
        people: people in all results.
        seconds: time spent on those processed, from the message to the published result.
    """

    received: int = 0
    replaced: int = 0
    broken: int = 0
    failed: int = 0
    processed: int = 0
    people: int = 0
    seconds: float = 0.0

    def since(self, before: Tally, seconds: float) -> str:
        """What happened in the ``seconds`` since ``before``, as a line for the log."""
        processed = self.processed - before.processed
        parts = [
            f"{(self.received - before.received) / seconds:.1f} images/s in",
            f"{processed / seconds:.1f} processed",
            f"{(self.replaced - before.replaced) / seconds:.1f} replaced by newer ones",
        ]
        if processed:
            parts.append(f"{1e3 * (self.seconds - before.seconds) / processed:.0f} ms each")
            parts.append(f"{(self.people - before.people) / processed:.1f} people each")
        for name in ("broken", "failed"):
            if count := getattr(self, name) - getattr(before, name):
                parts.append(f"{count} {name}")
        return ", ".join(parts)
