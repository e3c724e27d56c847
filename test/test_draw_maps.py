"""Maps over pictures: the right one, in the right place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openpose_ros.draw_maps import Shown, draw_maps, shown
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18

GRID = Grid.short_side(300, 400, 150, 8)
BLACK = np.zeros((300, 400, 3), np.uint8)
ELBOW, WRIST = COCO_18.joint("left_elbow"), COCO_18.joint("left_wrist")


@pytest.fixture
def fields() -> Fields:
    person = np.full((1, 18, 2), np.nan)
    person[0, ELBOW], person[0, WRIST] = (100.0, 200.0), (260.0, 200.0)
    return render(person, GRID, COCO_18)


def middle(picture: np.ndarray) -> tuple[float, float]:
    """x and y of the middle of what was drawn on black."""
    weight = picture.astype(float).sum(-1)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("people", Shown("people")),
        ("heatmaps", Shown("heat", tuple(range(18)))),
        ("pafs", Shown("pafs", tuple(range(19)))),
        ("background", Shown("background", (18,))),
        ("left_wrist", Shown("heat", (7,))),
        ("7", Shown("heat", (7,))),
        ("left_elbow-left_wrist", Shown("pafs", (12,))),
        ("left_wrist-left_elbow", Shown("pafs", (12,))),
    ],
)
def test_maps_are_found_by_name(text: str, what: Shown) -> None:
    assert shown(text, COCO_18) == what
    if what.kind == "pafs" and len(what.channels) == 1:
        assert COCO_18.limbs[12] == (ELBOW, WRIST)


@pytest.mark.parametrize("text", ["", "left_hand", "18", "nose-left_wrist", "-1"])
def test_what_a_skeleton_does_not_have_is_refused_with_what_it_has(text: str) -> None:
    with pytest.raises(ValueError, match=r"render is '.*'; expected people, heatmaps.*neck-right_hip.*left_wrist"):
        shown(text, COCO_18)


def test_a_joint_s_heat_lies_on_the_joint(fields: Fields) -> None:
    picture = draw_maps(BLACK, fields, shown("left_wrist", COCO_18), 1.0)
    assert middle(picture) == (pytest.approx(260.0, abs=1.5), pytest.approx(200.0, abs=1.5))
    both = draw_maps(BLACK, fields, shown("heatmaps", COCO_18), 1.0)
    assert both[200, 100].any() and both[200, 260].any() and not both[60, 180].any()
    nothing = draw_maps(BLACK, fields, shown("nose", COCO_18), 1.0)
    assert not nothing.any()


def test_offsets_of_the_network_are_taken_out(fields: Fields) -> None:
    off = replace(fields, heat_offset=(1.0, -0.5))
    x, y = middle(draw_maps(BLACK, off, shown("left_wrist", COCO_18), 1.0))
    assert (x, y) == (pytest.approx(260.0 - 16.0, abs=1.5), pytest.approx(200.0 + 8.0, abs=1.5))
    limb = shown("left_elbow-left_wrist", COCO_18)
    straight = middle(draw_maps(BLACK, fields, limb, 1.0))
    moved = middle(draw_maps(BLACK, replace(off, paf_offset=0.25), limb, 1.0))
    assert moved[0] - straight[0] == pytest.approx(-20.0, abs=2.0)
    assert moved[1] - straight[1] == pytest.approx(4.0, abs=2.0)


def test_a_limb_s_colour_is_its_direction(fields: Fields) -> None:
    right = draw_maps(BLACK, fields, shown("pafs", COCO_18), 1.0)[200, 180]
    turned = replace(fields, pafs=-fields.pafs)
    left = draw_maps(BLACK, turned, shown("pafs", COCO_18), 1.0)[200, 180]
    assert right[2] > 200 and right[:2].max() < 60, "to the right is red"
    assert left[:2].min() > 200 and left[2] < 60, "to the left is cyan"


def test_opacity_says_how_much_of_the_picture_stays(fields: Fields) -> None:
    grey = np.full_like(BLACK, 100)
    what = shown("left_wrist", COCO_18)
    np.testing.assert_array_equal(draw_maps(grey, fields, what, 0.0), grey)
    half, whole = (draw_maps(grey, fields, what, amount)[200, 260].astype(int) for amount in (0.5, 1.0))
    np.testing.assert_allclose(half, (100 + whole) / 2, atol=2)
    assert (draw_maps(grey, fields, what, 1.0)[10, 10] == 100).all()


def test_a_background_that_is_not_there_is_refused(fields: Fields) -> None:
    bare = replace(fields, heatmaps=fields.heatmaps[:, :18])
    with pytest.raises(ValueError, match="without a background map"):
        draw_maps(BLACK, bare, shown("background", COCO_18), 1.0)
    assert draw_maps(BLACK, fields, shown("background", COCO_18), 1.0)[10, 10].any()
