"""Skeletons in pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from openpose_ros.draw import draw, joint_colours
from openpose_ros.options import DrawOptions
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import BODY_25, COCO_17, COCO_18, MPI_15, Skeleton

GREY = np.full((240, 320, 3), 128, np.uint8)


def standing(centre: float = 160.0, height: float = 180.0, skeleton: Skeleton = COCO_18) -> People:
    """Somebody upright in a picture of 320 x 240, all joints seen."""
    places = {
        "nose": (0, 0.08), "neck": (0, 0.2), "shoulder": (0.1, 0.2), "elbow": (0.15, 0.35), "wrist": (0.17, 0.5),
        "hip": (0.07, 0.5), "knee": (0.08, 0.73), "ankle": (0.08, 0.95), "eye": (0.02, 0.06), "ear": (0.045, 0.07),
    }  # fmt: skip
    xy = []
    for name in skeleton.joints:
        across, down = places[name.removeprefix("left_").removeprefix("right_")]
        side = -1 if name.startswith("right_") else 1
        xy.append((centre + side * across * height, 30 + down * height))
    return People.from_arrays(skeleton, [xy], (240, 320), person_score=[0.83])


def with_states(people: People, states: dict[str, JointState]) -> People:
    state = people.state.copy()
    for name, value in states.items():
        state[:, people.skeleton.joint(name)] = value
    return replace(people, state=state)


def test_the_picture_itself_is_left_alone() -> None:
    image = GREY.copy()
    drawn = draw(image, standing(), DrawOptions(labels=True, boxes=True, opacity=0.5))
    assert np.array_equal(image, GREY)
    assert not np.array_equal(drawn, GREY)
    assert not np.shares_memory(drawn, image)


def test_in_place_draws_into_the_picture_itself() -> None:
    image = GREY.copy()
    assert draw(image, standing(), in_place=True) is image
    assert not np.array_equal(image, GREY)


def test_nobody_changes_nothing() -> None:
    assert np.array_equal(draw(GREY, People.empty(COCO_18, (240, 320)), DrawOptions(labels=True, boxes=True)), GREY)


def test_a_limb_has_its_colour_along_its_way() -> None:
    people = standing()
    drawn = draw(GREY, people)
    for (start, end), colour in zip(COCO_18.limbs, COCO_18.colours, strict=True):
        if "knee" in COCO_18.joints[end]:
            x, y = people.xy[0, [start, end]].mean(0).round().astype(int)
            assert drawn[y, x].tolist() == list(colour)


def test_joints_are_drawn_where_they_are() -> None:
    people = standing()
    drawn = draw(GREY, people)
    for joint in (COCO_18.joint("left_wrist"), COCO_18.joint("right_ankle")):
        x, y = people.xy[0, joint].round().astype(int)
        assert drawn[y, x].tolist() == list(joint_colours(COCO_18)[joint])


def test_limbs_that_only_fill_are_not_drawn() -> None:
    people = standing()
    known = np.zeros(18, bool)
    known[[2, 16]] = True  # right shoulder and right ear
    alone = replace(people, state=np.where(known, people.state, 0).astype(np.uint8))
    x, y = people.xy[0, [2, 16]].mean(0).round().astype(int)
    assert np.array_equal(draw(GREY, alone)[y, x], GREY[y, x])


def test_a_completed_joint_is_hollow_and_paler_than_a_seen_one() -> None:
    people = with_states(standing(), {"left_wrist": JointState.COMPLETED})
    drawn = draw(GREY, people)
    x, y = people.xy[0, COCO_18.joint("left_wrist")].round().astype(int)
    around = drawn[y - 6 : y + 7, x - 6 : x + 7].astype(int)
    full = draw(GREY, standing())[y - 6 : y + 7, x - 6 : x + 7].astype(int)
    changed = np.abs(around - 128).sum()
    assert 0 < changed < 0.7 * np.abs(full - 128).sum()


def test_an_unknown_joint_is_not_drawn_whatever_its_place() -> None:
    people = with_states(standing(), {"left_wrist": JointState.UNKNOWN})
    drawn = draw(GREY, people)
    x, y = people.xy[0, COCO_18.joint("left_wrist")].round().astype(int)
    assert np.array_equal(drawn[y - 2 : y + 10, x - 3 : x + 4], GREY[y - 2 : y + 10, x - 3 : x + 4])


@pytest.mark.parametrize("opacity", [0.3, 0.6, 1.0])
def test_opacity_mixes_the_skeleton_with_the_picture(opacity: float) -> None:
    people = standing()
    solid, mixed = draw(GREY, people).astype(float), draw(GREY, people, DrawOptions(opacity=opacity)).astype(float)
    assert np.abs(mixed - (opacity * solid + (1 - opacity) * 128.0)).max() <= 1.0


def test_lines_follow_the_size_of_the_person() -> None:
    near, far = draw(GREY, standing(height=200.0)), draw(GREY, standing(height=50.0))
    row = round(30 + 0.6 * 200.0)
    assert (near[row] != 128).any(-1).sum() > (far[round(30 + 0.6 * 50.0)] != 128).any(-1).sum()


def test_one_joint_far_off_does_not_thicken_a_person() -> None:
    people = standing(height=100.0)
    far = people.xy.copy()
    far[0, COCO_18.joint("left_wrist")] = (310.0, 235.0)
    x, y = people.xy[0, [8, 9]].mean(0).round().astype(int)  # the middle of the right thigh
    rows = [(draw(GREY, replace(people, xy=xy))[y] != 128).any(-1)[: x + 12].sum() for xy in (people.xy, far)]
    assert rows[0] == rows[1]


def test_the_best_person_lies_on_top() -> None:
    one, other = standing(150.0), standing(165.0)
    both = People.from_arrays(COCO_18, np.concatenate([one.xy, other.xy]), (240, 320), person_score=[0.9, 0.2])
    drawn, alone = draw(GREY, both), draw(GREY, one)
    inside = (alone[:, :, None] == np.array(COCO_18.colours)).all(-1).any(-1)  # not the soft edges
    assert inside.sum() > 500
    assert np.array_equal(drawn[inside], alone[inside])


def test_labels_and_boxes_are_drawn_only_on_request() -> None:
    people = replace(standing(), id=np.array([7], np.int32))
    plain = draw(GREY, people)
    for wish in (DrawOptions(labels=True), DrawOptions(boxes=True)):
        assert not np.array_equal(draw(GREY, people, wish), plain)
    untracked = draw(GREY, standing(), DrawOptions(labels=True))
    assert not np.array_equal(draw(GREY, people, DrawOptions(labels=True)), untracked), (
        "an id is written before the score"
    )


@pytest.mark.parametrize("skeleton", [COCO_17, COCO_18, BODY_25, MPI_15], ids=lambda s: s.name)
def test_every_joint_has_a_colour(skeleton: Skeleton) -> None:
    colours = joint_colours(skeleton)
    assert len(colours) == len(skeleton.joints)
    assert all(0 <= value <= 255 for colour in colours for value in colour)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (300, 2, 3)])
def test_the_smallest_pictures_can_be_drawn_into(shape: tuple[int, int, int]) -> None:
    assert draw(np.zeros(shape, np.uint8), standing(), DrawOptions(labels=True, boxes=True, opacity=0.5)).shape == shape


def test_a_line_from_far_outside_crosses_where_it_should() -> None:
    xy = np.full((1, 18, 2), np.nan)
    xy[0, 9], xy[0, 10] = (-1e7, 120.0), (1e7, 120.0)  # right knee and ankle
    drawn = draw(GREY, People.from_arrays(COCO_18, xy, (240, 320)))
    colour = COCO_18.colours[COCO_18.limbs.index((9, 10))]
    assert np.all(drawn[120] == np.array(colour, np.uint8))
    assert np.array_equal(drawn[:100], GREY[:100])


wild = st.floats(width=32, allow_nan=True, allow_infinity=True) | st.floats(-50, 400, width=32)


@settings(max_examples=60, deadline=None)
@given(
    xy=hnp.arrays(np.float32, (2, 18, 2), elements=wild),
    state=hnp.arrays(np.uint8, (2, 18), elements=st.sampled_from([0, 1, 2])),
    score=hnp.arrays(np.float32, (2,), elements=st.floats(width=32)),
    opacity=st.sampled_from([0.5, 1.0]),
)
def test_any_coordinates_are_safe(xy: np.ndarray, state: np.ndarray, score: np.ndarray, opacity: float) -> None:
    people = People(COCO_18, xy, np.ones((2, 18), np.float32), state, score, (240, 320))
    assert draw(GREY, people, DrawOptions(labels=True, boxes=True, opacity=opacity)).shape == GREY.shape


def test_a_crowd_is_drawn_plainly_with_the_same_limbs_and_joints() -> None:
    one = standing(height=100.0)
    moves = [(dx, dy) for dy in (0.0, 110.0, 220.0) for dx in (-100.0, 0.0, 100.0, 200.0)]
    everybody = People.from_arrays(COCO_18, [one.xy[0] + move for move in moves], (400, 500))
    image = np.full((400, 500, 3), 128, np.uint8)
    plain, fine = draw(image, everybody), draw(image, everybody, DrawOptions(fine_people=len(everybody)))
    assert np.array_equal(draw(image, everybody, DrawOptions(fine_people=len(everybody) - 1)), plain)
    colours = np.array(joint_colours(COCO_18))
    for person in everybody.xy:
        for joint in ("left_ankle", "right_wrist", "left_knee"):
            x, y = np.rint(person[COCO_18.joint(joint)]).astype(int)
            assert plain[y, x].tolist() == fine[y, x].tolist() == colours[COCO_18.joint(joint)].tolist()
    assert (plain != fine).any()
    drawn, finely = ((picture != 128).any(-1) for picture in (plain, fine))
    assert (drawn & ~finely).sum() < 0.02 * drawn.sum()
    assert drawn.sum() > 0.65 * finely.sum()
