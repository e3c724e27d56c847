"""Completion: missing joints come back near the truth, seen ones stay, nothing leaves the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode import decode
from openpose_ros.decode.complete import Shape, complete, predict, shape_of
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.people import JointState, People
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, MPI_15, Skeleton

Places = npt.NDArray[np.float64]

GRID = Grid.fit(480, 640, 368, 496, 8)
FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def drawn(truth: Places, heat: float = 1.0, grid: Grid = GRID) -> Fields:
    fields = render(truth, grid, COCO_18)
    return replace(fields, heatmaps=heat * fields.heatmaps)


def without(truth: Places, *names: str) -> Places:
    seen = truth.copy()
    seen[:, [COCO_18.joint(name) for name in names]] = np.nan
    return seen


def completed(seen: Places, fields: Fields) -> People:
    """People decoded where only ``seen`` is drawn, completed on the heat of ``fields``."""
    found = decode(drawn(seen), DecodeOptions())[0]
    return complete(found, fields, 0)


def size_of(person: Places) -> float:
    return float(np.ptp(person[:, 1]))


REMOVED = [
    ("left_wrist",),
    ("right_ankle", "left_ankle"),
    FACE,
    ("left_elbow", "left_wrist", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
]


@pytest.mark.parametrize("removed", REMOVED, ids=lambda names: names[0] if len(names) == 1 else f"{len(names)} joints")
def test_without_any_heat_missing_joints_come_back_near_where_bodies_have_them(removed: tuple[str, ...]) -> None:
    truth = crowd(4, 480, 640, seed=2)
    seen = without(truth, *removed)
    found = completed(seen, drawn(seen))
    assert len(found) == len(truth)
    for person in truth:
        match = int(np.abs(found.xy[:, 1] - person[1]).max(-1).argmin())
        for name in removed:
            joint = COCO_18.joint(name)
            assert found.state[match, joint] == JointState.COMPLETED
            # Real bodies vary; these stand upright and face the camera.
            assert np.hypot(*(found.xy[match, joint] - person[joint])) < 0.1 * size_of(person)


@pytest.mark.parametrize("removed", REMOVED, ids=lambda names: names[0] if len(names) == 1 else f"{len(names)} joints")
def test_what_little_heat_there_is_decides(removed: tuple[str, ...]) -> None:
    truth = crowd(4, 480, 640, seed=2)
    found = completed(without(truth, *removed), drawn(truth, heat=0.05))
    for person in truth:
        match = int(np.abs(found.xy[:, 1] - person[1]).max(-1).argmin())
        for name in removed:
            joint = COCO_18.joint(name)
            assert found.state[match, joint] == JointState.COMPLETED
            assert np.hypot(*(found.xy[match, joint] - person[joint])) < 0.4 * GRID.pixels_per_cell
            assert 0.02 < found.score[match, joint] <= 0.05


def test_joints_that_were_seen_stay_untouched() -> None:
    truth = crowd(3, 480, 640, seed=4)
    fields = drawn(without(truth, "left_wrist", "nose"))
    before = decode(fields, DecodeOptions())[0]
    after = decode(fields, DecodeOptions(complete=True))[0]
    np.testing.assert_array_equal(after.xy[before.known], before.xy[before.known])
    np.testing.assert_array_equal(after.score[before.known], before.score[before.known])
    np.testing.assert_array_equal(after.state[before.known], JointState.SEEN)
    np.testing.assert_array_equal(after.person_score, before.person_score)
    np.testing.assert_array_equal(after.limb_score, before.limb_score)
    assert (after.state[~before.known] == JointState.COMPLETED).all()


def test_people_who_have_everything_are_left_as_they_are() -> None:
    fields = drawn(crowd(2, 480, 640, seed=4))
    before, after = decode(fields, DecodeOptions())[0], decode(fields, DecodeOptions(complete=True))[0]
    np.testing.assert_array_equal(after.xy, before.xy)
    np.testing.assert_array_equal(after.state, before.state)


def test_a_joint_without_heat_scores_nothing() -> None:
    found = completed(without(crowd(1, 480, 640), "left_wrist"), drawn(without(crowd(1, 480, 640), "left_wrist")))
    assert found.score[0, COCO_18.joint("left_wrist")] == 0.0


def test_joints_that_were_hardly_seen_are_placed_anew() -> None:
    truth = crowd(1, 480, 640, seed=4)
    wrist = COCO_18.joint("left_wrist")
    found = decode(drawn(truth), DecodeOptions())[0]
    score, xy = found.score.copy(), found.xy.copy()
    score[0, wrist], xy[0, wrist] = 0.02, (5.0, 5.0)
    after = complete(replace(found, score=score, xy=xy), drawn(truth, heat=0.05), 0)
    assert after.state[0, wrist] == JointState.COMPLETED
    assert np.hypot(*(after.xy[0, wrist] - truth[0, wrist])) < GRID.pixels_per_cell


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(2, 6), st.integers(40, 900), st.integers(40, 900), st.booleans(), st.booleans()
)
def test_no_joint_leaves_the_picture(
    seed: int, known: int, height: int, width: int, centred: bool, noisy: bool
) -> None:
    random = np.random.default_rng(seed)
    grid = Grid.fit(height, width, 160, 224, 8, centred)
    xy = np.full((3, 18, 2), np.nan)
    for person in xy:  # anywhere, as no body has them
        person[random.choice(18, known, replace=False)] = random.uniform(0, (width - 1, height - 1), (known, 2))
    heatmaps = np.zeros((1, 18, 20, 28), np.float32)
    if noisy:
        heatmaps = random.random(heatmaps.shape, np.float32)
    fields = Fields(heatmaps, np.zeros((1, 19, 2, 20, 28), np.float32), (grid,), COCO_18, heat_offset=(0.2, -0.1))
    people = People.from_arrays(COCO_18, xy, (height, width))
    after = complete(replace(people, limb_score=np.ones((3, 19), np.float32)), fields, 0)
    assert after.known.all()
    assert np.isfinite(after.xy).all()
    assert ((after.score >= 0) & (after.score <= 1)).all()
    new = after.xy[after.state == JointState.COMPLETED]
    room = 1e-3 * max(height, width)
    assert (new >= -0.5 - room).all()
    assert (new <= (width - 0.5 + room, height - 0.5 + room)).all()


def test_nobody_stays_nobody() -> None:
    nobody = People.empty(COCO_18, (480, 640))
    assert len(complete(nobody, drawn(crowd(1, 480, 640)), 0)) == 0


def test_each_image_of_a_batch_is_completed_from_its_own_heat() -> None:
    truth = crowd(1, 480, 640, seed=1), crowd(1, 480, 640, seed=2)
    seen = [drawn(without(person, "left_wrist")) for person in truth]
    other = [drawn(person, 0.05) for person in truth]
    batch = replace(
        seen[0],
        heatmaps=np.maximum(
            np.concatenate([fields.heatmaps for fields in seen]), np.concatenate([fields.heatmaps for fields in other])
        ),
        pafs=np.concatenate([fields.pafs for fields in seen]),
        grids=(GRID, GRID),
    )
    wrist = COCO_18.joint("left_wrist")
    for person, found in zip(truth, decode(batch, DecodeOptions(heat_threshold=0.1, complete=True)), strict=True):
        assert found.state[0, wrist] == JointState.COMPLETED
        assert np.hypot(*(found.xy[0, wrist] - person[0, wrist])) < 0.4 * GRID.pixels_per_cell


def test_the_heat_offset_is_taken_out_of_completed_joints_too() -> None:
    truth, offset = crowd(1, 480, 640), (0.4, -0.3)
    shifted = GRID.to_image(GRID.to_cells(truth) + offset)
    wrist = COCO_18.joint("left_wrist")
    strong, weak = drawn(without(shifted, "left_wrist")), drawn(shifted, 0.05)
    fields = replace(strong, heatmaps=np.maximum(strong.heatmaps, weak.heatmaps), heat_offset=offset)
    found = decode(fields, DecodeOptions(heat_threshold=0.1, complete=True))[0]
    assert np.hypot(*(found.xy[0, wrist] - truth[0, wrist])) < 0.4 * GRID.pixels_per_cell


def test_a_skeleton_whose_shape_nobody_learned_is_refused_by_name() -> None:
    pair = Skeleton("pair of points", ("a", "b"), ((0, 1),))
    with pytest.raises(ValueError, match="complete: no body shape was learned for the skeleton pair of points"):
        shape_of(pair)
    with pytest.raises(ValueError, match="MPI-15"):
        decode(render(crowd(1, 480, 640, MPI_15), GRID, MPI_15), DecodeOptions(complete=True))


def test_a_learned_shape_is_a_body() -> None:
    shape = shape_of(COCO_18)
    assert shape.mean.shape == (18, 2)
    assert shape.covariance.shape == (36, 36)
    np.testing.assert_allclose(shape.mean.mean(0), 0.0, atol=1e-5)
    assert np.square(shape.mean).sum() == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(shape.covariance, shape.covariance.T, atol=1e-6)
    assert np.linalg.eigvalsh(shape.covariance).min() > -1e-6
    heights = {name: shape.mean[COCO_18.joint(name), 1] for name in COCO_18.joints}
    assert heights["nose"] < heights["neck"] < heights["left_hip"] < heights["left_knee"] < heights["left_ankle"]
    right, left = shape.mean[COCO_18.joint("right_shoulder")], shape.mean[COCO_18.joint("left_shoulder")]
    assert right[0] == pytest.approx(-left[0], abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(0.01, 100))
def test_predictions_move_and_grow_with_the_person(seed: int, dx: float, dy: float, factor: float) -> None:
    random = np.random.default_rng(seed)
    seen = crowd(2, 480, 640, seed=seed % 50)
    known = random.random((2, 18)) < 0.5
    known[:, :2] = True
    place, deviation = predict(seen, known, shape_of(COCO_18))
    moved, same = predict(factor * seen + (dx, dy), known, shape_of(COCO_18))
    np.testing.assert_allclose(moved, factor * place + (dx, dy), atol=1e-4 * factor * 480 + 1e-6)
    np.testing.assert_allclose(same, factor * deviation, rtol=1e-3)


def test_predictions_are_sure_of_what_was_seen_and_less_so_of_the_rest() -> None:
    seen = crowd(1, 480, 640)
    known = np.ones((1, 18), bool)
    known[0, [4, 10]] = False
    place, deviation = predict(seen, known, shape_of(COCO_18))
    np.testing.assert_allclose(place[known], seen[known], atol=0.05 * 480)
    assert deviation[0, [4, 10]].min() > 2 * deviation[known].max()
    fewer = known.copy()
    fewer[0, [2, 3, 8, 9]] = False
    assert (predict(seen, fewer, shape_of(COCO_18))[1][0, [4, 10]] > deviation[0, [4, 10]]).all()


def test_predictions_do_not_look_at_what_is_unknown() -> None:
    seen = crowd(1, 480, 640)
    known = np.ones((1, 18), bool)
    known[0, 4] = False
    broken = seen.copy()
    broken[0, 4] = np.nan
    for first, second in zip(
        predict(seen, known, shape_of(COCO_18)), predict(broken, known, shape_of(COCO_18)), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_two_joints_are_enough() -> None:
    shape = Shape(shape_of(COCO_18).mean, shape_of(COCO_18).covariance)
    known = np.zeros((1, 18), bool)
    known[0, [1, 8]] = True
    place, deviation = predict(crowd(1, 480, 640), known, shape)
    assert np.isfinite(place).all()
    assert np.isfinite(deviation).all()
