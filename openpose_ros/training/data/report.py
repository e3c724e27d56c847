"""What a source offers and what had to be left out of it, counted and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NAMED = 5
"""So many examples of each reason are named."""


@dataclass
class Report:
    """Counts of one source.

    Attributes:
        name: of the source.
        photos, people, crops, empty: photos that can be used, people with joints, crop centres, photos of nobody.
        dropped: reason -> how often; examples: reason -> the first few names.
        notes: sentences that a user should know.
    """

    name: str
    photos: int = 0
    people: int = 0
    crops: int = 0
    empty: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, name: str) -> None:
        """Count something that is left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        named = self.examples.setdefault(reason, [])
        if len(named) < NAMED:
            named.append(name)

    def add(self, other: Report) -> None:
        """Take another report's counts into this one."""
        for count in ("photos", "people", "crops", "empty"):
            setattr(self, count, getattr(self, count) + getattr(other, count))
        for reason, times in other.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + times
            self.examples[reason] = (self.examples.get(reason, []) + other.examples[reason])[:NAMED]
        self.notes += [note for note in other.notes if note not in self.notes]


def show(reports: Sequence[Report]) -> str:
    """A text table of several sources, and below it what was left out and why."""
    heads = ("source", "photos", "people", "crops", "without people")
    rows = [(r.name, str(r.photos), str(r.people), str(r.crops or "-"), str(r.empty)) for r in reports]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = []
    for row in (heads, *rows):
        numbers = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *numbers]).rstrip())
    for report in reports:
        for reason, times in sorted(report.dropped.items(), key=lambda entry: -entry[1]):
            named = report.examples[reason]
            more = ", ..." if times > len(named) else ""
            lines.append(f"{report.name}: {times} x {reason}: {', '.join(named)}{more}")
        lines += [f"{report.name}: {note}" for note in report.notes]
    return "\n".join(lines)
