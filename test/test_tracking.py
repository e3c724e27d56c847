"""Ids stay with people: through crossings, gaps, missing joints and time that jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros import tracking
from openpose_ros.backends.synthetic import STANDING
from openpose_ros.benchmark import walk
from openpose_ros.benchmark.tracking import mistakes
from openpose_ros.options import TrackOptions
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import COCO_17, COCO_18, SKELETONS, Skeleton
from openpose_ros.tracking import MAX_LOST, UNTRACKED, Tracker, joint_similarity

SIZE = (480, 640)
UPPER = ("nose", "neck", "right_shoulder", "left_shoulder", "right_elbow", "left_elbow")
LOWER = ("right_knee", "left_knee", "right_ankle", "left_ankle")


def standing(x: float, height: float = 200.0, top: float = 100.0, skeleton: Skeleton = COCO_18) -> npt.NDArray[Any]:
    """(J, 2) somebody upright around the column x."""
    figure = np.array([STANDING[name] for name in skeleton.joints])
    return np.asarray(figure * height + (x, top))


def only(xy: npt.NDArray[Any], joints: Sequence[str], skeleton: Skeleton = COCO_18) -> npt.NDArray[Any]:
    """The same person of whom nothing but these joints is known."""
    known = np.isin(skeleton.joints, joints)
    return np.where(known[:, None], xy, np.nan)


def people(*bodies: npt.NDArray[Any], skeleton: Skeleton = COCO_18) -> People:
    return People.from_arrays(skeleton, np.array(bodies).reshape(-1, len(skeleton.joints), 2), SIZE)


def ids(tracker: Tracker, stamp: float, *bodies: npt.NDArray[Any]) -> list[int]:
    return tracker(people(*bodies), stamp).id.tolist()


# Who gets which id.


def test_ids_count_from_one_in_the_order_of_the_people() -> None:
    assert ids(Tracker(), 0.0, standing(100), standing(300), standing(500)) == [1, 2, 3]


def test_ids_follow_people_whatever_their_order() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100), standing(300), standing(500)) == [1, 2, 3]
    assert ids(tracker, 0.1, standing(505), standing(103), standing(298)) == [3, 1, 2]


def test_nothing_of_the_people_changes_but_their_ids() -> None:
    before = people(standing(100), only(standing(300), UPPER))
    after = Tracker()(before, 0.0)
    assert after.id.dtype == np.int32
    np.testing.assert_array_equal(before.id, [UNTRACKED, UNTRACKED])
    for name in ("xy", "score", "state", "person_score"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_images_without_people_come_and_go() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0) == []
    assert ids(tracker, 0.1, standing(100)) == [1]
    assert ids(tracker, 0.2) == []
    assert ids(tracker, 0.3, standing(100)) == [1]


def test_two_who_cross_keep_their_ids() -> None:
    tracker = Tracker()
    for frame in range(40):
        stamp = frame / 10.0
        a, b = 100.0 + 110.0 * stamp, 500.0 - 100.0 * stamp
        assert ids(tracker, stamp, standing(a), standing(b, 190.0)) == [1, 2], stamp


def test_two_who_merge_into_one_while_they_cross_keep_their_ids() -> None:
    tracker = Tracker()
    for frame in range(60):
        stamp = frame / 15.0
        a, b = 100.0 + 110.0 * stamp, 500.0 - 100.0 * stamp
        if abs(a - b) < 25.0:
            tracker(people(standing(a)), stamp)
        else:
            assert ids(tracker, stamp, standing(a), standing(b, 190.0)) == [1, 2], stamp


def test_an_occlusion_is_survived_where_the_walker_is_expected() -> None:
    tracker = Tracker()
    for frame in range(30):
        ids(tracker, frame / 30.0, standing(100 + 4 * frame))
    assert ids(tracker, 2.0, standing(100 + 4 * 60), standing(100 + 4 * 29)) == [1, 2]


def test_who_comes_back_after_the_memory_is_somebody_new() -> None:
    tracker = Tracker(TrackOptions(track_memory=1.0))
    assert ids(tracker, 0.0, standing(100)) == [1]
    assert ids(tracker, 0.9, standing(100)) == [1]
    assert ids(tracker, 2.0, standing(100)) == [2]
    for frame in range(12):
        ids(tracker, 2.1 + 0.1 * frame)
    assert ids(tracker, 3.3, standing(100)) == [3]


def test_who_appears_elsewhere_is_somebody_new() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100)) == [1]
    assert ids(tracker, 0.1, standing(400)) == [2]
    assert ids(tracker, 0.2, standing(400), standing(100)) == [2, 1]


def test_pairs_below_the_least_similarity_are_never_made() -> None:
    for least, expected in ((0.01, [1]), (0.999, [2])):
        tracker = Tracker(TrackOptions(track_min_similarity=least))
        ids(tracker, 0.0, standing(100))
        assert ids(tracker, 0.1, standing(112)) == expected
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100), standing(160)) == [1, 2]
    assert ids(tracker, 0.1, standing(161), standing(600)) == [2, 3]


def test_a_duplicate_gets_an_id_of_its_own_and_leaves_that_of_the_person_alone() -> None:
    tracker = Tracker()
    for frame in range(10):
        body = standing(100 + 3 * frame)
        both = [body, body] if frame % 2 else [body]
        found = ids(tracker, 0.1 * frame, *both)
        assert 1 in found
        assert len(set(found)) == len(found)
        if frame % 2 == 0:
            assert found == [1]


def test_a_few_joints_far_astray_do_not_lose_the_person() -> None:
    tracker = Tracker()
    random = np.random.default_rng(0)
    for frame in range(40):
        body = standing(100 + 3 * frame) + random.normal(0.0, 2.0, (18, 2))
        body[random.integers(0, 18, 4)] += random.normal(0.0, 200.0, (4, 2))
        assert ids(tracker, frame / 15.0, body, standing(400)) == [1, 2]


def test_joints_astray_do_not_mislead_the_expectation() -> None:
    tracker = Tracker()
    for frame in range(31):
        body = standing(100 + 4 * frame)
        if frame == 30:
            body[:6, 0] += 150.0
        ids(tracker, frame / 30.0, body)
    assert ids(tracker, 1.7, standing(100 + 4 * 51 + 60), standing(100 + 4 * 51)) == [2, 1]


def test_people_so_far_away_that_a_pixel_is_much_are_followed() -> None:
    tracker = Tracker()
    random = np.random.default_rng(0)
    for frame in range(40):
        bodies = [standing(x, 10.0) + random.normal(0.0, 1.8, (18, 2)) for x in (100, 112)]
        assert ids(tracker, frame / 30.0, *bodies) == [1, 2]


def test_the_whole_body_has_the_id_and_not_a_piece_of_it() -> None:
    tracker = Tracker()
    for frame in range(5):
        ids(tracker, 0.1 * frame, standing(100))
    whole = standing(100) + np.random.default_rng(0).normal(0.0, 3.0, (18, 2))
    assert ids(tracker, 0.5, only(standing(100), ("neck", "right_shoulder")), whole) == [2, 1]


def test_upper_and_lower_body_in_turn_are_one_person() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100)) == [1]
    for frame in range(1, 12):
        part = UPPER if frame % 2 else LOWER
        assert ids(tracker, 0.1 * frame, only(standing(100 + 5 * frame), part)) == [1]


def test_a_lower_body_belongs_below_the_upper_body_seen_before() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, only(standing(100), UPPER), only(standing(300), UPPER)) == [1, 2]
    assert ids(tracker, 0.1, only(standing(300), LOWER), only(standing(100), LOWER)) == [2, 1]


@pytest.mark.parametrize("joints", [("neck", "nose"), ("right_eye", "right_ear"), ("left_knee", "left_ankle")])
def test_people_of_two_joints_are_followed(joints: tuple[str, str]) -> None:
    tracker = Tracker()
    for frame in range(20):
        bodies = [only(standing(x + 4 * frame), joints) for x in (100, 200, 300)]
        assert ids(tracker, frame / 15.0, *bodies) == [1, 2, 3]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_every_skeleton_is_followed_at_every_distance(skeleton: Skeleton, scale: float) -> None:
    tracker = Tracker()
    for frame in range(10):
        bodies = [scale * standing(x + 6 * frame, skeleton=skeleton) for x in (100, 250)]
        assert tracker(people(*bodies, skeleton=skeleton), 0.1 * frame).id.tolist() == [1, 2]


def test_a_skeleton_whose_joints_nobody_knows_is_followed_too() -> None:
    hand = Skeleton("hand", ("palm", "thumb", "index", "little"), ((0, 1), (0, 2), (0, 3)))
    tracker = Tracker()
    shape = np.array([(0.0, 0.0), (-20.0, -10.0), (5.0, -40.0), (20.0, -30.0)])
    for frame in range(10):
        bodies = [shape + np.array([x + 3 * frame, 200.0]) for x in (100.0, 400.0)]
        assert tracker(people(*bodies, skeleton=hand), 0.1 * frame).id.tolist() == [1, 2]


def test_somebody_without_joints_is_nobody_that_was_seen_before() -> None:
    tracker = Tracker()
    nothing = np.full((18, 2), np.nan)
    assert ids(tracker, 0.0, nothing, standing(100)) == [1, 2]
    assert ids(tracker, 0.1, standing(100), nothing) == [2, 3]


def test_joints_without_a_finite_place_are_not_looked_at() -> None:
    tracker = Tracker()
    ids(tracker, 0.0, standing(100))
    broken = people(standing(103))
    xy = broken.xy.copy()
    xy[0, 3] = np.inf, 5.0
    xy[0, 4] = np.nan
    with np.errstate(invalid="raise"):
        after = tracker(replace(broken, xy=xy, state=np.full((1, 18), JointState.SEEN, np.uint8)), 0.1)
    assert after.id.tolist() == [1]
    assert ids(tracker, 0.2, standing(106)) == [1]


# Time.


@pytest.mark.parametrize("rate", [30.0, 10.0, 5.0, 2.0])
def test_walkers_are_followed_at_every_rate(rate: float) -> None:
    walks, stands = ((0.0, -2.0, 4.5), (4.0, 2.0, 4.5)), ((0.0, 1.5, 7.0), (4.0, 1.5, 7.0))
    scene = walk.Scene((walk.Walker(walks), walk.Walker(stands)), 4.0)
    found = mistakes(list(walk.moments(scene, rate)), Tracker())
    assert found == {"people": 2, "switches": 0, "fragments": 0, "shared": 0}


def test_lost_images_are_bridged_by_the_speed() -> None:
    tracker = Tracker()
    for stamp in (0.0, 0.1, 0.2, 0.3, 0.4, 0.9, 1.0, 1.6):
        assert ids(tracker, stamp, standing(100 + 100 * stamp), standing(400 - 100 * stamp)) == [1, 2]


def test_two_images_of_the_same_stamp_are_two_looks_at_one_moment() -> None:
    tracker = Tracker(TrackOptions(smooth=True))
    with np.errstate(all="raise", under="ignore"):
        for _ in range(5):
            assert ids(tracker, 7.0, standing(100), standing(300)) == [1, 2]
            assert ids(tracker, 7.0, standing(302), standing(101)) == [2, 1]
    assert ids(tracker, 7.1, standing(100)) == [1]


def test_time_that_jumps_back_begins_anew_and_goes_on() -> None:
    tracker = Tracker()
    assert ids(tracker, 100.0, standing(100)) == [1]
    assert ids(tracker, 5.0, standing(100)) == [2]
    assert ids(tracker, 5.1, standing(102)) == [2]


def test_a_long_pause_forgets_everybody() -> None:
    tracker = Tracker()
    ids(tracker, 0.0, standing(100))
    assert ids(tracker, 1e9, standing(100)) == [2]


@pytest.mark.parametrize("stamp", [np.nan, np.inf, -np.inf])
def test_a_stamp_that_is_no_time_is_refused_and_nothing_is_lost(stamp: float) -> None:
    tracker = Tracker()
    ids(tracker, 0.0, standing(100))
    with pytest.raises(ValueError, match=f"stamp of an image is {stamp}; expected a finite number"):
        tracker(people(standing(100)), stamp)
    assert ids(tracker, 0.1, standing(100)) == [1]


# Ids are for ever, memory is not.


def test_reset_forgets_people_but_not_which_ids_were_given() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100), standing(300)) == [1, 2]
    tracker.reset()
    assert ids(tracker, 0.1, standing(100)) == [3]
    tracker.reset()
    tracker.reset()
    assert ids(tracker, 0.0, standing(100)) == [4]


def test_another_skeleton_begins_anew() -> None:
    tracker = Tracker()
    assert ids(tracker, 0.0, standing(100)) == [1]
    other = people(standing(100, skeleton=COCO_17), skeleton=COCO_17)
    assert tracker(other, 0.1).id.tolist() == [2]
    assert tracker(other, 0.2).id.tolist() == [2]


def test_the_table_of_people_out_of_sight_is_bounded_and_keeps_those_seen_last() -> None:
    tracker = Tracker(TrackOptions(track_memory=60.0))
    random = np.random.default_rng(0)
    bodies: list[npt.NDArray[Any]] = []
    for frame in range(60):  # somebody who stays, and ten new ones where nobody was
        before = bodies
        bodies = [standing(random.uniform(1e3, 1e7), top=random.uniform(0, 1e7)) for _ in range(10)]
        assert ids(tracker, 0.01 * frame, *bodies, standing(0))[-1] == 11
        assert tracker._tracks is not None
        assert len(tracker._tracks) <= MAX_LOST + 11
    assert ids(tracker, 0.61, bodies[3], before[3]) == [595, 585]


def test_the_table_is_bounded_where_no_time_passes() -> None:
    tracker = Tracker()
    for frame in range(40):
        ids(tracker, 0.0, *(standing(1e5 * frame + 1e3 * n) for n in range(20)))
    assert tracker._tracks is not None
    assert len(tracker._tracks) <= MAX_LOST + 20


def test_when_the_ids_are_used_up_people_stay_untracked() -> None:
    tracker = Tracker()
    tracker._next = tracking.LAST_ID
    assert ids(tracker, 0.0, standing(100), standing(300)) == [2**31 - 1, UNTRACKED]
    assert ids(tracker, 0.1, standing(300), standing(100)) == [UNTRACKED, 2**31 - 1]


# Options, also while it runs.


def test_an_id_can_wait_for_several_images() -> None:
    tracker = Tracker(TrackOptions(track_min_frames=3))
    assert ids(tracker, 0.0, standing(100)) == [UNTRACKED]
    assert ids(tracker, 0.1, standing(100), standing(300)) == [UNTRACKED, UNTRACKED]
    assert ids(tracker, 0.2, standing(500), standing(100)) == [UNTRACKED, 1]
    assert ids(tracker, 0.3, standing(300), standing(100)) == [UNTRACKED, 1]
    assert ids(tracker, 0.4, standing(300), standing(100)) == [2, 1]


def test_switched_off_it_leaves_people_as_they_are_and_forgets_them() -> None:
    tracker = Tracker()
    ids(tracker, 0.0, standing(100))
    tracker.options = TrackOptions(track=False)
    same = people(standing(100))
    assert tracker(same, 0.1) is same
    tracker.options = TrackOptions()
    assert ids(tracker, 0.2, standing(100)) == [2]


def test_smoothing_works_without_ids() -> None:
    tracker = Tracker(TrackOptions(track=False, smooth=True))
    first, second = (tracker(people(standing(x)), stamp) for x, stamp in ((100, 0.0), (104, 0.05)))
    assert first.id.tolist() == second.id.tolist() == [UNTRACKED]
    moved = second.xy[0, :, 0] - standing(100)[:, 0]
    assert (moved > 0.0).all() and (moved < 4.0).all()
    tracker.options = TrackOptions()
    assert ids(tracker, 0.1, standing(104)) == [1]


def test_smoothing_calms_the_joints_of_each_person_and_only_their_places() -> None:
    tracker = Tracker(TrackOptions(smooth=True))
    random = np.random.default_rng(0)
    raw, calm = [], []
    for frame in range(60):
        bodies = [standing(x) + random.normal(0.0, 2.0, (18, 2)) for x in (100, 300)]
        order = [0, 1] if frame % 2 else [1, 0]
        before = people(*(bodies[p] for p in order))
        after = tracker(before, frame / 30.0)
        np.testing.assert_array_equal(after.score, before.score)
        assert after.xy.dtype == np.float32
        raw.append(before.xy[np.argsort(order)])
        calm.append(after.xy[np.argsort(order)])
    assert np.diff(calm, axis=0)[20:].std() < 0.4 * np.diff(raw, axis=0)[20:].std()


def test_smoothing_starts_anew_where_a_joint_or_the_person_was_gone() -> None:
    tracker = Tracker(TrackOptions(smooth=True))
    wrist = COCO_18.joint("left_wrist")
    tracker(people(standing(100)), 0.0)
    gone = standing(100)
    gone[wrist] = np.nan
    assert np.isnan(tracker(people(gone), 0.1).xy[0, wrist]).all()
    moved = standing(108)
    back = tracker(people(moved), 0.2)
    np.testing.assert_allclose(back.xy[0, wrist], moved[wrist], rtol=1e-6)
    assert np.abs(back.xy[0] - moved)[:, 0].max() > 1.0  # the others went on
    tracker(people(), 0.3)
    again = tracker(people(standing(112)), 0.4)
    assert again.id.tolist() == [1]
    np.testing.assert_allclose(again.xy[0], standing(112), rtol=1e-6)


def test_smoothing_switched_on_later_knows_no_old_places() -> None:
    tracker = Tracker(TrackOptions(smooth=True))
    tracker(people(standing(100)), 0.0)
    tracker.options = TrackOptions()
    tracker(people(standing(104)), 0.1)
    tracker.options = TrackOptions(smooth=True)
    np.testing.assert_allclose(tracker(people(standing(108)), 0.2).xy[0], standing(108), rtol=1e-6)


# Whatever comes.


def test_similarity_of_joints_is_one_at_the_place_and_falls_with_the_distance() -> None:
    apart = np.array([[0.0, 2.0, 8.0, 1.0]])
    terms = joint_similarity(apart, np.ones((1, 4)), np.array([[True, True, True, False]]))
    np.testing.assert_allclose(terms, [[1.0, np.exp(-1.0), np.exp(-4.0), 0.0]])


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[float, npt.NDArray[np.float32]]]:
    """Stamps, mostly in order, and people of any places, some of them copies of each other."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    extent = draw(st.sampled_from([0.0, 1.0, 500.0, 1e30]))
    images = []
    stamp = 0.0
    for _ in range(draw(st.integers(1, 6))):
        stamp += draw(st.sampled_from([0.0, 0.03, 0.5, 3.0, -1.0]))
        xy = random.uniform(-extent, extent, (draw(st.integers(0, 6)), 18, 2)).astype(np.float32)
        xy[random.random(xy.shape[:2]) < draw(st.sampled_from([0.0, 0.5, 0.95, 1.0]))] = np.nan
        images.append((stamp, xy[random.integers(0, len(xy), len(xy))] if len(xy) else xy))
    return images


@settings(max_examples=60, deadline=None)
@given(sequences(), st.booleans())
def test_everybody_has_one_id_of_the_own_and_people_stay_in_order(
    images: list[tuple[float, npt.NDArray[np.float32]]], smooth: bool
) -> None:
    tracker = Tracker(TrackOptions(smooth=smooth))
    given_so_far = 0
    for stamp, xy in images:
        before = People.from_arrays(COCO_18, xy, SIZE, person_score=np.linspace(0.9, 0.1, len(xy)))
        after = tracker(before, stamp)
        assert len(after) == len(before)
        assert len(set(after.id.tolist())) == len(after)
        assert (after.id >= 1).all()
        new = sorted(name for name in after.id.tolist() if name > given_so_far)
        assert new == list(range(given_so_far + 1, given_so_far + 1 + len(new)))
        given_so_far += len(new)
        np.testing.assert_array_equal(after.person_score, before.person_score)
        np.testing.assert_array_equal(np.isnan(after.xy), np.isnan(before.xy))
        if not smooth:
            np.testing.assert_array_equal(after.xy, before.xy)
