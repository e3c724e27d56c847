"""Fields to people: those who were drawn come back, nobody else, whatever else the fields hold."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpose_ros.backends.synthetic import group
from openpose_ros.benchmark.crowd import crowd, crowd_fields
from openpose_ros.decode import candidates, decode, decoder, people
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.people import JointState, People
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18, SKELETONS, Skeleton

Places = npt.NDArray[np.float64]
Check = Callable[[People, Places, float], None]

HAND = Skeleton.from_mapping(
    {
        "name": "hand",
        "joints": ["wrist", *(f"{finger}_{part}" for finger in ("thumb", "middle", "little") for part in (1, 2))],
        "limbs": [
            limb
            for finger in ("thumb", "middle", "little")
            for limb in (["wrist", f"{finger}_1"], [f"{finger}_1", f"{finger}_2"])
        ],
    }
)
HANDS = np.array(
    [[(50, 90), (25, 70), (15, 50), (50, 50), (50, 20), (75, 60), (85, 35)],
     [(150, 30), (125, 50), (115, 70), (150, 70), (150, 100), (175, 60), (185, 85)]], np.float64
)  # fmt: skip

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


@pytest.fixture(params=["compiled", "array form"])
def either_form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The decoder with Numba and as it is where Numba is not installed."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    else:
        monkeypatch.setitem(sys.modules, "numba", None)
        monkeypatch.delitem(sys.modules, "openpose_ros.decode.compiled", raising=False)
        monkeypatch.delattr("openpose_ros.decode.compiled", raising=False)
    decoder._loops.cache_clear()
    yield
    assert (decoder._loops().__name__ == "_Reference") == (request.param == "array form")
    decoder._loops.cache_clear()


def found_in(
    truth: Places, grid: Grid, skeleton: Skeleton = COCO_18, options: DecodeOptions | None = None, **drawn: Any
) -> People:
    return decode(render(truth, grid, skeleton, **drawn), options or DecodeOptions())[0]


def apart(count: int, image: tuple[int, int], skeleton: Skeleton, seed: int) -> Places:
    """A crowd with some room between its people, everybody whole inside the picture."""
    truth = crowd(count, *image, skeleton, seed)
    middle = truth.mean(1, keepdims=True)
    truth = middle + 0.8 * (truth - middle)
    assert (truth > 0).all() and (truth < image[::-1]).all()
    return truth


@every_skeleton
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("count", "size", "image"),
    [
        (0, (368, 496), (480, 640)),
        (1, (368, 496), (480, 640)),
        (2, (368, 496), (720, 960)),
        (5, (368, 656), (1080, 1920)),
        (20, (368, 656), (368, 656)),
        (50, (736, 1312), (1080, 1920)),
    ],
)
def test_a_crowd_comes_back_joint_by_joint(
    same_people: Check, skeleton: Skeleton, count: int, size: tuple[int, int], image: tuple[int, int], seed: int
) -> None:
    truth = apart(count, image, skeleton, seed)
    grid = Grid.fit(*image, *size, 8)
    same_people(found_in(truth, grid, skeleton), truth, 0.1 * grid.pixels_per_cell)


@pytest.mark.usefixtures("either_form")
@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("image", [(480, 640), (1920, 1080), (200, 1300)])
def test_people_come_back_within_a_pixel_on_every_grid(
    same_people: Check, image: tuple[int, int], centred: bool, stride: int
) -> None:
    truth = group(*image, COCO_18)
    # The figures must be large enough for the cells, so that eyes and ears are apart.
    grid = Grid.fit(*image, 432, 640, stride, centred)
    found = found_in(truth, grid, sigma=0.875 * stride)
    same_people(found, truth, max(1.0, 0.05 * grid.pixels_per_cell))
    assert found.image_size == image


@pytest.mark.parametrize("offset", [0.0, 0.33, -0.4])
@pytest.mark.parametrize("heat_offset", [(0.0, 0.0), (0.1, -0.15)])
def test_what_a_network_shifts_is_taken_out(
    same_people: Check, offset: float, heat_offset: tuple[float, float]
) -> None:
    truth = crowd(3, 480, 640)
    grid = Grid.fit(480, 640, 368, 496, 8)
    shifted = grid.to_image(grid.to_cells(truth) + heat_offset)
    fields = replace(render(shifted, grid, COCO_18, paf_offset=offset), heat_offset=heat_offset)
    same_people(decode(fields, DecodeOptions())[0], truth, 0.5)


def test_a_skeleton_from_a_table_works_like_the_built_in_ones(same_people: Check) -> None:
    grid = Grid.fit(120, 200, 240, 400, 8)
    same_people(found_in(HANDS, grid, HAND), HANDS, 0.2)


@every_skeleton
def test_a_person_whose_joints_are_partly_unknown_comes_back_without_them(
    same_people: Check, skeleton: Skeleton
) -> None:
    truth = crowd(2, 480, 640, skeleton)
    for name in ("left_wrist", "right_wrist"):
        truth[0, skeleton.joint(name)] = np.nan
    same_people(found_in(truth, Grid.fit(480, 640, 368, 496, 8), skeleton), truth, 0.5)


@pytest.mark.parametrize(("dx", "dy"), [(-280.0, 0.0), (310.0, 0.0), (0.0, 240.0), (0.0, -110.0), (300.0, 200.0)])
def test_people_cut_by_the_border_come_back_as_far_as_they_are_inside(same_people: Check, dx: float, dy: float) -> None:
    person = np.add(crowd(1, 480, 640, seed=3), (dx, dy))
    inside = (person > -0.5).all(-1) & (person[..., 0] < 639.5) & (person[..., 1] < 479.5)
    assert 2 < inside.sum() < 18
    truth = np.where(inside[..., None], person, np.nan)
    same_people(found_in(truth, Grid.fit(480, 640, 368, 512, 8)), truth, 0.5)


def test_people_who_touch_stay_two(same_people: Check) -> None:
    person = crowd(1, 480, 640, seed=1)
    # The second one's right side overlaps the first one's left.
    truth = np.concatenate([person, np.add(person, (0.24 * 440, 6.0))])
    joints = [COCO_18.joint(f"left_{name}") for name in ("shoulder", "elbow", "wrist", "hip")]
    other = [COCO_18.joint(f"right_{name}") for name in ("shoulder", "elbow", "wrist", "hip")]
    assert np.abs(truth[0, joints] - truth[1, other]).max(-1).min() < 16
    same_people(found_in(truth, Grid.fit(480, 640, 368, 496, 8)), truth, 1.0)


def test_a_person_in_front_of_another_leaves_both(same_people: Check) -> None:
    near, far = crowd(1, 480, 640, seed=1), crowd(1, 480, 640, seed=2)
    far = (far - far.mean((0, 1))) * 0.45 + near.mean((0, 1)) + (40, -20)
    truth = np.concatenate([near, far])
    found = found_in(truth, Grid.fit(480, 640, 736, 984, 8))
    same_people(found, truth, 1.5)


@every_skeleton
def test_padding_never_yields_people(skeleton: Skeleton) -> None:
    grid = Grid.fit(480, 200, 368, 496, 8, centred=True)
    elsewhere = Grid.fit(368, 496, 368, 496, 8)
    for left in (0.0, 330.0):  # whole people in the padding on the left and on the right
        drawn = render(np.add(crowd(1, 368, 160, skeleton), (left, 0)), elsewhere, skeleton)
        assert len(decode(replace(drawn, grids=(elsewhere,)), DecodeOptions())[0]) == 1
        assert len(decode(replace(drawn, grids=(grid,)), DecodeOptions())[0]) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.booleans(), st.integers(0, 1000))
def test_whatever_the_aspect_people_lie_in_their_picture(height: int, width: int, centred: bool, seed: int) -> None:
    grid = Grid.fit(height, width, 160, 224, 8, centred)
    random = np.random.default_rng(seed)
    fields = Fields(
        random.random((1, 18, 20, 28), np.float32),
        random.normal(0, 1, (1, 19, 2, 20, 28)).astype(np.float32),
        (grid,),
        COCO_18,
    )
    found = decode(fields, DecodeOptions())[0]
    places = found.xy[found.known]
    room = 1e-3 * grid.pixels_per_cell
    assert (places >= -0.5 - room).all()
    assert (places <= (width - 0.5 + room, height - 0.5 + room)).all()


def test_a_batch_is_decoded_image_by_image() -> None:
    sizes = [(480, 640), (640, 300), (100, 640)]
    grids = [Grid.short_side(*size, 128, 8).within(280, 824) for size in sizes]
    each = [crowd_fields(4, 280, 824, seed=seed) for seed in range(3)]
    alone = [
        replace(fields, grids=(grid,), paf_offset=0.1, heat_offset=(0.05, 0.1))
        for fields, grid in zip(each, grids, strict=True)
    ]
    together = replace(
        alone[0],
        heatmaps=np.concatenate([fields.heatmaps for fields in alone]),
        pafs=np.concatenate([fields.pafs for fields in alone]),
        grids=tuple(grids),
    )
    options = DecodeOptions(max_candidates=20)
    for found, fields, size in zip(decode(together, options), alone, sizes, strict=True):
        expected = decode(fields, options)[0]
        assert found.image_size == size
        for name in ("xy", "score", "state", "person_score", "limb_score"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_fields_of_torch_on_any_device_hold_the_same_people(device: str) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU that PyTorch sees")
    fields = replace(crowd_fields(8, 256, 456), paf_offset=0.2)
    there = replace(
        fields,
        heatmaps=torch.from_numpy(fields.heatmaps).to(device),
        pafs=torch.from_numpy(fields.pafs).to(device),
    )
    found, expected = decode(there, DecodeOptions())[0], decode(fields, DecodeOptions())[0]
    assert len(found) == len(expected) >= 8
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-3)
    np.testing.assert_allclose(found.person_score, expected.person_score, atol=1e-5)


def test_without_numba_the_people_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    fields = replace(crowd_fields(12, 256, 456), paf_offset=0.2)
    expected = decode(fields, DecodeOptions())[0]
    monkeypatch.setattr(decoder, "_loops", lambda: decoder._Reference)
    found = decode(fields, DecodeOptions())[0]
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-4)  # logarithms are rounded otherwise
    np.testing.assert_allclose(found.limb_score, expected.limb_score, rtol=1e-4)


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    fields = crowd_fields(6, 256, 456)
    everybody = decode(fields, DecodeOptions())[0]
    assert len(everybody) >= 6
    assert (np.diff(everybody.person_score) <= 0).all()
    three = decode(fields, DecodeOptions(max_people=3))[0]
    np.testing.assert_array_equal(three.xy, everybody[:3].xy)
    threshold = float(everybody.person_score[4])
    sure = decode(fields, DecodeOptions(min_person_score=threshold))[0]
    assert len(sure) == 5
    assert len(decode(fields, DecodeOptions(min_person_score=1.0))[0]) == 0


@pytest.mark.parametrize("least", [2, 3, 5, 18])
def test_people_of_too_few_joints_are_dropped(least: int) -> None:
    truth = crowd(1, 368, 496)
    truth[0, 4:] = np.nan  # four joints are left: nose, neck, right shoulder, right elbow
    found = found_in(truth, Grid.fit(368, 496, 368, 496, 8), options=DecodeOptions(min_joints=least))
    assert len(found) == (1 if least <= 4 else 0)


def test_a_single_joint_is_nobody() -> None:
    truth = np.full((1, 18, 2), np.nan)
    truth[0, 0] = 100.0, 100.0
    assert len(found_in(truth, Grid.fit(368, 496, 368, 496, 8))) == 0


def test_joints_that_are_not_sure_enough_are_unknown_after_the_person_was_scored() -> None:
    fields = crowd_fields(3, 256, 456)
    everything = decode(fields, DecodeOptions())[0]
    least = float(np.median(everything.score[everything.known]))
    some = decode(fields, DecodeOptions(min_joint_score=least))[0]
    np.testing.assert_array_equal(some.person_score, everything.person_score)
    np.testing.assert_array_equal(some.known, everything.known & (everything.score >= least))
    assert np.isnan(some.xy[~some.known]).all()
    assert (some.score[~some.known] == 0).all()
    np.testing.assert_array_equal(some.xy[some.known], everything.xy[some.known])


def test_a_limit_on_candidates_keeps_the_surest_people() -> None:
    truth = crowd(5, 368, 656)
    fields = render(truth, Grid.fit(368, 656, 368, 656, 8), COCO_18)
    heat = fields.heatmaps.copy()
    heat[..., 20:] *= 0.5  # the people on the right are half as sure
    found = decode(replace(fields, heatmaps=heat), DecodeOptions(max_candidates=1))[0]
    assert len(found) >= 1
    assert (found.boxes[:, 0] < 20 * 8).all()


def test_scores_are_the_heat_at_the_joint() -> None:
    fields = render(crowd(1, 368, 496), Grid.fit(368, 496, 368, 496, 8), COCO_18)
    whole, half = (decode(replace(fields, heatmaps=k * fields.heatmaps), DecodeOptions())[0] for k in (1.0, 0.5))
    np.testing.assert_allclose(half.score, 0.5 * whole.score, rtol=1e-6)
    np.testing.assert_allclose(half.xy, whole.xy, atol=1e-3)
    assert half.person_score[0] < whole.person_score[0]
    assert set(whole.state[whole.known].tolist()) == {JointState.SEEN}


def test_heat_and_pafs_above_one_score_one() -> None:
    fields = render(crowd(1, 368, 496), Grid.fit(368, 496, 368, 496, 8), COCO_18)
    found = decode(replace(fields, heatmaps=3 * fields.heatmaps, pafs=3 * fields.pafs), DecodeOptions())[0]
    assert found.score.max() == 1.0
    assert found.person_score[0] <= 1.0


def test_the_person_score_is_what_the_caller_gives() -> None:
    fields = crowd_fields(4, 256, 456)
    found = people(
        candidates(fields, DecodeOptions()), DecodeOptions(), lambda seen: seen.boxes[:, 0].astype(np.float32) / 1000
    )[0]
    assert (np.diff(found.boxes[:, 0]) <= 0).all()


def test_fields_are_left_as_they_were() -> None:
    fields = crowd_fields(4, 256, 456)
    heat, pafs = fields.heatmaps.copy(), fields.pafs.copy()
    decode(fields, DecodeOptions(complete=True))
    np.testing.assert_array_equal(fields.heatmaps, heat)
    np.testing.assert_array_equal(fields.pafs, pafs)


def test_fields_need_not_be_contiguous() -> None:
    fields = crowd_fields(4, 256, 456)
    wide = np.repeat(fields.heatmaps, 2, 1)[:, ::2]
    turned = np.ascontiguousarray(fields.pafs.transpose(0, 3, 4, 1, 2)).transpose(0, 3, 4, 1, 2)
    found = decode(replace(fields, heatmaps=wide, pafs=turned), DecodeOptions())[0]
    np.testing.assert_array_equal(found.xy, decode(fields, DecodeOptions())[0].xy)


def test_each_step_is_timed() -> None:
    spent = candidates(crowd_fields(1, 128, 128), DecodeOptions()).milliseconds
    assert set(spent) == {"peaks", "limbs"}
    assert all(value > 0 for value in spent.values())


KINDS = ("noise", "loud", "constant", "nan", "inf", "negative", "huge", "denormal", "all nan", "all inf")


def broken(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Maps that no network should answer."""
    maps = random.normal(0, 0.5, shape).astype(np.float32)
    some = random.random(shape) < 0.1
    match kind:
        case "loud":
            return maps * np.float32(100)
        case "constant":
            return np.full(shape, 0.7, np.float32)
        case "nan":
            maps[some] = np.nan
        case "inf":
            maps[some] = random.choice([np.inf, -np.inf], some.sum())
        case "negative":
            return -np.abs(maps)
        case "huge":
            maps[some] = random.choice([3e38, -3e38], some.sum())
        case "denormal":
            return maps * np.float32(1e-42)
        case "all nan":
            return np.full(shape, np.nan, np.float32)
        case "all inf":
            return np.full(shape, np.inf, np.float32)
    return maps


def sane(found: People, grid: Grid, most: int) -> None:
    """Everything that must hold of any answer."""
    assert len(found) <= most
    places = found.xy[found.known]
    assert np.isfinite(places).all()
    assert np.isnan(found.xy[~found.known]).all()
    room = 0.02 + 1e-3 * grid.pixels_per_cell
    assert (places >= -0.5 - room).all()
    assert (places <= (grid.image_width - 0.5 + room, grid.image_height - 0.5 + room)).all()
    for score in (found.score, found.person_score):
        assert ((score >= 0) & (score <= 1)).all()
    assert not found.score[~found.known].any()
    assert np.isfinite(found.limb_score).all()
    assert (np.diff(found.person_score) <= 0).all()


@pytest.mark.parametrize("examples", [150, pytest.param(20_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_no_field_whatever_breaks_the_decoder(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None)
    @given(
        heat_kind=st.sampled_from(KINDS),
        paf_kind=st.sampled_from(KINDS),
        size=st.sampled_from([(1, 1), (2, 2), (3, 1), (1, 7), (3, 20), (2, 9), (12, 16)]),
        image=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
        complete=st.booleans(),
        flags=st.tuples(st.sampled_from([1, 5, 256]), st.sampled_from([2, 10]), st.sampled_from([0.0, 0.4, -0.4])),
        seed=st.integers(0, 2**32 - 1),
    )
    def run(
        heat_kind: str,
        paf_kind: str,
        size: tuple[int, int],
        image: tuple[int, int],
        complete: bool,
        flags: tuple[int, int, float],
        seed: int,
    ) -> None:
        random = np.random.default_rng(seed)
        most, samples, offset = flags
        grid = Grid.fit(*image, 8 * size[0], 8 * size[1], 8, centred=bool(seed % 2))
        fields = Fields(
            broken(heat_kind, random, (1, 18, *size)),
            broken(paf_kind, random, (1, 19, 2, *size)),
            (grid,),
            COCO_18,
            offset,
        )
        options = DecodeOptions(complete=complete, max_candidates=most, samples=samples)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = decode(fields, options)[0]
        sane(found, grid, 18 * most)

    run()


@pytest.mark.parametrize(
    ("size", "limit"),
    [((46, 62), 256), pytest.param((92, 164), 4096, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
)
def test_a_field_of_nothing_but_peaks_is_survived(size: tuple[int, int], limit: int) -> None:
    random = np.random.default_rng(0)
    grid = Grid.fit(8 * size[0], 8 * size[1], 8 * size[0], 8 * size[1], 8)
    fields = Fields(
        random.random((1, 18, *size), np.float32),
        random.normal(0, 1, (1, 19, 2, *size)).astype(np.float32),
        (grid,),
        COCO_18,
    )
    options = DecodeOptions(max_candidates=limit)
    assert len(candidates(fields, options).peaks.x) > min(18 * limit, size[0] * size[1]) - 18
    sane(decode(fields, options)[0], grid, 18 * limit)


def test_a_person_left_without_sure_joints_can_still_be_completed() -> None:
    fields = crowd_fields(2, 256, 456)
    dim = replace(fields, heatmaps=0.5 * fields.heatmaps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = decode(dim, DecodeOptions(min_joint_score=1.0, complete=True))[0]
    assert np.isfinite(found.xy[found.known]).all()
