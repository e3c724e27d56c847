"""Groups: the surest connection first, over all limbs at once; nobody loses a certain joint to a doubtful one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields as columns
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import assemble as array_form
from openpose_ros.decode.assemble import Groups, rank
from openpose_ros.decode.limbs import Connections
from openpose_ros.decode.peaks import Peaks, find_peaks
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton

LEG = Skeleton("leg", ("neck", "hip", "knee", "ankle"), ((0, 1), (1, 2), (2, 3)))
FACE = Skeleton("face", ("neck", "shoulder", "ear"), ((0, 1), (1, 2)), filling=frozenset({1}))


def candidates(*joints: int, heat: Sequence[float] = (), image: Sequence[int] = ()) -> Peaks:
    """One candidate for each joint named; where they lie does not matter here."""
    count = len(joints)
    place = np.zeros(count, np.float32)
    return Peaks(
        np.array(image or [0] * count, np.int64),
        np.array(joints, np.int64),
        place,
        place,
        np.array(heat or [1.0] * count, np.float32),
    )


def connections(*rows: tuple[int, int, int, float]) -> Connections:
    """(limb, start, end, score) each."""
    table = np.array(rows, np.float64).reshape(-1, 4)
    limb, start, end = (table[:, column].astype(np.int64) for column in range(3))
    return Connections(limb, start, end, table[:, 3].astype(np.float32))


def members(groups: Groups) -> list[list[int]]:
    return groups.members.tolist()


def test_a_chain_of_connections_is_one_group(loops: Any) -> None:
    found = loops.assemble(candidates(0, 1, 2, 3), connections((0, 0, 1, 0.9), (1, 1, 2, 0.8), (2, 2, 3, 0.7)), LEG)
    assert members(found) == [[0, 1, 2, 3]]
    np.testing.assert_allclose(found.limbs, [[0.9, 0.8, 0.7]])
    assert found.image.tolist() == [0]


def test_joints_without_a_connection_are_nobody(loops: Any) -> None:
    found = loops.assemble(candidates(0, 0, 1, 2, 3), connections(), LEG)
    assert found.members.shape == (0, 4)
    assert found.limbs.shape == (0, 3)
    assert found.image.shape == (0,)


def test_nothing_at_all_is_nobody(loops: Any) -> None:
    assert len(loops.assemble(candidates(), connections(), LEG).members) == 0


def test_connections_rank_by_limb_and_by_both_heats() -> None:
    peaks = candidates(0, 1, 1, heat=[0.81, 1.0, 0.25])
    sure = rank(peaks, connections((0, 0, 1, 0.5), (0, 0, 2, 0.8)))
    np.testing.assert_allclose(sure, [0.5 * 0.9, 0.8 * 0.45])


@pytest.mark.parametrize("heat", [-0.5, 1.7])
def test_heats_beyond_their_range_rank_as_its_ends(heat: float) -> None:
    sure = rank(candidates(0, 1, heat=[heat, 1.0]), connections((0, 0, 1, 0.5)))
    np.testing.assert_allclose(sure, [0.5 * np.clip(heat, 0, 1) ** 0.5])


def test_a_certain_knee_is_not_lost_to_a_doubtful_neck(loops: Any) -> None:
    # Candidates: a doubtful neck 0 with a hip 1 and knee 3 of its own, a hip 2 with its knee 4.
    peaks = candidates(0, 1, 1, 2, 2, heat=[0.05, 0.9, 0.9, 0.9, 0.9])
    found = loops.assemble(
        peaks,
        connections((0, 0, 1, 0.6), (0, 0, 2, 0.9), (1, 1, 3, 0.8), (1, 2, 4, 0.8), (1, 2, 3, 0.7)),
        LEG,
    )
    assert sorted(members(found)) == sorted([[0, 2, 4, -1], [-1, 1, 3, -1]])


def test_a_surer_connection_of_a_later_limb_goes_before_an_earlier_limb(loops: Any) -> None:
    # Limb by limb, neck 0 would take hip 1 from neck 5 before knee 2 could say anything.
    peaks = candidates(0, 1, 2, 0, heat=[0.3, 1.0, 1.0, 1.0])
    found = loops.assemble(peaks, connections((0, 0, 1, 0.9), (0, 3, 1, 0.8), (1, 1, 2, 0.9)), LEG)
    assert members(found) == [[3, 1, 2, -1]]


def test_two_groups_without_a_joint_in_common_become_one(loops: Any) -> None:
    found = loops.assemble(candidates(0, 1, 2, 3), connections((0, 0, 1, 0.9), (2, 2, 3, 0.8), (1, 1, 2, 0.1)), LEG)
    assert members(found) == [[0, 1, 2, 3]]
    np.testing.assert_allclose(found.limbs, [[0.9, 0.1, 0.8]])


def test_two_groups_that_share_a_joint_stay_two(loops: Any) -> None:
    # Hips 1 and 2; the group of hip 2 has a neck of its own, and would lose it.
    peaks = candidates(0, 0, 1, 1, 2)
    found = loops.assemble(peaks, connections((0, 0, 2, 0.9), (0, 1, 3, 0.8), (1, 3, 4, 0.7), (1, 2, 4, 0.6)), LEG)
    assert sorted(members(found)) == sorted([[0, 2, -1, -1], [1, 3, 4, -1]])
    assert found.limbs.tolist() == [pytest.approx([0.9, 0, 0]), pytest.approx([0.8, 0.7, 0])]


def test_a_connection_within_a_group_confirms_it(loops: Any) -> None:
    ring = Skeleton("ring", ("a", "b", "c"), ((0, 1), (1, 2), (0, 2)))
    found = loops.assemble(candidates(0, 1, 2), connections((0, 0, 1, 0.9), (1, 1, 2, 0.8), (2, 0, 2, 0.3)), ring)
    assert members(found) == [[0, 1, 2]]
    np.testing.assert_allclose(found.limbs, [[0.9, 0.8, 0.3]])


def test_a_weaker_connection_to_a_place_that_is_taken_is_left(loops: Any) -> None:
    found = loops.assemble(
        candidates(0, 1, 1, 2), connections((0, 0, 1, 0.9), (0, 0, 2, 0.8), (1, 1, 3, 0.7), (1, 2, 3, 0.6)), LEG
    )
    assert members(found) == [[0, 1, 3, -1]]
    np.testing.assert_allclose(found.limbs, [[0.9, 0.7, 0]])


@pytest.mark.parametrize("filling", [0.9, 0.1])
def test_a_filling_limb_founds_nobody_but_adds_a_joint(loops: Any, filling: float) -> None:
    peaks = candidates(0, 1, 2)
    assert members(loops.assemble(peaks, connections((1, 1, 2, filling)), FACE)) == []
    found = members(loops.assemble(peaks, connections((0, 0, 1, 0.5), (1, 1, 2, filling)), FACE))
    # A filling connection that is surer than the person it belongs to comes too early.
    assert found == ([[0, 1, 2]] if filling < 0.5 else [[0, 1, -1]])


def test_a_filling_limb_joins_no_groups(loops: Any) -> None:
    both = Skeleton("both", ("neck", "shoulder", "ear", "eye"), ((0, 1), (1, 2), (2, 3)), filling=frozenset({1}))
    found = loops.assemble(candidates(0, 1, 2, 3), connections((0, 0, 1, 0.9), (2, 2, 3, 0.8), (1, 1, 2, 0.1)), both)
    assert sorted(members(found)) == [[-1, -1, 2, 3], [0, 1, -1, -1]]


def test_groups_know_their_image(loops: Any) -> None:
    peaks = candidates(0, 1, 0, 1, image=[0, 0, 2, 2])
    found = loops.assemble(peaks, connections((0, 0, 1, 0.5), (0, 2, 3, 0.9)), LEG)
    assert dict(zip(found.image.tolist(), members(found), strict=True)) == {0: [0, 1, -1, -1], 2: [2, 3, -1, -1]}


def test_equal_connections_go_in_their_order(loops: Any) -> None:
    peaks = candidates(0, 1, 1)
    assert members(loops.assemble(peaks, connections((0, 0, 1, 0.5), (0, 0, 2, 0.5)), LEG)) == [[0, 1, -1, -1]]
    assert members(loops.assemble(peaks, connections((0, 0, 2, 0.5), (0, 0, 1, 0.5)), LEG)) == [[0, 2, -1, -1]]


SKELETONS = (LEG, FACE, COCO_18, BODY_25, MPI_15)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Peaks, Connections, Skeleton]:
    """Candidates and connections of two images as random as they may be."""
    skeleton = draw(st.sampled_from(SKELETONS))
    random = np.random.default_rng(draw(st.integers(0, 100_000)))
    count = draw(st.integers(0, 40))
    key = np.sort(random.integers(0, 2 * len(skeleton.joints), count))
    peaks = candidates(
        *(key % len(skeleton.joints)).tolist(),
        heat=random.random(count).tolist(),
        image=(key // len(skeleton.joints)).tolist(),
    )
    pairs = [
        (limb, start, end)
        for limb, (first, second) in enumerate(skeleton.limbs)
        for start in np.flatnonzero(peaks.joint == first)
        for end in np.flatnonzero(peaks.joint == second)
        if peaks.image[start] == peaks.image[end]
    ]
    kept = [pair for pair in pairs if random.random() < draw(st.sampled_from([0.3, 1.0]))]
    levels = draw(st.sampled_from([3, 1000]))  # few levels make many ties
    scores = random.integers(1, levels + 1, len(kept)) / levels
    return peaks, connections(*((*pair, score) for pair, score in zip(kept, scores, strict=True))), skeleton


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_groups_are_disjoint_connected_and_held_by_their_own_limbs(
    scene: tuple[Peaks, Connections, Skeleton],
) -> None:
    peaks, links, skeleton = scene
    found = array_form.assemble(peaks, links, skeleton)
    taken = found.members[found.members >= 0]
    assert len(set(taken.tolist())) == len(taken)
    known = {
        (limb, start, end): score
        for limb, start, end, score in zip(
            links.limb.tolist(), links.start.tolist(), links.end.tolist(), links.score.tolist(), strict=True
        )
    }
    for image, group, held in zip(found.image, found.members, found.limbs, strict=True):
        rows = group[group >= 0]
        assert len(rows) >= 2
        assert (peaks.image[rows] == image).all()
        assert (peaks.joint[rows] == np.flatnonzero(group >= 0)).all()
        reached = {int(np.flatnonzero(group >= 0)[0])}
        for _ in range(len(skeleton.limbs)):
            for limb, ends in enumerate(skeleton.limbs):
                if held[limb] > 0 and reached & set(ends):
                    reached |= set(ends)
        assert reached == set(np.flatnonzero(group >= 0).tolist())
        for limb, (first, second) in enumerate(skeleton.limbs):
            if held[limb] > 0:
                assert known[limb, int(group[first]), int(group[second])] == held[limb]


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_the_surest_connection_always_holds(scene: tuple[Peaks, Connections, Skeleton]) -> None:
    peaks, links, skeleton = scene
    founding = ~np.isin(links.limb, list(skeleton.filling))
    if not founding.any():
        return
    surest = np.flatnonzero(founding)[np.argmax(rank(peaks, links)[founding])]
    found = array_form.assemble(peaks, links, skeleton)
    first, second = skeleton.limbs[links.limb[surest]]
    assert [int(links.start[surest]), int(links.end[surest])] in found.members[:, [first, second]].tolist()


@settings(max_examples=150, deadline=None)
@given(scenes(), st.integers(0, 1000))
def test_the_order_of_the_connections_does_not_matter_when_none_are_equal(
    scene: tuple[Peaks, Connections, Skeleton], seed: int
) -> None:
    peaks, links, skeleton = scene
    sure = rank(peaks, links)
    if len(np.unique(sure)) < len(sure):
        return
    shuffled = np.random.default_rng(seed).permutation(len(sure))
    other = Connections(*(getattr(links, column.name)[shuffled] for column in columns(Connections)))
    found, again = array_form.assemble(peaks, links, skeleton), array_form.assemble(peaks, other, skeleton)
    np.testing.assert_array_equal(found.members, again.members)
    np.testing.assert_array_equal(found.limbs, again.limbs)


def equal(found: Groups, expected: Groups) -> None:
    for column in columns(Groups):
        np.testing.assert_array_equal(getattr(found, column.name), getattr(expected, column.name))


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_the_compiled_loop_makes_the_same_groups(scene: tuple[Peaks, Connections, Skeleton]) -> None:
    compiled = pytest.importorskip("openpose_ros.decode.compiled")
    equal(compiled.assemble(*scene), array_form.assemble(*scene))


@pytest.mark.parametrize("count", [0, 1, 20, 100])
def test_the_compiled_loop_makes_the_same_groups_of_crowds(count: int) -> None:
    compiled = pytest.importorskip("openpose_ros.decode.compiled")
    fields = crowd_fields(count, 368, 656)
    peaks = find_peaks(fields.heatmaps, 18, 0.01)
    links = compiled.score_limbs(fields.pafs, peaks, COCO_18, DecodeOptions())
    found = compiled.assemble(peaks, links, COCO_18)
    assert len(found.members) >= count
    equal(found, array_form.assemble(peaks, links, COCO_18))
