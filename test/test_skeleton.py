"""The table of joints and limbs: consistent in itself, in the published orders, readable from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from openpose_ros.skeleton import BODY_25, COCO_17, COCO_18, MPI_15, SKELETONS, YAOP_18, Skeleton, load_skeleton

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)

ARM: dict[str, Any] = {
    "name": "arms",
    "joints": ["neck", "left_wrist", "right_wrist"],
    "limbs": [["neck", "left_wrist"], ["neck", "right_wrist"]],
    "sigmas": {"neck": 0.5},
}


@pytest.mark.parametrize(
    ("skeleton", "joints", "limbs"),
    [(COCO_18, 18, 19), (COCO_17, 17, 19), (BODY_25, 25, 26), (MPI_15, 15, 14), (YAOP_18, 18, 17)],
    ids=lambda value: getattr(value, "name", value),
)
def test_sizes_are_those_of_the_published_models(skeleton: Skeleton, joints: int, limbs: int) -> None:
    assert len(skeleton.joints) == len(skeleton.sigmas) == joints
    assert len(skeleton.limbs) == len(set(skeleton.limbs)) == len(skeleton.colours) == limbs


@pytest.mark.parametrize(
    ("skeleton", "joint", "index"),
    [
        # CMU goes right before left, from the nose down, with the face at the end; COCO itself left before right.
        (COCO_18, "neck", 1),
        (COCO_18, "right_shoulder", 2),
        (COCO_18, "left_shoulder", 5),
        (COCO_18, "right_hip", 8),
        (COCO_18, "left_ankle", 13),
        (COCO_18, "right_eye", 14),
        (COCO_18, "left_ear", 17),
        (COCO_17, "left_eye", 1),
        (COCO_17, "right_ankle", 16),
        (BODY_25, "mid_hip", 8),
        (BODY_25, "left_big_toe", 19),
        (BODY_25, "right_heel", 24),
        (MPI_15, "head", 0),
        (MPI_15, "chest", 14),
        # The middle first, then all of the right side, then all of the left.
        (YAOP_18, "neck", 1),
        (YAOP_18, "right_hip", 5),
        (YAOP_18, "right_ear", 9),
        (YAOP_18, "left_shoulder", 10),
        (YAOP_18, "left_ear", 17),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_joints_stand_where_the_published_models_have_them(skeleton: Skeleton, joint: str, index: int) -> None:
    assert skeleton.joint(joint) == index
    assert skeleton.joints[index] == joint


@pytest.mark.parametrize(
    ("skeleton", "limb", "start", "end"),
    [
        (COCO_18, 0, "neck", "right_hip"),
        (COCO_18, 9, "right_shoulder", "right_ear"),
        (COCO_18, 14, "neck", "nose"),
        (COCO_18, 18, "left_eye", "left_ear"),
        (BODY_25, 0, "neck", "mid_hip"),
        (BODY_25, 20, "left_ankle", "left_big_toe"),
        (MPI_15, 7, "neck", "chest"),
        (YAOP_18, 0, "nose", "neck"),
        (YAOP_18, 4, "neck", "right_hip"),
        (YAOP_18, 16, "left_eye", "left_ear"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_limbs_run_as_in_the_published_models(skeleton: Skeleton, limb: int, start: str, end: str) -> None:
    assert skeleton.limbs[limb] == (skeleton.joint(start), skeleton.joint(end))


@every_skeleton
def test_the_mirror_swaps_left_and_right_and_twice_changes_nothing(skeleton: Skeleton) -> None:
    for joint, name in enumerate(skeleton.joints):
        other = skeleton.joints[skeleton.mirrored[joint]]
        assert skeleton.mirrored[skeleton.mirrored[joint]] == joint
        assert (other == name) == (not name.startswith(("left_", "right_")))
        assert {name.partition("_")[0], other.partition("_")[0]} in ({"left", "right"}, {name.partition("_")[0]})


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25, MPI_15, YAOP_18], ids=lambda skeleton: skeleton.name)
def test_mirrored_limbs_join_the_mirrored_joints(skeleton: Skeleton) -> None:
    for limb, (start, end) in enumerate(skeleton.limbs):
        assert skeleton.limbs[skeleton.mirrored_limbs[limb]] == (skeleton.mirrored[start], skeleton.mirrored[end])


@every_skeleton
def test_limbs_other_than_filling_ones_hold_the_whole_body_together(skeleton: Skeleton) -> None:
    reached = {0}
    for _ in skeleton.joints:
        for limb, ends in enumerate(skeleton.limbs):
            if limb not in skeleton.filling and reached & set(ends):
                reached |= set(ends)
    assert reached == set(range(len(skeleton.joints)))


def test_filling_limbs_of_the_openpose_models_go_from_shoulder_to_ear() -> None:
    for skeleton in (COCO_18, BODY_25):
        names = {tuple(skeleton.joints[joint] for joint in skeleton.limbs[limb]) for limb in skeleton.filling}
        assert names == {(f"{side}_shoulder", f"{side}_ear") for side in ("left", "right")}


def test_sigmas_are_those_of_coco_s_own_evaluation() -> None:
    pytest.importorskip("pycocotools")
    from pycocotools.cocoeval import Params

    assert COCO_17.sigmas == pytest.approx(Params("keypoints").kpt_oks_sigmas)
    for joint, name in enumerate(COCO_17.joints):
        assert COCO_18.sigmas[COCO_18.joint(name)] == COCO_17.sigmas[joint]


@every_skeleton
def test_right_limbs_are_warm_left_ones_cool_and_all_differ(skeleton: Skeleton) -> None:
    assert len(set(skeleton.colours)) == len(skeleton.limbs)
    for limb, (blue, green, red) in zip(skeleton.limbs, skeleton.colours, strict=True):
        assert all(0 <= value <= 255 for value in (blue, green, red))
        sides = {skeleton.joints[joint].partition("_")[0] for joint in limb} & {"left", "right"}
        if sides == {"right"}:
            assert red > blue
        elif sides == {"left"}:
            assert blue > red


def test_orders_map_one_skeleton_onto_another_by_name() -> None:
    order = COCO_18.order_in(COCO_17)
    assert [COCO_18.joints[joint] for joint in order] == list(COCO_17.joints)
    assert COCO_17.order_in(COCO_18)[COCO_18.joint("neck")] == -1


def test_an_unknown_joint_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"COCO-17 has no joint 'neck'; it has nose, .*right_ankle"):
        COCO_17.joint("neck")


def test_a_skeleton_comes_from_yaml_by_names(tmp_path: Path) -> None:
    path = tmp_path / "arms.yaml"
    path.write_text(yaml.safe_dump({**ARM, "filling": [["neck", "right_wrist"]]}))
    arms = load_skeleton(path)
    assert arms.joints == ("neck", "left_wrist", "right_wrist")
    assert arms.limbs == ((0, 1), (0, 2))
    assert arms.filling == {1}
    assert arms.sigmas == (0.5, 0.062, 0.062)
    assert arms.mirrored_limbs == (1, 0)


@every_skeleton
def test_the_table_of_a_skeleton_is_read_back_as_the_same(skeleton: Skeleton) -> None:
    table = yaml.safe_load(yaml.safe_dump(skeleton.to_mapping()))
    assert Skeleton.from_mapping(table) == skeleton


@every_skeleton
def test_built_in_skeletons_load_by_name(skeleton: Skeleton) -> None:
    assert load_skeleton(skeleton.name) is skeleton


@pytest.mark.parametrize("name", ["COCO-19", "nowhere.yaml", ""])
def test_an_unknown_skeleton_names_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=f"no skeleton '{name}'; |no skeleton '{name}': expected one of COCO-18, "):
        load_skeleton(name)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": ["neck", "left_wrist", "right_wrist", "neck"]}, "joint name stands twice"),
        ({"limbs": [["neck", "left_knee"]]}, "must name two of its joints"),
        ({"limbs": [["neck", "left_wrist", "right_wrist"]]}, "must name two of its joints"),
        ({"limbs": [["neck", "neck"]]}, "must join two different joints"),
        ({"colour": "red"}, r"unknown keys \['colour'\]"),
        ({"filling": [["left_wrist", "right_wrist"]]}, "skeleton arms: filling .*left_wrist"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_table_is_refused_with_what_is_wrong(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Skeleton.from_mapping({**ARM, **change})


@pytest.mark.parametrize("key", ["name", "joints", "limbs"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=rf"missing keys \['{key}'\]"):
        Skeleton.from_mapping({name: value for name, value in ARM.items() if name != key})


def test_a_joint_with_one_side_only_has_no_mirror_image() -> None:
    lonely = Skeleton("lonely", ("neck", "left_wrist"), ((0, 1),))
    with pytest.raises(KeyError, match="right_wrist"):
        _ = lonely.mirrored


def test_limbs_with_one_side_only_cannot_be_flipped() -> None:
    half = Skeleton("half", ("neck", "left_wrist", "right_wrist"), ((0, 1),))
    with pytest.raises(ValueError, match="skeleton half: limbs have no mirror image"):
        _ = half.mirrored_limbs


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"limbs": ((0, 2),)}, r"limb \(0, 2\)"),
        ({"filling": frozenset({1})}, "filling"),
        ({"sigmas": (0.1,)}, "1 sigmas for 2 joints"),
    ],
)
def test_indices_beyond_the_table_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Skeleton(**{"name": "pair", "joints": ("a", "b"), "limbs": ((0, 1),), **values})
