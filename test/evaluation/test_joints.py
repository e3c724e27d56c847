"""The table of joints: right is near or alike, and who was missed counts where it is said so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from openpose_ros.backends.synthetic import group
from openpose_ros.evaluation.joints import joint_table
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, MPI_15

SIZE = (480, 640)
TRUTH = group(*SIZE, COCO_17)


def annotation(who: int, unlabelled: tuple[str, ...] = ()) -> dict[str, Any]:
    xy = TRUTH[who] + 0.5
    left, top, width, height = *xy.min(0), *np.ptp(xy, axis=0)
    seen = np.array([[0.0 if name in unlabelled else 2.0] for name in COCO_17.joints])
    return {
        "iscrowd": 0,
        "num_keypoints": int((seen > 0).sum()),
        "bbox": [left, top, width, height],
        "area": 0.6 * width * height,
        "keypoints": np.concatenate([xy * (seen > 0), seen], 1).ravel().tolist(),
    }


EVERYBODY = [annotation(who) for who in range(3)]


def rows(found: np.ndarray, everybody: list[dict[str, Any]] = EVERYBODY) -> dict[str, Any]:
    people = People.from_arrays(COCO_17, found, SIZE)
    return {row.joint: row for row in joint_table([people], [everybody])}


def test_perfect_people_are_right_everywhere() -> None:
    table = rows(TRUTH)
    assert list(table) == list(COCO_17.joints)
    for row in table.values():
        assert (row.labelled, row.found) == (3, 3)
        assert (row.pck_10, row.pck_20, row.oks_50, row.oks_50_of_all) == (1.0, 1.0, 1.0, 1.0)


def test_a_joint_that_was_not_found_is_a_miss() -> None:
    found = TRUTH.copy()
    found[0, COCO_17.joint("left_wrist")] = np.nan
    table = rows(found)
    assert table["left_wrist"].pck_20 == table["left_wrist"].oks_50 == pytest.approx(2 / 3)
    assert table["right_wrist"].pck_20 == 1.0


def test_a_person_who_was_missed_counts_in_the_last_column_only() -> None:
    row = rows(TRUTH[:2])["nose"]
    assert (row.labelled, row.found) == (3, 2)
    assert (row.pck_10, row.oks_50) == (1.0, 1.0)
    assert row.oks_50_of_all == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("sides", "pck_10", "pck_20"), [(0.099, 1.0, 1.0), (0.101, 0.0, 1.0), (0.199, 0.0, 1.0), (0.201, 0.0, 0.0)]
)
def test_pck_is_counted_in_longer_sides_of_the_box(sides: float, pck_10: float, pck_20: float) -> None:
    found = TRUTH[:1].copy()
    joint = COCO_17.joint("left_ankle")
    found[0, joint, 0] += sides * max(EVERYBODY[0]["bbox"][2:])
    row = rows(found, EVERYBODY[:1])["left_ankle"]
    assert (row.pck_10, row.pck_20) == (pck_10, pck_20)


@pytest.mark.parametrize(("share", "right"), [(0.99, 1.0), (1.01, 0.0)])
@pytest.mark.parametrize("name", ["nose", "left_hip"])
def test_similarity_is_coco_s_of_a_single_joint(name: str, share: float, right: float) -> None:
    found, joint = TRUTH[:1].copy(), COCO_17.joint(name)
    # exp(-d^2 / (2 area (2 sigma)^2)) is a half at this distance.
    half = 2.0 * COCO_17.sigmas[joint] * np.sqrt(2.0 * np.log(2.0) * EVERYBODY[0]["area"])
    found[0, joint, 1] += share * half
    assert rows(found, EVERYBODY[:1])[name].oks_50 == right


def test_joints_without_a_label_are_not_judged() -> None:
    table = rows(TRUTH[:1], [annotation(0, unlabelled=("nose",))])
    assert table["nose"].labelled == 0
    assert np.isnan([table["nose"].pck_10, table["nose"].oks_50, table["nose"].oks_50_of_all]).all()
    assert table["left_eye"].oks_50 == 1.0


def test_nobody_to_be_found_leaves_nothing_to_say() -> None:
    table = joint_table([People.empty(COCO_17, SIZE)], [[]])
    assert all(row.labelled == 0 and np.isnan(row.oks_50_of_all) for row in table)


def test_joints_that_the_skeleton_lacks_are_misses() -> None:
    people = People.from_arrays(MPI_15, group(*SIZE, MPI_15), SIZE)
    table = {row.joint: row for row in joint_table([people], [EVERYBODY])}
    assert table["nose"].oks_50_of_all == table["left_ear"].oks_50_of_all == 0.0
    assert table["left_wrist"].oks_50_of_all == 1.0
