"""Speed and accuracy of every configuration in a table and a picture, from what ``benchmark end-to-end`` has measured.

    python benchmark/pareto.py benchmark/results/end-to-end-*.json --output docs/images/pareto.png

Frames a second are the peak rate through ROS topics; with ``--by cpu`` those that one core would have time for, by the
CPU time of an image, the least of all trials: on a machine that does other things too, only that says something. AP may
come from another run than the speed of the same configuration (``--accuracy-only``). The line joins the configurations
that no other one beats in both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from openpose_ros.benchmark.end_to_end import at_equal_accuracy, with_accuracy

Row = dict[str, Any]

CONFIGURATION = ("decoder", "model", "backend", "precision", "size")

WORDS = {
    "rate": "frames a second, from image topic to poses",
    "cpu": "frames a second of one core: 1000 / CPU milliseconds of the node for an image",
}

MARKERS = {"openpose_ros": "o", "textbook": "s"}


def main() -> int:
    """Read, draw, write; the exit code is 1 if no row has both a rate and an accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, metavar="JSON")
    parser.add_argument("--camera", default="640x480", metavar="WxH", help="size of the images (640x480)")
    parser.add_argument("--by", choices=("rate", "cpu"), default="rate", help="what speed is (rate)")
    parser.add_argument("--output", type=Path, default=Path("docs/images/pareto.png"), metavar="PNG")
    arguments = parser.parse_args()
    tables = [json.loads(path.read_text()) for path in arguments.results]
    found = [row for table in tables for row in table["end_to_end"]]
    print("\n".join(at_equal_accuracy(found)))
    rows = with_accuracy(found)
    rows = [row for row in rows if row["camera"] == arguments.camera and row["fps"]]
    if arguments.by == "cpu":
        rows = least_cpu(rows)
    rows = [row for row in rows if row["mode"] == "peak"]
    print("\n".join(table(rows)))
    rows = [row for row in rows if row.get("AP") is not None]
    if not rows:
        print("pareto: no peak rate with an accuracy; benchmark end-to-end takes --annotations and --images")
        return 1
    hardware = " and ".join(sorted({described(table["hardware"]) for table in tables}))
    if arguments.by == "cpu":
        rows = [{**row, "fps": 1e3 / row["cpu_ms"]} for row in rows]
    draw(rows, f"pose_node on {hardware}, camera {arguments.camera}", WORDS[arguments.by], arguments.output)
    return 0


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of Markdown: accuracy, the peak rate and what there was at it, the network alone."""
    columns = {
        "AP": "AP",
        "frames/s": "fps",
        "latency ms": "latency_ms_median",
        "p95": "latency_ms_p95",
        "network ms": "network_ms_median",
        "overhead %": "overhead_percent",
        "CPU ms an image": "cpu_ms",
        "of the network": "network_cpu_ms",
        "MB": "memory_mb",
    }
    yield " | ".join(["| network, precision", "decoder", "input", *columns, ""]).rstrip()
    yield "| --- " * (3 + len(columns)) + "|"
    for row in sorted(rows, key=lambda row: (row["decoder"], row["model"], row["precision"], row["size"])):
        values = [row.get(name) for name in columns.values()]
        texts = ["-" if value is None else f"{value:.1f}" for value in values]
        yield f"| {row['model']}, {row['precision']} | {row['decoder']} | {row['size']} | {' | '.join(texts)} |"


def least_cpu(rows: Sequence[Row]) -> list[Row]:
    """The rows, each with the least CPU time that an image of its configuration took in any of them."""
    least: dict[tuple[str, ...], float] = {}
    for row in rows:
        key = tuple(row[name] for name in CONFIGURATION)
        least[key] = min(least.get(key, row["cpu_ms"]), row["cpu_ms"])
    return [{**row, "cpu_ms": least[tuple(row[name] for name in CONFIGURATION)]} for row in rows]


def described(hardware: Row) -> str:
    """The processor, and the best instructions that it has for networks."""
    return " with ".join(part for part in (hardware["processor"], hardware.get("instructions")) if part)


def draw(rows: Sequence[Row], title: str, speed: str, output: Path) -> None:
    """A point for each row, one colour for each network, precision and decoder."""
    figure, axes = plt.subplots(figsize=(8.0, 5.0), dpi=150)
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        key = (row["decoder"], row["model"], row["backend"], row["precision"])
        groups.setdefault(key, []).append(row)
    for (decoder, model, backend, precision), some in groups.items():
        name = f"{model}, {backend} {precision}" + (", textbook's decoder" if decoder == "textbook" else "")
        speeds, accuracies = [row["fps"] for row in some], [row["AP"] for row in some]
        axes.scatter(speeds, accuracies, marker=MARKERS[decoder], s=36, label=name, zorder=2)
        for row in some:
            axes.annotate(row["size"], (row["fps"], row["AP"]), xytext=(5, 5), textcoords="offset points", fontsize=7)
    best = front(rows)
    line = [row["fps"] for row in best], [row["AP"] for row in best]
    axes.plot(*line, color="0.6", linewidth=1.0, zorder=1)
    axes.set_xlabel(speed)
    axes.set_ylabel("AP on the evaluation photos")
    axes.set_title(title, fontsize=9)
    axes.margins(0.12)
    axes.grid(color="0.9")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    figure.tight_layout()
    figure.savefig(output)


def front(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other one beats in speed and accuracy, the fastest first."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: (-row["fps"], -row["AP"])):
        if not kept or row["AP"] > kept[-1]["AP"]:
            kept.append(row)
    return kept


if __name__ == "__main__":
    sys.exit(main())
