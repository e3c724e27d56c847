"""Rows of measurements: how they are summed up, shown and saved."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.machine import LIMIT, cpu_features

WIDEST = {
    "SSE4.1": "sse4_1",
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "AVX-512 VNNI": "avx512_vnni",
    "AVX-512 BF16": "avx512_bf16",
    "AMX": "amx_int8",
}
"""Instructions that networks are computed with, and Linux's names for them, the best ones last."""

DRIVER = Path("/proc/driver/nvidia/version")


def timed(action: Callable[[], Any], repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` calls, after one that does not count."""
    action()
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        spent.append(1e3 * (time.perf_counter() - began))
    return spent


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, rounded to microseconds."""
    median, late = np.percentile(milliseconds, (50, 95))
    return {"median_ms": round(float(median), 3), "p95_ms": round(float(late), 3)}


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A text table; a missing entry is a dash."""
    texts = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in [columns, *texts]]
    return "\n".join(lines)


def save(path: Path, name: str, rows: Sequence[dict[str, Any]], command: str) -> None:
    """JSON with the rows under ``name``, the command that made them and the hardware it ran on."""
    path.write_text(json.dumps({"command": command, "hardware": hardware(), name: list(rows)}, indent=1) + "\n")


def hardware() -> dict[str, Any]:
    """Processor and software, in words, the best instructions of x86 that it has, and to which it was limited; GPUs
    where PyTorch was loaded and sees some."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = f"{len(names)} x {names[0]}" if names else model
    found: dict[str, Any] = {"processor": model, "python": platform.python_version(), "system": platform.system()}
    known = [name for name, flag in WIDEST.items() if flag in cpu_features()]
    if known:
        found["instructions"] = known[-1]
    if limit := os.environ.get(LIMIT):
        found["instructions_limited_to"] = limit
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        if DRIVER.is_file():
            found["driver"] = DRIVER.read_text().partition("\n")[0].removeprefix("NVRM version:").strip()
    return found


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
