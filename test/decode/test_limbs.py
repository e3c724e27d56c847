"""Connections: pairs that the field between them supports, the same in every form and on every array library."""

from __future__ import annotations

from dataclasses import fields as columns
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.benchmark.crowd import crowd_fields
from openpose_ros.decode import limbs
from openpose_ros.decode.limbs import Connections
from openpose_ros.decode.peaks import Peaks, find_peaks
from openpose_ros.options import DecodeOptions
from openpose_ros.skeleton import BODY_25, COCO_17, COCO_18, MPI_15, Skeleton

Maps = npt.NDArray[np.float32]

PAIR = Skeleton("pair", ("nose", "neck"), ((0, 1),))
STRICT = DecodeOptions(sample_threshold=0.05, sample_ratio=0.8)


def candidates(*places: tuple[int, float, float]) -> Peaks:
    """Certain candidates (joint, x, y) of one image."""
    joint, x, y = (np.array(column) for column in zip(*places, strict=True))
    order = np.argsort(joint, kind="stable")
    one = np.ones(len(places), np.float32)
    return Peaks(0 * joint, joint[order], x[order].astype(np.float32), y[order].astype(np.float32), one)


def field(x: float, y: float, height: int = 12, width: int = 16) -> Maps:
    """The same vector everywhere."""
    return np.broadcast_to(np.float32([x, y])[None, None, :, None, None], (1, 1, 2, height, width)).copy()


def rows(found: Connections, back: Any = np.asarray) -> dict[tuple[int, int, int], float]:
    limb, start, end, score = (back(getattr(found, column.name)).tolist() for column in columns(Connections))
    table = {key: value for *key, value in zip(limb, start, end, score, strict=True) for key in [tuple(key)]}
    assert len(table) == len(limb)
    return table


def agree(found: dict[tuple[int, int, int], float], expected: dict[tuple[int, int, int], float]) -> None:
    """Equal within rounding; a pair in ten thousand may fall on the other side of a threshold."""
    differing = found.keys() ^ expected.keys()
    assert len(differing) <= len(expected) // 10_000
    both = sorted(found.keys() & expected.keys())
    np.testing.assert_allclose([found[key] for key in both], [expected[key] for key in both], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("end", [(10.0, 6.0), (3.0, 10.0), (9.0, 11.0), (3.5, 6.5), (0.0, 0.0), (15.0, 0.5)])
def test_a_limb_scores_the_mean_projection_on_its_line(loops: Any, end: tuple[float, float]) -> None:
    along = np.subtract(end, (3.0, 6.0))
    x, y = along / np.hypot(*along)
    peaks = candidates((0, 3.0, 6.0), (1, *end))
    found = loops.score_limbs(field(0.7 * x, 0.7 * y), peaks, PAIR, STRICT)
    assert rows(found) == {(0, 0, 1): pytest.approx(0.7, rel=1e-5)}


@pytest.mark.parametrize("degrees", [0, 30, 60, 85])
def test_a_field_at_an_angle_counts_by_its_cosine(loops: Any, degrees: float) -> None:
    turn = np.radians(degrees)
    found = loops.score_limbs(field(np.cos(turn), np.sin(turn)), candidates((0, 3, 6), (1, 12, 6)), PAIR, STRICT)
    assert rows(found) == {(0, 0, 1): pytest.approx(np.cos(turn), rel=1e-5)}


@pytest.mark.parametrize(
    ("x", "y"), [(-1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-0.1, 1.0)], ids=["against", "none", "across", "away"]
)
def test_a_field_that_does_not_point_along_supports_nothing(loops: Any, x: float, y: float) -> None:
    found = loops.score_limbs(field(x, y), candidates((0, 3, 6), (1, 12, 6)), PAIR, DecodeOptions())
    assert rows(found) == {}


@pytest.mark.parametrize("samples", [2, 5, 10, 40])
@pytest.mark.parametrize(("ratio", "supported"), [(0.3, True), (0.5, True), (0.7, False), (1.0, False)])
def test_a_share_of_the_points_must_support_a_limb(loops: Any, samples: int, ratio: float, supported: bool) -> None:
    half = field(1.0, 0.0)
    half[..., 8:] = 0.0  # the right half of the way is empty
    options = DecodeOptions(samples=samples, sample_threshold=0.1, sample_ratio=ratio)
    found = loops.score_limbs(half, candidates((0, 2, 6), (1, 13, 6)), PAIR, options)
    assert bool(rows(found)) == supported


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.3, 0.5])
def test_points_must_exceed_the_threshold(loops: Any, threshold: float) -> None:
    options = DecodeOptions(sample_threshold=threshold, sample_ratio=1.0)
    found = loops.score_limbs(field(0.4, 0.0), candidates((0, 2, 6), (1, 13, 6)), PAIR, options)
    assert bool(rows(found)) == (threshold < 0.4)


def test_the_field_is_read_between_the_cells(loops: Any) -> None:
    ramp = field(0.0, 0.0)
    ramp[0, 0, 0] = np.arange(12)[:, None] / 11
    for y in (3.0, 3.25, 7.9):
        found = loops.score_limbs(ramp, candidates((0, 2.3, y), (1, 12.8, y)), PAIR, DecodeOptions())
        assert rows(found) == {(0, 0, 1): pytest.approx(y / 11, rel=1e-4)}


@pytest.mark.parametrize("offset", [-0.5, 0.0, 0.33, 1.0])
def test_the_field_is_read_where_it_was_drawn(loops: Any, offset: float) -> None:
    ramp = field(0.0, 0.0)
    ramp[0, 0, 0] = np.arange(12)[:, None] / 11
    found = loops.score_limbs(ramp, candidates((0, 2, 5), (1, 12, 5)), PAIR, DecodeOptions(), offset)
    assert rows(found) == {(0, 0, 1): pytest.approx((5 + offset) / 11, rel=1e-4)}


def test_a_long_limb_is_not_made_of_short_ones_that_happen_to_lie_where_it_is_looked_at(loops: Any) -> None:
    # Ten people in a row, as far apart as the points at which the field between the first and the last is read.
    row = field(0.0, 0.0, width=80)
    for place in range(10):
        row[0, 0, 0, :, max(0, 8 * place - 1) : 8 * place + 2] = 1.0
    found = loops.score_limbs(row, candidates((0, 0, 6), (1, 72, 6)), PAIR, DecodeOptions())
    assert rows(found).get((0, 0, 1), 0.0) < 0.6
    neighbours = loops.score_limbs(row, candidates((0, 7, 6), (1, 9, 6)), PAIR, DecodeOptions())
    assert rows(neighbours) == {(0, 0, 1): pytest.approx(1.0)}


def test_beyond_the_border_the_nearest_cells_count(loops: Any) -> None:
    found = loops.score_limbs(field(1.0, 0.0), candidates((0, -0.5, -0.5), (1, 15.5, -0.5)), PAIR, STRICT, 0.4)
    assert rows(found) == {(0, 0, 1): pytest.approx(1.0)}


def test_joints_on_the_very_same_spot_are_no_limb(loops: Any) -> None:
    found = loops.score_limbs(field(1.0, 1.0), candidates((0, 5, 5), (1, 5, 5)), PAIR, DecodeOptions())
    assert rows(found) == {}


def test_every_pair_is_looked_at_and_only_of_the_limb_s_joints(loops: Any) -> None:
    peaks = candidates((0, 2, 2), (0, 2, 6), (1, 12, 2), (1, 12, 6), (1, 12, 10))
    found = rows(loops.score_limbs(field(1.0, 0.0), peaks, PAIR, DecodeOptions()))
    assert set(found) == {(0, start, end) for start in (0, 1) for end in (2, 3, 4)}


def test_images_of_a_batch_do_not_mix(loops: Any) -> None:
    one = candidates((0, 2, 2), (1, 12, 2))
    peaks = Peaks(
        np.array([0, 0, 1, 1]), np.tile(one.joint, 2), np.tile(one.x, 2), np.tile(one.y, 2), np.tile(one.score, 2)
    )
    batch = np.concatenate([field(1.0, 0.0), field(0.5, 0.0)])
    found = rows(loops.score_limbs(batch, peaks, PAIR, DecodeOptions()))
    assert found == {(0, 0, 1): pytest.approx(1.0), (0, 2, 3): pytest.approx(0.5)}


@pytest.mark.parametrize("joints", [(), (0,), (1,), (0, 0, 0)])
def test_without_a_pair_there_is_no_connection(loops: Any, joints: tuple[int, ...]) -> None:
    none = np.empty(0, np.float32)
    peaks = candidates(*((joint, 3 + i, 3) for i, joint in enumerate(joints))) if joints else Peaks(
        none.astype(int), none.astype(int), none, none, none
    )  # fmt: skip
    found = loops.score_limbs(field(1.0, 0.0), peaks, PAIR, DecodeOptions())
    assert all(len(getattr(found, column.name)) == 0 for column in columns(Connections))


def scenes() -> list[Any]:
    """Fields and options on which both forms must agree."""
    random = np.random.default_rng(7)
    every = []
    for skeleton in (COCO_18, COCO_17, BODY_25, MPI_15):
        every.append(pytest.param(crowd_fields(6, 160, 224, skeleton), DecodeOptions(), id=f"people {skeleton.name}"))
    every.append(pytest.param(crowd_fields(20, 368, 656), DecodeOptions(), id="a crowd"))
    every.append(pytest.param(crowd_fields(20, 368, 656), STRICT, id="a crowd, strictly"))
    murmur = crowd_fields(2, 96, 128)
    for name, options in {"defaults": DecodeOptions(), "two samples": DecodeOptions(samples=2)}.items():
        loud = replace(
            murmur,
            heatmaps=random.random(murmur.heatmaps.shape, np.float32),
            pafs=random.normal(0, 0.5, murmur.pafs.shape).astype(np.float32),
            paf_offset=0.33,
        )
        every.append(pytest.param(loud, options, id=f"thousands of pairs in noise, {name}"))
    every.append(pytest.param(replace(murmur, pafs=0 * murmur.pafs), DecodeOptions(), id="no field"))
    return every


@pytest.mark.parametrize(("fields", "options"), scenes())
def test_the_compiled_loop_agrees_with_the_array_form(fields: Any, options: DecodeOptions) -> None:
    compiled = pytest.importorskip("openpose_ros.decode.compiled")
    peaks = find_peaks(fields.heatmaps, len(fields.skeleton.joints), options.heat_threshold, 0, fields.grids)
    given = (fields.pafs, peaks, fields.skeleton, options, fields.paf_offset)
    expected, found = limbs.score_limbs(*given), compiled.score_limbs(*given)
    agree(rows(found), rows(expected))
    for name in ("limb", "start", "end"):
        assert getattr(found, name).dtype == np.int64
    assert found.score.dtype == expected.score.dtype == np.float32
    if not rows(found).keys() ^ rows(expected).keys():
        for column in columns(Connections):
            np.testing.assert_allclose(
                getattr(found, column.name), getattr(expected, column.name), rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize("paf_offset", [0.0, 0.4])
def test_every_array_library_finds_the_same(to_library: Any, to_numpy: Any, paf_offset: float) -> None:
    fields = crowd_fields(4, 128, 160)
    peaks = find_peaks(fields.heatmaps, 18, 0.01, 0, fields.grids)
    elsewhere = Peaks(*(to_library(getattr(peaks, column.name)) for column in columns(Peaks)))
    expected = limbs.score_limbs(fields.pafs, peaks, COCO_18, DecodeOptions(), paf_offset)
    found = limbs.score_limbs(to_library(fields.pafs), elsewhere, COCO_18, DecodeOptions(), paf_offset)
    assert len(expected.limb) > 50
    agree(rows(found, to_numpy), rows(expected))


def test_without_peaks_there_is_no_connection_on_any_array_library(to_library: Any, to_numpy: Any) -> None:
    nothing = np.zeros((1, 18, 6, 6), np.float32)
    peaks = find_peaks(to_library(nothing), 18, 0.01)
    found = limbs.score_limbs(to_library(np.zeros((1, 19, 2, 6, 6), np.float32)), peaks, COCO_18, DecodeOptions())
    assert rows(found, to_numpy) == {}


def test_pairs_beyond_one_portion_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = crowd_fields(5, 128, 160)
    peaks = find_peaks(fields.heatmaps, 18, 0.01, 0, fields.grids)
    whole = limbs.score_limbs(fields.pafs, peaks, COCO_18, DecodeOptions())
    monkeypatch.setattr(limbs, "PAIRS_AT_ONCE", 7)
    portions = limbs.score_limbs(fields.pafs, peaks, COCO_18, DecodeOptions())
    for column in columns(Connections):
        np.testing.assert_array_equal(getattr(portions, column.name), getattr(whole, column.name))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38])
def test_a_broken_field_gives_no_broken_score(loops: Any, wrong: float) -> None:
    random = np.random.default_rng(0)
    pafs = random.normal(0, 1, (1, 1, 2, 12, 16)).astype(np.float32)
    pafs[random.random(pafs.shape) < 0.1] = wrong
    peaks = candidates(*((int(joint), *place) for joint in (0, 1) for place in random.uniform(0, 11, (20, 2))))
    with np.errstate(all="ignore"):
        found = loops.score_limbs(pafs, peaks, PAIR, DecodeOptions())
    assert np.isfinite(found.score).all()
    assert (found.score > 0).all()
