"""Measurements: timed, summed up, shown and saved with what made them."""

from __future__ import annotations

import json
from pathlib import Path

from openpose_ros.benchmark.table import hardware, save, show, summary, timed


def test_every_call_but_the_first_is_timed() -> None:
    calls = []
    spent = timed(lambda: calls.append(1), 5)
    assert len(spent) == 5
    assert len(calls) == 6
    assert all(value >= 0 for value in spent)


def test_a_summary_is_the_median_and_the_95th_percentile() -> None:
    assert summary([float(value) for value in range(101)]) == {"median_ms": 50.0, "p95_ms": 95.0}
    assert summary([1.23456]) == {"median_ms": 1.235, "p95_ms": 1.235}


def test_a_table_has_a_head_aligned_columns_and_dashes() -> None:
    lines = show([{"stage": "peaks", "ms": 1.5}, {"stage": "x", "people": 100}], ("stage", "people", "ms")).splitlines()
    assert lines == ["stage  people     ms", "peaks       -  1.500", "    x     100      -"]


def test_a_table_without_rows_is_its_head() -> None:
    assert show([], ("stage", "ms")) == "stage  ms"


def test_rows_are_saved_with_the_command_and_the_hardware(tmp_path: Path) -> None:
    rows = [{"stage": "peaks", "people": None, "median_ms": 1.5}]
    save(tmp_path / "out.json", "decode", rows, "python -m openpose_ros benchmark decode")
    table = json.loads((tmp_path / "out.json").read_text())
    assert table["decode"] == rows
    assert table["command"] == "python -m openpose_ros benchmark decode"
    assert table["hardware"] == hardware()
    assert set(hardware()) >= {"processor", "python"}
