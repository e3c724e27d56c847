"""Crops: every pixel where the numbers say it is, masks, and randomness only where it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.options import InputOptions
from openpose_ros.preprocess import plan, prepare
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.config import ConfigError, CropConfig
from openpose_ros.training.data.centres import WHOLE, Centre
from openpose_ros.training.data.crop import Crop, Cropper, by_cell, near
from openpose_ros.training.data.picture import PhotoError, Picture
from openpose_ros.training.data.regions import Region, box_region, coco_region
from openpose_ros.training.data.sample import Sample

Dots = Callable[..., npt.NDArray[np.uint8]]

STILL: dict[str, Any] = {"rotation": 0.0, "shift": 0.0, "flip": 0.0, "scale": [1.0, 1.0]}


def encoded(image: npt.NDArray[np.uint8], ending: str = ".png") -> Picture:
    return Picture(data=cv2.imencode(ending, image, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes())


def sample(
    picture: Picture, places: list[tuple[float, float]], ignored: tuple[Region, ...] = (), **more: Any
) -> Sample:
    """One person whose first joints are at these places."""
    people = np.full((1, 18, 2), np.nan, np.float32)
    people[0, : len(places)] = places
    low, high = np.nanmin(people[0], 0), np.nanmax(people[0], 0)
    return Sample(
        picture, "photo", people, np.concatenate([low, high])[None], np.array([5000.0], np.float32), np.array([6]),
        np.ones(18, np.bool_), (None,), ignored, **more,
    )  # fmt: skip


def cut(found: Sample, centre: Centre, seed: int = 0, **settings: Any) -> Crop:
    crop = CropConfig(height=184, width=240, **settings)
    return Cropper(crop, COCO_18, 8, 128)(found, centre, np.random.default_rng(seed))


def brightest(image: npt.NDArray[np.uint8], near_to: npt.NDArray[np.float32], reach: int) -> npt.NDArray[np.float64]:
    """Centre of the light around a place."""
    x, y = (round(float(value)) for value in near_to)
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    light = image[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float) - 128.0
    light = np.where(light > 4.0, light, 0.0)
    return np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()


PLACES = [(200.0, 150.0), (230.4, 170.75), (170.3, 120.1), (215.5, 118.5), (180.0, 185.0)]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize(
    ("height", "size"),
    [(90.0, 1), (160.0, 1), (400.0, 3), (820.0, 6)],
    ids=["larger", "about equal", "at 0.45", "at 0.2"],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_dot_lands_where_its_joint_lands(dots: Dots, ending: str, height: float, size: int, seed: int) -> None:
    places = [(x * size, y * size) for x, y in PLACES]
    # Odd sizes: at a half, the last column stands for a single one.
    image = dots(301 * size, 401 * size, np.array(places), 3.0 * size)
    found = sample(encoded(image, ending), places)
    centre = Centre(200.0 * size, 150.0 * size, height * 1.0)
    got = cut(found, centre, seed, scale=[1.0, 1.0], stretch=0.3, shift=10.0, person=1.0)
    seen = 0
    for place in got.joints[0, :5]:
        reach = max(4, round(9 * 184 / height * size))
        if np.all(place > reach + 1) and np.all(place < (239 - reach, 183 - reach)):
            np.testing.assert_allclose(brightest(got.image, place, reach), place, atol=0.1)
            seen += 1
    assert seen >= 1


def test_a_mirrored_crop_swaps_left_and_right_and_its_dots_stay_under_their_joints(dots: Dots) -> None:
    image = dots(300, 400, np.array(PLACES))
    found = sample(encoded(image), PLACES)
    plain = cut(found, Centre(200.0, 150.0, 150.0), **STILL)
    mirrored = cut(found, Centre(200.0, 150.0, 150.0), **{**STILL, "flip": 1.0})
    np.testing.assert_array_equal(mirrored.image, plain.image[:, ::-1])
    swapped = mirrored.joints[:, list(COCO_18.mirrored)]
    np.testing.assert_allclose(swapped[..., 0], 239 - plain.joints[..., 0], atol=1e-4)
    np.testing.assert_allclose(swapped[..., 1], plain.joints[..., 1], atol=1e-4)
    left, right = COCO_18.joint("left_shoulder"), COCO_18.joint("right_shoulder")
    assert np.isfinite(mirrored.joints[0, left]).all()
    assert np.isnan(mirrored.joints[0, right]).all() == np.isnan(plain.joints[0, left]).all()


def test_a_person_is_as_tall_as_the_settings_say_and_in_the_middle(dots: Dots) -> None:
    found = sample(encoded(dots(300, 400, np.array(PLACES))), PLACES)
    got = cut(found, Centre(200.0, 150.0, 80.0), **STILL, person=0.5)
    np.testing.assert_allclose(got.joints[0, 0], (119.5, 91.5), atol=1e-4)
    factor = 0.5 * 184 / 80
    np.testing.assert_allclose(got.joints[0, 1] - got.joints[0, 0], np.array([30.4, 20.75]) * factor, atol=1e-3)


def test_what_no_photo_covers_has_the_padding_s_value() -> None:
    found = sample(encoded(np.full((100, 100, 3), 30, np.uint8)), [(50.0, 50.0), (60.0, 60.0)])
    got = cut(found, Centre(50.0, 50.0, 100.0), **STILL, person=0.5)
    assert (got.image[0] == 128).all() and (got.image[:, 0] == 128).all()
    assert (got.image[92, 120] == 30).all()


def test_ignored_people_carry_no_loss_and_cells_that_they_half_cover_half() -> None:
    image = np.full((184, 240, 3), 90, np.uint8)
    # Pixels 40 .. 79 by 60 .. 99: cells 5 .. 9 across, and down from the middle of cell 7 to that of cell 12.
    found = sample(encoded(image), [(119.5, 91.5)], (box_region((40.0, 60.0, 79.0, 99.0)),))
    got = cut(found, Centre(119.5, 91.5, 184.0), **STILL, person=1.0)
    assert got.mask.shape == (23, 30)
    assert (got.mask[8:12, 5:10] == 0.0).all()
    assert (got.mask[7, 5:10] == 0.5).all()
    assert got.mask.sum() == 23 * 30 - 25


def test_a_crowd_in_run_lengths_is_masked_where_it_lies() -> None:
    from pycocotools import mask as coco_mask

    flat = np.zeros((184, 240), np.uint8)
    flat[16:32, 40:64] = 1
    compressed = coco_mask.encode(np.asfortranarray(flat))
    changes = np.flatnonzero(np.diff(np.concatenate([[2], flat.ravel("F"), [2]])))
    counts = [int(value) for value in np.diff(changes)]
    for form in ({"size": [184, 240], "counts": compressed["counts"]}, {"size": [184, 240], "counts": counts}):
        region = coco_region(form)
        assert region is not None
        found = sample(encoded(np.full((184, 240, 3), 90, np.uint8)), [(119.5, 91.5)], (region,))
        got = cut(found, Centre(119.5, 91.5, 184.0), **STILL, person=1.0)
        assert (got.mask[2:4, 5:8] == 0.0).all()
        assert got.mask.sum() == 23 * 30 - 6


def test_outside_of_the_only_labelled_person_nothing_carries_loss() -> None:
    confined = np.array([40.0, 60.0, 79.0, 99.0], np.float32)
    found = sample(encoded(np.full((184, 240, 3), 90, np.uint8)), [(60.0, 80.0)], confined=confined)
    got = cut(found, Centre(119.5, 91.5, 184.0), **STILL, person=1.0)
    assert (got.mask[8:12, 5:10] == 1.0).all()
    assert got.mask.sum() == 25


def test_joints_outside_keep_their_place_and_only_people_far_away_are_left_out() -> None:
    people = np.full((4, 18, 2), np.nan, np.float32)
    people[0, :2] = [(-300.0, 50.0), (400.0, 60.0)]  # a limb right across
    people[1, :2] = [(250.0, 20.0), (260.0, 20.0)]  # their heat may reach in
    people[2, :2] = [(500.0, 20.0), (510.0, 20.0)]
    kept = near(people, (184, 240))
    assert len(kept) == 2
    np.testing.assert_array_equal(kept[0, :2], people[0, :2])


def test_a_crop_is_a_pure_function_of_its_generator(dots: Dots) -> None:
    found = sample(encoded(dots(300, 400, np.array(PLACES))), PLACES)
    one, same, other = (cut(found, Centre(200.0, 150.0, 150.0), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.joints, same.joints)
    assert (one.image != other.image).any()


def test_a_whole_photo_is_as_large_as_the_settings_say_and_all_of_it_comes_into_view() -> None:
    image = np.full((100, 150, 3), 30, np.uint8)
    found = Sample.unlabelled(encoded(image), "photo", 18)
    settings = {"rotation": 0.0, "flip": 0.0, "whole": [0.5, 0.5]}
    covered = [(cut(found, WHOLE, seed, **settings).image[..., 0] == 30).sum() for seed in range(5)]
    assert min(covered) > 0.8 * 92 * 138
    assert not cut(found, WHOLE, **settings).labelled.any()


def test_without_augmentation_a_crop_is_what_validation_sees() -> None:
    image = np.random.default_rng(0).integers(0, 255, (92, 240, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, None, 3.0)  # so that the two kernels agree
    found = sample(encoded(image), [(100.0, 50.0)])
    crop = CropConfig(height=184, width=400)
    got = Cropper(crop, COCO_18, 8, 128, augmented=False)(found, Centre(100.0, 50.0, 20.0), np.random.default_rng(0))
    grid = plan((92, 240), InputOptions(input_size="184x400"), 8)
    inside = np.s_[4:-4, 4:-4]  # the border is where the two kernels differ
    difference = got.image[inside].astype(float) - prepare([image], [grid], 128).images[0][inside]
    assert np.abs(difference).mean() < 0.5
    np.testing.assert_allclose(grid.to_image(grid.to_cells(np.array([100.0, 50.0]))), (100.0, 50.0))
    np.testing.assert_allclose(got.joints[0, 0], grid.to_cells(np.array([100.0, 50.0])) * 8 + 3.5, rtol=1e-5)


def test_a_photo_of_another_size_than_stated_is_refused_by_both_sizes() -> None:
    found = sample(encoded(np.zeros((100, 150, 3), np.uint8), ".jpg"), [(50.0, 50.0)], size=(100, 151))
    with pytest.raises(PhotoError, match="150x100 pixels, annotated as 151x100"):
        cut(found, Centre(50.0, 50.0, 50.0))


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.6])
def test_a_torn_jpeg_is_refused(keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 150, 3), dtype=np.uint8)
    data = encoded(noise, ".jpg").read()
    with pytest.raises(PhotoError, match="photo (unreadable|cut short)"):
        cut(sample(Picture(data=data[: int(len(data) * keep)]), [(50.0, 50.0)]), Centre(50.0, 50.0, 50.0))


class Darken:
    """An augmentation of somebody's own."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, image: Any, joints: Any, mask: Any, generator: np.random.Generator) -> Any:
        assert mask.shape == image.shape[:2]
        return image - self.by, joints + generator.uniform(1.0, 1.0), mask * 0


def test_an_augmentation_of_one_s_own_changes_image_joints_and_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openpose_ros.training.data.Darken", Darken, raising=False)
    found = sample(encoded(np.full((184, 240, 3), 90, np.uint8)), [(119.5, 91.5)])
    centre = Centre(119.5, 91.5, 184.0)
    extra = [{"type": "openpose_ros.training.data.Darken", "by": 7}]
    plain, own = cut(found, centre, **STILL), cut(found, centre, **STILL, extra=extra)
    np.testing.assert_array_equal(own.image, plain.image - 7)
    np.testing.assert_allclose(own.joints, plain.joints + 1.0)
    assert not own.mask.any()


@pytest.mark.parametrize(
    ("setting", "value"), [("height", 100), ("scale", [1.0, 0.5]), ("whole", [1.0]), ("flip", 1.5), ("person", 0.0)]
)
def test_a_setting_that_cannot_work_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"data\.crop\.{setting} is"):
        Cropper(CropConfig(**{setting: value}), COCO_18, 8, 128)


def test_cells_average_their_pixels() -> None:
    mask = np.zeros((8, 16), np.uint8)
    mask[:4, 8:] = 1
    np.testing.assert_array_equal(by_cell(mask, 8), [[0.0, 0.5]])
