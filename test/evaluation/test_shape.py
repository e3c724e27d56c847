"""The shape of bodies: learned from annotated people, whatever their size, place and lean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from openpose_ros.benchmark.crowd import crowd
from openpose_ros.decode.complete import predict
from openpose_ros.evaluation.shape import annotated_people, fit_shape, save_shape
from openpose_ros.people import People
from openpose_ros.skeleton import BODY_25, COCO_17, COCO_18, MPI_15

Write = Callable[[list[tuple[tuple[int, int], People]]], tuple[Path, Path]]
SIZE = (480, 640)


@pytest.fixture(scope="module")
def bodies() -> np.ndarray:
    """Two hundred people of all sizes, places and leans."""
    random = np.random.default_rng(0)
    people = crowd(200, 4800, 6400)
    people = people - people.mean(1, keepdims=True)
    lean = np.exp(1j * random.normal(0, 0.2, (200, 1))) * random.uniform(0.2, 5, (200, 1))
    turned = (people[..., 0] + 1j * people[..., 1]) * lean
    return np.stack([turned.real, turned.imag], -1) + random.uniform(-500, 500, (200, 1, 2))


def test_the_mean_shape_is_that_of_the_people(bodies: np.ndarray) -> None:
    shape = fit_shape(bodies, COCO_18)
    assert shape.mean.shape == (18, 2)
    assert shape.covariance.shape == (36, 36)
    one = crowd(1, *SIZE)[0]
    one = one - one.mean(0)
    z, mean = one[:, 0] + 1j * one[:, 1], shape.mean[:, 0] + 1j * shape.mean[:, 1]
    likeness = abs(np.vdot(z, mean)) / np.linalg.norm(z) / np.linalg.norm(mean)
    assert likeness > 0.995
    np.testing.assert_allclose(shape.covariance, shape.covariance.T)
    assert np.linalg.eigvalsh(shape.covariance).min() > -1e-9


def test_the_shape_is_its_own_mirror_image(bodies: np.ndarray) -> None:
    mean = fit_shape(bodies, COCO_18).mean
    np.testing.assert_allclose(mean[list(COCO_18.mirrored)] * (-1, 1), mean, atol=1e-9)


def test_a_learned_shape_predicts_missing_joints(bodies: np.ndarray) -> None:
    truth = crowd(1, *SIZE, seed=77)
    known = np.ones((1, 18), bool)
    known[0, [4, 10, 13]] = False
    place, _ = predict(truth, known, fit_shape(bodies, COCO_18))
    assert np.hypot(*(place - truth)[0, [4, 10, 13]].T).max() < 0.08 * np.ptp(truth[0, :, 1])


def test_people_unlike_any_body_do_not_spoil_it(bodies: np.ndarray) -> None:
    wrong = bodies.copy()
    wrong[:10] = np.random.default_rng(1).uniform(0, 500, (10, 18, 2))
    np.testing.assert_allclose(fit_shape(wrong, COCO_18).mean, fit_shape(bodies, COCO_18).mean, atol=0.02)


def test_too_few_people_are_refused_with_their_number(bodies: np.ndarray) -> None:
    with pytest.raises(ValueError, match="179 people with every joint are too few .* at least 180"):
        fit_shape(bodies[:179], COCO_18)


def test_a_shape_is_saved_as_completion_reads_it(bodies: np.ndarray, tmp_path: Path) -> None:
    shape = fit_shape(bodies, COCO_18)
    save_shape(shape, tmp_path / "s.safetensors")
    tensors = load_file(tmp_path / "s.safetensors")
    np.testing.assert_allclose(tensors["mean"], shape.mean, atol=1e-6)
    np.testing.assert_allclose(tensors["covariance"], shape.covariance, atol=1e-6)


def test_annotated_people_have_a_neck_between_their_shoulders(coco_folder: Write) -> None:
    truth = crowd(3, *SIZE)
    truth[1, 9] = np.nan  # a person without a knee is left out
    path, _ = coco_folder([(SIZE, People.from_arrays(COCO_18, truth, SIZE))])
    people = annotated_people(path, COCO_18)
    assert people.shape == (2, 18, 2)
    order = [COCO_18.joint(name) for name in COCO_17.joints]
    np.testing.assert_allclose(people[:, order], truth[[0, 2]][:, order] + 0.5, atol=1e-3)
    shoulders = people[:, [COCO_18.joint("left_shoulder"), COCO_18.joint("right_shoulder")]].mean(1)
    np.testing.assert_allclose(people[:, COCO_18.joint("neck")], shoulders)


@pytest.mark.parametrize("skeleton", [MPI_15, BODY_25], ids=lambda skeleton: skeleton.name)
def test_a_skeleton_with_joints_that_coco_lacks_is_refused_with_the_joint(coco_folder: Write, skeleton: object) -> None:
    path, _ = coco_folder([(SIZE, People.from_arrays(COCO_18, crowd(1, *SIZE), SIZE))])
    with pytest.raises(ValueError, match="head|chest|toe|heel"):
        annotated_people(path, skeleton)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["{}", "[]", "{", json.dumps({"annotations": [{"id": 1}]})])
def test_a_file_that_is_no_coco_annotation_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=str(path)):
        annotated_people(path, COCO_18)
