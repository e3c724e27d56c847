"""OpenPose's JSON, version 1.3: what we write, against a schema and a reader written from its documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from openpose_ros.people import People
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton

SCHEMA = Path(__file__).resolve().parents[1] / "docs" / "formats" / "openpose-1.3.schema.json"


class Frame(NamedTuple):
    """A file of OpenPose as its readers see it."""

    poses: np.ndarray
    spaces: np.ndarray
    ids: list[int]
    candidates: list[np.ndarray]


def read(text: str, parts: int) -> Frame:
    """A file for a model of so many parts, read as the documentation describes it."""
    table = json.loads(text)
    assert table["version"] == 1.3
    people = table["people"]
    poses = [np.array(person["pose_keypoints_2d"], float).reshape(parts, 3) for person in people]
    spaces = [np.array(person["pose_keypoints_3d"], float).reshape(-1, 4) for person in people]
    for person in people:
        for absent in ("face", "hand_left", "hand_right"):
            assert person[f"{absent}_keypoints_2d"] == person[f"{absent}_keypoints_3d"] == []
    candidates: list[np.ndarray] = []
    if "part_candidates" in table:
        (by_part,) = table["part_candidates"]
        assert list(by_part) == [str(part) for part in range(parts)]
        candidates = [np.array(numbers, float).reshape(-1, 3) for numbers in by_part.values()]
    return Frame(np.array(poses), np.array(spaces), [int(person["person_id"][0]) for person in people], candidates)


def people(skeleton: Skeleton, count: int) -> People:
    generator = np.random.default_rng(count)
    xy = generator.uniform(-5.0, 900.0, (count, len(skeleton.joints), 2))
    xy[generator.random(xy.shape[:2]) < 0.3] = np.nan
    return People.from_arrays(skeleton, xy, (700, 900), generator.uniform(0.05, 1.0, xy.shape[:2]))


@pytest.fixture(scope="module")
def valid() -> Callable[[Any], Any]:
    """Raises where a table does not fit the schema."""
    compiler = pytest.importorskip("fastjsonschema", reason="needs fastjsonschema")
    check: Callable[[Any], Any] = compiler.compile(json.loads(SCHEMA.read_text()))
    return check


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25, MPI_15], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_reader_of_openpose_s_files_sees_our_people(skeleton: Skeleton, count: int) -> None:
    ours = people(skeleton, count)
    seen = read(json.dumps(ours.to_openpose_json()), len(skeleton.joints))
    assert len(seen.poses) == count
    assert seen.ids == [-1] * count
    if count:
        np.testing.assert_allclose(seen.poses[..., :2], np.nan_to_num(ours.xy), atol=1e-4)
        np.testing.assert_allclose(seen.poses[..., 2], ours.score, atol=1e-4)
        assert not seen.poses[~ours.known].any()
        assert seen.spaces.size == 0


def test_it_sees_ids_places_in_space_and_candidates() -> None:
    ours = people(COCO_18, 3)
    xyz = np.where(ours.known[..., None], np.float32(1.5), np.float32(np.nan))
    ours = replace(ours, id=np.array([4, -1, 0], np.int32), xyz=np.repeat(xyz, 3, axis=-1).astype(np.float32))
    parts = [np.full((part % 3, 3), 0.25 * part, np.float32) for part in range(18)]
    seen = read(json.dumps(ours.to_openpose_json(parts)), 18)
    assert seen.ids == [4, -1, 0]
    assert seen.spaces.shape == (3, 18, 4)
    np.testing.assert_allclose(seen.spaces[ours.known][:, :3], 1.5)
    np.testing.assert_allclose(seen.spaces[~ours.known], 0.0)
    for written, found in zip(parts, seen.candidates, strict=True):
        np.testing.assert_allclose(found, written)


def test_what_we_write_fits_the_schema(valid: Callable[[Any], Any]) -> None:
    for count in (0, 1, 4):
        valid(people(COCO_18, count).to_openpose_json())
    valid(people(COCO_18, 2).to_openpose_json([np.zeros((2, 3), np.float32)] * 18))
    ours = people(BODY_25, 2)
    valid(replace(ours, xyz=np.zeros((2, 25, 3), np.float32)).to_openpose_json())


def test_the_schema_takes_the_documentation_s_own_example(valid: Callable[[Any], Any]) -> None:
    lists = ("pose", "face", "hand_left", "hand_right")
    person: dict[str, Any] = {"person_id": [-1]}
    for kind in ("2d", "3d"):
        person |= {f"{name}_keypoints_{kind}": [582.349, 507.866, 0.845918] for name in lists}
    candidates = [
        {"0": [296.994, 258.976, 0.845918, 238.996, 365.027, 0.189116], "1": [381.024, 321.984, 0.587], "6": []}
    ]
    valid({"version": 1.3, "people": [person], "part_candidates": candidates})


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop("people"),
        lambda table: table.update(version=1.1),
        lambda table: table["people"][0].pop("person_id"),
        lambda table: table["people"][0].update(person_id=7),
        lambda table: table["people"][0]["pose_keypoints_2d"].append(None),
        lambda table: table["people"][0].update(score=0.5),
        lambda table: table.update(part_candidates={"0": []}),
    ],
)
def test_the_schema_refuses_what_is_not_of_that_form(
    change: Callable[[dict[str, Any]], Any], valid: Callable[[Any], Any]
) -> None:
    table = people(COCO_18, 1).to_openpose_json()
    valid(table)
    change(table)
    with pytest.raises(Exception, match="data"):
        valid(table)
