from __future__ import annotations

from collections.abc import Callable

import pytest

from openpose_ros.training.config import RunConfig
from openpose_ros.training.cost import rows


@pytest.mark.parametrize("precision", ["fp32", "bf16-pure"])
def test_every_part_of_a_step_is_measured(settings: Callable[..., RunConfig], precision: str) -> None:
    found = list(rows(settings(f"precision={precision}", "photometric.enabled=true"), 1))
    assert [row["what"] for row in found] == [
        "network, one cached batch",
        "with targets and light, one cached batch",
        "with the loader",
    ]
    assert all(row["mean_ms"] > 0.0 and row["crops_per_second"] > 0.0 for row in found)
    assert found[-1]["share"] == 1.0
