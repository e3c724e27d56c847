from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.options import InputOptions
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, TeacherConfig
from openpose_ros.training.teacher import Teacher

CPU = torch.device("cpu")


def config(card: Card, **changes: object) -> TeacherConfig:
    return replace(TeacherConfig(model=str(card.path), scales=[1.0], flip=False), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", ["1", "1,1.5"])
def test_the_teacher_says_what_the_estimator_would(
    random_card: Card, crops: Callable[..., Batch], flip: bool, scales: str
) -> None:
    student = replace(random_card, paf_offset=0.0, heat_offset=(0.0, 0.0))
    chosen = config(random_card, flip=flip, scales=[float(scale) for scale in scales.split(",")])
    batch = crops(1, (64, 96))
    said = Teacher(chosen, student, CPU)(batch)
    estimator = Estimator.load(str(random_card.path), backend="torch", precision="float32")
    image = np.ascontiguousarray(batch.images[0].permute(1, 2, 0).numpy())
    fields = estimator.fields([image], InputOptions(input_size="64", scales=scales, flip=flip))
    estimator.close()
    if flip or scales != "1":  # a single look is left as it lies, with its offsets
        far = np.abs(said.heatmaps[0].numpy() - fields.heatmaps[0])[:, 1:-1, 1:-1]
        # Pictures are enlarged by two libraries, which round differently.
        assert far.max() < 0.05 * np.abs(fields.heatmaps).max()
    else:
        assert said.heatmaps.shape == fields.heatmaps.shape


def test_without_offsets_to_change_a_single_look_is_passed_on(random_card: Card, crops: Callable[..., Batch]) -> None:
    batch = crops(2, (64, 96))
    said = Teacher(config(random_card), random_card, CPU)(batch)
    estimator = Estimator.load(str(random_card.path), backend="torch", precision="float32")
    images = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in batch.images]
    fields = estimator.fields(images, InputOptions(input_size="64"))
    estimator.close()
    np.testing.assert_allclose(said.heatmaps, fields.heatmaps, atol=1e-4)
    np.testing.assert_allclose(said.pafs, fields.pafs.reshape(said.pafs.shape), atol=1e-4)
    assert said.heat_weight.min() == said.paf_weight.min() == 1.0


def test_a_student_of_the_other_colour_order_sees_the_same_teacher(
    random_card: Card, crops: Callable[..., Batch]
) -> None:
    batch = crops(2)
    said = Teacher(config(random_card), random_card, CPU)(batch)
    turned = replace(batch, images=batch.images.flip(1))
    other = Teacher(config(random_card), replace(random_card, channels="RGB"), CPU)(turned)
    torch.testing.assert_close(said.heatmaps, other.heatmaps)


def test_a_finer_student_gets_finer_fields(random_card: Card, crops: Callable[..., Batch]) -> None:
    said = Teacher(config(random_card), replace(random_card, stride=4), CPU)(crops(1, (64, 96)))
    assert said.heatmaps.shape == (1, 19, 16, 24)
    assert said.pafs.shape == (1, 38, 16, 24)


def test_kept_answers_are_read_back_and_torn_ones_made_anew(
    random_card: Card, crops: Callable[..., Batch], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = Teacher(config(random_card, cache=str(tmp_path / "kept")), random_card, CPU)
    batch = crops(3)
    first = teacher(batch)
    files = sorted((tmp_path / "kept").rglob("*.npy"))
    assert len(files) == 3
    teacher._answers = lambda images: pytest.fail("asked again")  # type: ignore[method-assign]
    again = teacher(batch)
    torch.testing.assert_close(again.pafs, first.pafs, rtol=1e-3, atol=1e-3)
    del teacher._answers
    files[0].write_bytes(files[0].read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(teacher(batch).pafs, first.pafs, rtol=1e-3, atol=1e-3)
    assert f"{files[0]} is torn" in caplog.text
    assert len(np.load(files[0])) == 57


def test_teachers_that_cannot_teach_are_refused(random_card: Card) -> None:
    with pytest.raises(ConfigError, match=r"teacher.scales is \[\]; expected"):
        Teacher(config(random_card, scales=[]), random_card, CPU)
    fewer = replace(COCO_18, limbs=COCO_18.limbs[:-1], filling=frozenset())
    with pytest.raises(ConfigError, match="must have the same joints and limbs"):
        Teacher(config(random_card), replace(random_card, skeleton=fewer), CPU)
