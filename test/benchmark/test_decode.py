"""The decoder's benchmark: one row a stage, size and number of people, beside the textbook decoder."""

from __future__ import annotations

import pytest

from openpose_ros.backends import SyntheticBackend, synthetic_card
from openpose_ros.benchmark import decode
from openpose_ros.benchmark.decode import Plan
from openpose_ros.estimator import Estimator

DECODER = ["peaks", "limbs", "assemble", "decode", "textbook"]


def test_there_is_a_row_for_every_stage_size_and_number_of_people() -> None:
    rows = list(decode.rows(Plan(((64, 96), (96, 64)), (1, 3), 3, None)))
    for size in ("64x96", "96x64"):
        assert [row["people"] for row in rows if row["stage"] == "preprocess" and row["size"] == size] == [None]
        for people in (1, 3):
            stages = [row["stage"] for row in rows if row["size"] == size and row["people"] == people]
            assert [stage for stage in stages if stage in DECODER] == DECODER
    assert not any(row["stage"] == "network" for row in rows)
    for row in rows:
        assert row["median_ms"] > 0
        assert row["median_ms"] <= row["p95_ms"]
        assert ("speedup_vs_textbook" in row) == (row["stage"] in ("decode", "textbook"))


def test_the_speedup_is_the_ratio_within_the_run() -> None:
    rows = {row["stage"]: row for row in decode.rows(Plan(((128, 128),), (4,), 5, None))}
    assert rows["textbook"]["speedup_vs_textbook"] == 1.0
    ratio = rows["textbook"]["median_ms"] / rows["decode"]["median_ms"]
    assert rows["decode"]["speedup_vs_textbook"] == pytest.approx(ratio, abs=0.06)


def test_a_network_is_measured_where_one_is_given() -> None:
    estimator = Estimator(SyntheticBackend(synthetic_card()))
    stages = [row["stage"] for row in decode.rows(Plan(((64, 96),), (1,), 2, estimator))]
    assert stages.count("network") == 1
    estimator.close()


def test_ros_stages_are_measured_where_ros_is() -> None:
    pytest.importorskip("rclpy")
    if decode._ros is None:
        pytest.skip("the messages are not built, or their installation not sourced")
    stages = {row["stage"] for row in decode.rows(Plan(((64, 96),), (1,), 2, None))}
    assert {"convert", "message", "publish"} <= stages


def test_fields_on_a_gpu_are_measured_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")

    class Processor:
        name = "GPU of the test"

        def __init__(self, index: int) -> None:
            assert index == 0

    monkeypatch.setattr(decode, "has_gpu", lambda: True)
    monkeypatch.setattr(decode, "Cuda", Processor)
    monkeypatch.setattr(decode, "on_gpu", torch.from_numpy)
    rows = [row for row in decode.rows(Plan(((64, 96),), (2,), 2, None)) if row["stage"].startswith("gpu ")]
    stages = [row["stage"] for row in rows]
    assert stages == ["gpu peaks", "gpu limbs", "gpu candidates", "gpu array form", "gpu decode"]
    assert all(row["device"] == "GPU of the test" and row["people"] == 2 and row["median_ms"] > 0 for row in rows)
    assert rows[-1]["speedup_vs_textbook"] > 0


def test_without_a_gpu_there_are_no_rows_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "has_gpu", lambda: False)
    assert not any(row["stage"].startswith("gpu ") for row in decode.rows(Plan(((64, 64),), (1,), 1, None)))
