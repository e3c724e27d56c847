"""Fields refuse arrays that do not fit their skeleton, their grids or each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.skeleton import COCO_18

GRID = Grid.fit(64, 96, 64, 96, 8)


def parts(**changes: Any) -> dict[str, Any]:
    return {
        "heatmaps": np.zeros((1, 19, 8, 12), np.float32),
        "pafs": np.zeros((1, 19, 2, 8, 12), np.float32),
        "grids": (GRID,),
        "skeleton": COCO_18,
        **changes,
    }


@pytest.mark.parametrize("channels", [18, 19])
def test_the_background_may_be_there_or_not(channels: int) -> None:
    assert len(Fields(**parts(heatmaps=np.zeros((1, channels, 8, 12))))) == 1


def test_a_batch_is_as_long_as_its_grids() -> None:
    two = parts(heatmaps=np.zeros((2, 18, 8, 12)), pafs=np.zeros((2, 19, 2, 8, 12)), grids=(GRID, GRID))
    assert len(Fields(**two)) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"heatmaps": np.zeros((1, 17, 8, 12))}, "17 heatmaps for the 18 joints of COCO-18"),
        ({"heatmaps": np.zeros((1, 20, 8, 12))}, "20 heatmaps"),
        ({"pafs": np.zeros((1, 18, 2, 8, 12))}, "the 19 limbs of COCO-18"),
        ({"pafs": np.zeros((1, 38, 8, 12))}, "PAFs of shape"),
        ({"pafs": np.zeros((1, 19, 2, 8, 11))}, "PAFs of shape"),
        ({"pafs": np.zeros((2, 19, 2, 8, 12))}, "PAFs of shape"),
        ({"grids": ()}, "0 grids for a batch of 1"),
        ({"grids": (GRID, GRID)}, "2 grids for a batch of 1"),
        ({"grids": (Grid.fit(64, 96, 96, 64, 8),)}, r"fields of \(8, 12\) cells on a grid of \(12, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Fields(**parts(**changes))
