"""The examination as text that is readable without colours, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter

from openpose_ros import __version__
from openpose_ros.doctor.examination import Examination
from openpose_ros.doctor.finding import State

MARKS = {State.OK: "ok", State.NOTE: "-", State.BETTER: "better", State.FIX: "FIX"}


def table(seen: Examination, width: int = 100) -> str:
    """A line for each finding, and its remedy below it; at the end what it comes to."""
    names = max((len(finding.name) for section in seen.sections for finding in section.findings), default=0)
    marks = max(map(len, MARKS.values()))
    margin = " " * (2 + marks + 2 + names + 2)
    lines = []
    for section in seen.sections:
        lines += [section.name]
        for finding in section.findings:
            head = f"  {MARKS[finding.state]:{marks}}  {finding.name:{names}}  "
            lines += _wrapped(finding.found, head, margin, width)
            if finding.remedy:
                lines += _wrapped(finding.remedy, f"{margin}-> ", f"{margin}   ", width)
        lines += [""]
    return "\n".join([*lines, *_wrapped(_verdict(seen), "", "", width)])


def as_json(seen: Examination) -> str:
    """The same for programs: ``can_run``, ``with`` and a list of findings with section, name, state, found, remedy."""
    rows = [
        {
            "section": section.name,
            "name": finding.name,
            "state": finding.state.value,
            "found": finding.found,
            "remedy": finding.remedy,
        }
        for section in seen.sections
        for finding in section.findings
    ]
    about = {"openpose_ros": __version__, "can_run": seen.can_run, "with": seen.with_what, "findings": rows}
    return json.dumps(about, indent=1)


def _verdict(seen: Examination) -> str:
    counted = Counter(finding.state for section in seen.sections for finding in section.findings)
    head = f"A network runs here: {seen.with_what}." if seen.can_run else "No network runs here."
    todo = [f"{counted[state]} {words}" for state, words in _COUNTED.items() if counted[state]]
    return f"{head} {'; '.join(todo) or 'Nothing to mend'}."


_COUNTED = {State.FIX: "to fix (FIX)", State.BETTER: "could be better (better)"}


def _wrapped(text: str, head: str, margin: str, width: int) -> list[str]:
    """Paths and commands stay whole, so that they can be copied."""
    return textwrap.wrap(
        text, max(width, len(margin) + 40), initial_indent=head, subsequent_indent=margin, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
