"""Questions to processes of their own, so that a library that dies, hangs or talks takes nothing with it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 120.0
"""Seconds that the questions of one process may take together: a small computer reads PyTorch from a slow disk."""

LOG_HEAD = re.compile(r"^\[\w+\] \[[\d.]+\] \[[\w.]+\]: ")
"""What ROS writes before a line of its log."""

Question = tuple[str, ...]
"""The name of one of ``answers.QUESTIONS``, and its arguments."""

START = "import sys; sys.path[:] = {path!r}; from openpose_ros.doctor.answers import main; main({questions!r})"
"""With the path of this process, so that it finds what this one would find."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        facts: by name; empty where there is no answer.
        missing: what was asked for is not installed.
        error: why there is no answer, in words.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    missing: bool = False
    error: str = ""

    @property
    def given(self) -> bool:
        """Whether the question was answered."""
        return not (self.missing or self.error)


def ask_all(groups: Sequence[Sequence[Question]], patience: float = PATIENCE) -> dict[str, Answer]:
    """The answers to all questions, by name. Each group goes through processes of its own, beside the others."""
    with ThreadPoolExecutor(max(1, len(groups))) as pool:
        told = pool.map(lambda group: ask(group, patience), groups)
        return {name: answer for answers in told for name, answer in answers.items()}


def ask(questions: Sequence[Question], patience: float = PATIENCE) -> dict[str, Answer]:
    """The answers to some questions, one after the other in one process; in a new one after a question that ends it."""
    answers: dict[str, Answer] = {}
    left = list(questions)
    while left:
        lines, last_words = _run(left, patience)
        for line in lines[: len(left)]:
            answers[line["question"]] = Answer(line.get("facts", {}), line.get("missing", False), line.get("error", ""))
        left = left[len(lines) :]
        if left:
            answers[left.pop(0)[0]] = Answer(error=last_words)
    return answers


def _run(questions: Sequence[Question], patience: float) -> tuple[list[dict[str, Any]], str]:
    """Lines that a process wrote, and why there are no more of them."""
    code = START.format(path=sys.path, questions=list(questions))
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=patience)
    except subprocess.TimeoutExpired as error:
        return _lines(error.stdout or b""), f"no answer within {patience:g} seconds"
    except OSError as error:
        return [], f"{sys.executable} cannot be started: {error.strerror}"
    return _lines(done.stdout), _last_words(done.returncode, done.stderr)


def _lines(written: bytes) -> list[dict[str, Any]]:
    lines = []
    for line in written.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # the process ended in the middle of it
            break
    return lines


def _last_words(code: int, errors: bytes) -> str:
    words = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    last = f": {LOG_HEAD.sub('', words[-1])}" if words else ""
    if code >= 0:
        return f"its process ended with exit status {code}{last}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"it ends the process with {name}{last}"
