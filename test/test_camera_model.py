"""Directions of pixels: the same as OpenCV's where that is right, exact up to the border, NaN where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros.camera_model import CameraModel

K = np.array([[420.0, 0.0, 310.5], [0.0, 415.0, 244.0], [0.0, 0.0, 1.0]])
WIDE = np.array([[300.0, 0.0, 319.5], [0.0, 300.0, 239.5], [0.0, 0.0, 1.0]])
SKEW = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
MODELS = {
    "none": CameraModel(640, 480, K),
    "plumb_bob": CameraModel(640, 480, K, np.array([-0.3, 0.12, 0.001, -0.0007, -0.02]), "plumb_bob"),
    "four": CameraModel(640, 480, K, np.array([0.15, -0.1, 0.002, 0.001]), "plumb_bob"),
    "strong": CameraModel(640, 480, WIDE, np.array([-0.22, 0.04, 0.0, 0.0]), "plumb_bob"),
    "rational": CameraModel(
        640, 480, K, np.array([0.6, -2.6, 0.0006, -0.0002, 1.5, 0.48, -2.4, 1.43]), "rational_polynomial"
    ),
    "equidistant": CameraModel(640, 480, WIDE, np.array([-0.01, 0.02, -0.012, 0.002]), "equidistant"),
    "skew": CameraModel(640, 480, K + SKEW, np.array([-0.2, 0.05, 0, 0]), "plumb_bob"),
}
every_model = pytest.mark.parametrize("camera", MODELS.values(), ids=MODELS)


def every_pixel(step: int = 7) -> Any:
    x, y = np.meshgrid([*range(0, 640, step), 639.5], [-0.5, *range(0, 480, step)])
    return np.stack([x, y], -1)


@every_model
def test_directions_meet_their_pixels_up_to_the_border(camera: CameraModel) -> None:
    pixels = every_pixel()
    rays = camera.rays(pixels)
    assert rays.shape == (*pixels.shape[:2], 3)
    assert (rays[..., 2] == 1).all()
    np.testing.assert_allclose(camera.project(3.7 * rays), pixels, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"skew"}))  # which OpenCV does not know
def test_places_are_projected_as_opencv_does(name: str) -> None:
    camera = MODELS[name]
    places = np.random.default_rng(0).uniform((-0.5, -0.4, 1.0), (0.5, 0.4, 2.0), (40, 3))
    none = np.zeros(3)
    if camera.distortion_model == "equidistant":
        expected = cv2.fisheye.projectPoints(places[:, None], none, none, camera.k, camera.d)[0]
    else:
        expected = cv2.projectPoints(places[:, None], none, none, camera.k, camera.d)[0]
    np.testing.assert_allclose(camera.project(places), expected[:, 0], rtol=0, atol=1e-6)


def test_a_straight_lens_is_the_camera_matrix_alone() -> None:
    camera = MODELS["none"]
    np.testing.assert_allclose(camera.rays([310.5, 244.0]), [0, 0, 1])
    np.testing.assert_allclose(camera.rays([310.5 + 420, 244.0 + 83]), [1, 0.2, 1])
    np.testing.assert_allclose(camera.project([1.0, 0.4, 2.0]), [310.5 + 210, 244.0 + 83])


def test_a_fisheye_without_coefficients_still_is_one() -> None:
    camera = CameraModel(640, 480, WIDE, np.zeros(4), "equidistant")
    assert camera.rays([319.5 + 300 * np.pi / 4, 239.5])[0] == pytest.approx(1.0)
    assert camera.project([1.0, 0.0, 1.0])[0] == pytest.approx(319.5 + 300 * np.pi / 4)


@every_model
def test_unknown_places_stay_unknown_and_alone(camera: CameraModel) -> None:
    pixels = np.array([[np.nan, np.nan], [100.0, 50.0], [np.nan, 3.0]])
    rays = camera.rays(pixels)
    assert np.isnan(rays[[0, 2]]).all()
    np.testing.assert_array_equal(rays[1], camera.rays(pixels[1]))
    assert np.isnan(camera.project(rays)[[0, 2]]).all()


@every_model
def test_any_shape_is_kept_even_an_empty_one(camera: CameraModel) -> None:
    assert camera.rays(np.empty((0, 18, 2))).shape == (0, 18, 3)
    assert camera.project(np.empty((0, 3))).shape == (0, 2)
    assert camera.rays(np.zeros(2)).shape == (3,)


def test_what_is_behind_the_camera_has_no_pixel() -> None:
    pixels = MODELS["plumb_bob"].project([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0], [0.1, 0.1, 1.0]])
    assert np.isnan(pixels).all(1).tolist() == [True, True, False]


def test_pixels_beyond_the_fold_of_a_polynomial_have_no_direction() -> None:
    camera = CameraModel(640, 480, WIDE, np.array([-0.3, 0.0, 0.0, 0.0]), "plumb_bob")
    # Its radius r (1 - 0.3 r²) grows up to r = 1.054 and never exceeds 0.7027.
    rays = camera.rays([[319.5 + 300 * 0.702, 239.5], [319.5 + 300 * 0.704, 239.5]])
    assert 1.0 < rays[0, 0] < 1.054
    assert np.isnan(rays[1]).all()


def test_pixels_outside_a_fisheye_s_half_space_have_no_direction() -> None:
    camera = CameraModel(1000, 480, WIDE, np.zeros(4), "equidistant")
    rays = camera.rays([[319.5 + 300 * 1.55, 239.5], [319.5 + 300 * 1.58, 239.5]])
    assert rays[0, 0] == pytest.approx(np.tan(1.55))
    assert np.isnan(rays[1]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": np.zeros((3, 3))}, "not calibrated"),
        ({"k": np.eye(4)}, r"\(4, 4\)"),
        ({"k": np.diag([-420.0, 415.0, 1.0])}, "above 0"),
        ({"k": np.diag([420.0, np.nan, 1.0])}, "expected fx, skew"),
        ({"k": np.diag([420.0, 415.0, 2.0])}, "expected fx, skew"),
        ({"width": 0}, "0x480"),
        ({"distortion_model": "brown"}, "'brown'; expected one of plumb_bob, .*none"),
        ({"d": np.zeros(3), "distortion_model": "plumb_bob"}, "3 coefficients; expected 0 or 4 or 5 or 8"),
        ({"d": np.zeros(5), "distortion_model": "equidistant"}, "5 coefficients; expected 0 or 4"),
        ({"d": np.ones(5), "distortion_model": ""}, "5 coefficients; expected 0"),
        ({"d": [0.1, np.inf, 0, 0], "distortion_model": "plumb_bob"}, "finite"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_numbers_that_describe_no_camera_are_refused_with_a_reason(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(MODELS["none"], **change)


@pytest.mark.parametrize("model", ["", "none", "plumb_bob", "rational_polynomial"])
def test_a_lens_without_distortion_may_say_so_in_any_way(model: str) -> None:
    for d in (np.zeros(0), np.zeros(5)):
        camera = CameraModel(640, 480, K, d, model)
        np.testing.assert_array_equal(camera.rays(every_pixel(40)), MODELS["none"].rays(every_pixel(40)))
