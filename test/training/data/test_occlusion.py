"""People pasted over crops: their pixels, their joints, their mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.config import CropConfig, RunConfig, SourceConfig
from openpose_ros.training.data import Crops, Sample
from openpose_ros.training.data.centres import Centre
from openpose_ros.training.data.crop import Crop, Cropper
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.regions import Region, box_region


def made(grey: int, outline: Region | None, ignored: tuple[Region, ...] = ()) -> Sample:
    """A person of 60 x 80 pixels in the middle of a photo of one grey, with every joint somewhere on a dot."""
    image = np.full((184, 184, 3), grey, np.uint8)
    cv2.circle(image, (92, 92), 3, (255, 255, 255), cv2.FILLED)
    people = np.full((1, 18, 2), (92.0, 92.0), np.float32)
    picture = Picture(data=cv2.imencode(".png", image)[1].tobytes())
    box = np.array([[62.0, 52.0, 122.0, 132.0]], np.float32)
    return Sample(
        picture, "photo", people, box, np.array([4800.0], np.float32), np.array([17]), np.ones(18, np.bool_),
        (outline,), ignored,
    )  # fmt: skip


def cut(target: Sample, donor: Callable[..., Any] | None, seed: int = 1) -> Crop:
    crop = CropConfig(height=184, width=184, occlusion=1.0, rotation=0.0, shift=0.0, flip=0.0, scale=[1.0, 1.0])
    return Cropper(crop, COCO_18, 8, 128)(target, Centre(92.0, 92.0, 80.0), np.random.default_rng(seed), donor)


@pytest.mark.parametrize("seed", range(5))
def test_the_pasted_person_s_dot_lies_under_their_joint_and_their_outline_is_all_that_changes(seed: int) -> None:
    person = made(200, box_region((62.0, 52.0, 122.0, 132.0)))
    plain, pasted = cut(made(20, None), None, seed), cut(made(20, None), lambda generator: (person, 0), seed)
    changed = (pasted.image != plain.image).any(-1)
    assert changed.any()
    assert set(np.unique(pasted.image[changed])) >= {200}
    assert len(pasted.joints) == 2
    np.testing.assert_array_equal(pasted.joints[0], plain.joints[0])
    x, y = (round(float(value)) for value in pasted.joints[1, 0])
    if 0 <= x < 184 and 0 <= y < 184:
        assert pasted.image[y, x, 0] > 240
        rows = np.nonzero(changed)[0]
        assert abs((rows.min() + rows.max()) / 2 - y) < 40


def test_where_a_pasted_person_stands_the_loss_counts_and_who_is_covered_stays_labelled() -> None:
    everything = box_region((-500.0, -500.0, 800.0, 800.0))
    person = made(200, box_region((62.0, 52.0, 122.0, 132.0)))
    masked = cut(made(20, None, (everything,)), lambda generator: (person, 0))
    assert 0 < masked.mask.mean() < 0.9
    assert np.isfinite(masked.joints).all()
    assert masked.labelled.all()


@pytest.mark.parametrize("nobody", [lambda generator: None, lambda generator: (made(200, None), 0)])
def test_where_nobody_can_be_had_the_crop_stays_as_it_is(nobody: Callable[..., Any]) -> None:
    plain, same = cut(made(20, None), None), cut(made(20, None), nobody)
    np.testing.assert_array_equal(plain.image, same.image)
    assert len(same.joints) == 1


def test_only_people_with_an_outline_and_enough_joints_are_pasted(
    card: Card,
    coco: Callable[..., SourceConfig],
    dots: Callable[..., npt.NDArray[np.uint8]],
    person: Callable[..., dict[str, Any]],
    body: Callable[[float, float, float], npt.NDArray[np.float64]],
    tmp_path: Path,
) -> None:
    points = body(120.0, 100.0, 120.0)
    outline = [[80.0, 40.0, 160.0, 40.0, 160.0, 160.0, 80.0, 160.0]]
    photos = [
        (dots(200, 240, points), [person(points, segmentation=segmentation)]) for segmentation in (outline, None, None)
    ]
    config = RunConfig(name="test", card="tiny")
    config.data.crop.height = config.data.crop.width = 64
    config.data.crop.occlusion = 1.0
    config.data.sources = [coco(photos)]
    crops = Crops(config, card)
    counts = [len(crops.at(position).crop.joints) for position in range(30)]
    assert set(counts) == {1, 2}
    assert np.mean(counts) > 1.6
