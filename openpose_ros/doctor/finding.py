"""Findings: what was found, whether it is well, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong: it is not there and not needed, or worth knowing."""
    BETTER = "better"
    """It works, and could do so faster or more surely."""
    FIX = "fix"
    """Something does not work."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: how it is.
        found: what was found, in words.
        remedy: one sentence that says what to do; empty where there is nothing to do.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def guarded(name: str, check: Check) -> list[Finding]:
    """The findings of a check; one that fails by itself is a finding too, because the others must still be told."""
    found = []
    try:
        for finding in check():
            found.append(finding)
    except Exception as error:
        text = f"this check failed by itself: {type(error).__name__}: {' '.join(str(error).split())}"
        found.append(Finding(name, State.FIX, text, "please report this line, and what kind of machine it is"))
    return found
