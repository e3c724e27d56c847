"""What became of every image of a soak: those sent on one side, what the node says of them on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from openpose_ros.benchmark.process import Held, slope
from openpose_ros.ros.tally import Tally

FATES = ("replaced", "outdated", "broken", "failed", "processed")
"""What may become of an image that was received."""

AGES = (50, 95, 99)


def under_way(tally: Tally) -> int:
    """Images received of which nothing is said yet: that which is worked on, and one that waits."""
    return tally.received - sum(int(getattr(tally, fate)) for fate in FATES)


@dataclass
class Ledger:
    """Counts of a node that begins to count anew whenever it is activated.

    Attributes:
        sent: images published while the node listened.
        unheard: images published while it did not.
        between: images published while the node ended its counting, of which it cannot tell.
        now: what the node says of its time since it was activated.
        before: the sum of the times before.
        checks: how often all was quiet and the sum was looked at.
        trouble: what was found wrong, in sentences.
    """

    sent: int = 0
    unheard: int = 0
    between: int = 0
    now: Tally = field(default_factory=Tally)
    before: Tally = field(default_factory=Tally)
    checks: int = 0
    trouble: list[str] = field(default_factory=list)

    def check(self, where: str) -> None:
        """Look at the sum at a quiet moment."""
        self.checks += 1
        missing = under_way(self.now)
        if missing:
            told = ", ".join(f"{getattr(self.now, fate)} {fate}" for fate in FATES)
            self.trouble.append(
                f"{where}, the node has received {self.now.received} images and says of {missing} of them neither that "
                f"they gave a result nor why they did not ({told})"
            )
        if self.lost < 0:
            self.trouble.append(f"{where}, the node has counted {-self.lost} images more than were sent")

    def begin(self) -> None:
        """The node counts from nought again."""
        for entry in fields(Tally):
            setattr(self.before, entry.name, getattr(self.before, entry.name) + getattr(self.now, entry.name))
        self.now = Tally()

    def total(self, name: str) -> int:
        """Of all times: one of the counts of a Tally."""
        return int(getattr(self.before, name) + getattr(self.now, name))

    @property
    def lost(self) -> int:
        """Images sent that never came to the node."""
        return self.sent - self.total("received")

    @property
    def unaccounted(self) -> int:
        """Images that the node received and said nothing of."""
        return under_way(self.before) + under_way(self.now)

    def rows(self) -> list[dict[str, Any]]:
        """One row for every count."""
        about = [
            ("sent", self.sent, "while the node listened"),
            ("transport", self.lost, "overwritten between publisher and node"),
            ("received", self.total("received"), "by the node"),
            *((fate, self.total(fate), "") for fate in FATES),
            ("not accounted", self.unaccounted, f"at {self.checks} quiet moments"),
            ("unheard", self.unheard, "sent while the node did not listen"),
            ("between", self.between, "sent while it was deactivated"),
            ("jumps", self.total("jumps"), "of time"),
        ]
        return [{"what": what, "value": value, "unit": "images", "about": note} for what, value, note in about]


def latency_rows(seconds: Sequence[float], about: str, unit: str = "ms", scale: float = 1e3) -> list[dict[str, Any]]:
    """Median, 95th and 99th percentile of the time from stamp to result.

    Args:
        seconds: latencies.
        about: of which part of the run.
        unit, scale: what they are told in, and how many of it a second has.
    """
    if not seconds:
        return [{"what": "latency", "value": None, "unit": unit, "about": f"{about}: no result"}]
    values = scale * np.percentile(seconds, AGES)
    return [
        {"what": f"latency p{age}", "value": round(float(value), 2), "unit": unit, "about": about}
        for age, value in zip(AGES, values, strict=True)
    ]


def held_rows(times: Sequence[float], seen: Sequence[Held], about: str) -> list[dict[str, Any]]:
    """Memory, files and threads first and last, how they grow a minute in the second half, and the CPU used.

    Args:
        times: seconds of each look.
        seen: what the node's process held then; at least one.
    """
    half = len(seen) // 2
    rows: list[dict[str, Any]] = []
    for what, unit, values in (
        ("memory", "MB", [look.megabytes for look in seen]),
        ("own memory", "MB", [look.own for look in seen]),
        ("open files", "", [look.files for look in seen]),
        ("threads", "", [look.threads for look in seen]),
    ):
        growth = slope(times[half:], values[half:])
        rows += [
            {"what": f"{what} first", "value": _short(values[0]), "unit": unit, "about": about},
            {"what": f"{what} last", "value": _short(values[-1]), "unit": unit, "about": about},
            {"what": f"{what} most", "value": _short(max(values)), "unit": unit, "about": about},
            {"what": f"{what} slope", "value": round(growth, 3), "unit": f"{unit}/min", "about": "second half"},
        ]
    passed = max(times[-1] - times[0], 1e-9)
    cpu = 100.0 * (seen[-1].cpu - seen[0].cpu) / passed
    return [*rows, {"what": "CPU", "value": round(cpu, 1), "unit": "% of a core", "about": about}]


def _short(value: float) -> float:
    return round(value, 1) if isinstance(value, float) else value
