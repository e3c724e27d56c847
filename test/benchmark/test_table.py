"""Measurements: timed, summed up, shown and saved with what made them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from openpose_ros.benchmark import table
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
    saved = json.loads((tmp_path / "out.json").read_text())
    assert saved["decode"] == rows
    assert saved["command"] == "python -m openpose_ros benchmark decode"
    assert saved["hardware"] == hardware()
    assert set(hardware()) >= {"processor", "python"}


def test_gpus_and_their_driver_belong_to_the_hardware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.04\nGCC version: 13\n")
    names = ["NVIDIA H200", "NVIDIA T4"]
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2, get_device_name=names.__getitem__)
    monkeypatch.setattr(table, "DRIVER", driver)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    found = hardware()
    assert found["gpu"] == names
    assert found["driver"] == "NVIDIA UNIX x86_64 Kernel Module  580.159.04"
    cuda.is_available = lambda: False
    assert "gpu" not in hardware()
