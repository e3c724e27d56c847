"""``doctor``: exit status, table and JSON, on machines that answer anything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from openpose_ros.commands import doctor
from openpose_ros.doctor import examination
from openpose_ros.doctor.ask import Answer, Question
from openpose_ros.doctor.examination import examine, questions

RUNS = Answer({"backend": "torch", "device": "cpu", "precision": "float32", "said": "torch runs lightweight on cpu"})


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer, **named: Answer) -> None:
    def ask(groups: Sequence[Sequence[Question]]) -> Mapping[str, Answer]:
        return {question[0]: named.get(question[0], answer) for group in groups for question in group}

    monkeypatch.setattr(examination, "examine", lambda model: examine(model, {}, ask))


@pytest.mark.parametrize("answer", [Answer(missing=True), Answer(error="it ends the process with SIGILL")], ids=str)
def test_a_machine_where_nothing_works_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    answering(monkeypatch, answer)
    assert doctor.main([]) == 1
    told = capsys.readouterr().out
    assert "No network runs here." in told
    assert "failed by itself" not in told


def test_a_machine_that_runs_a_network_is_well_whatever_else_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, Answer(error="it ends the process with SIGSEGV"), network=RUNS)
    assert doctor.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["can_run"] is True
    assert told["with"] == "torch on cpu in float32"
    broken = [row for row in told["findings"] if row["state"] == "fix"]
    assert broken
    assert all(row["remedy"] for row in broken)


def test_the_model_that_is_named_is_the_one_that_is_tried() -> None:
    asked: list[Question] = []

    def ask(groups: Sequence[Sequence[Question]]) -> Mapping[str, Answer]:
        asked.extend(question for group in groups for question in group)
        return {question[0]: Answer(missing=True) for group in questions("") for question in group}

    examine("mine.yaml", {}, ask)
    assert ("network", "mine.yaml") in asked
    assert ("model", "mine.yaml") in asked


@pytest.mark.long
def test_this_machine_runs_a_network() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "openpose_ros", "doctor", "--json"], capture_output=True, text=True, timeout=100
    )
    told = json.loads(run.stdout)
    assert run.returncode == 0
    assert told["can_run"] is True
    assert not [row for row in told["findings"] if "failed by itself" in row["found"]]
