"""What ``benchmark end-to-end`` shows to the camera, runs, and concludes; the way through ROS is in test/node."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="needs pycocotools")

from openpose_ros.benchmark.baseline import TextbookEstimator
from openpose_ros.benchmark.end_to_end import Setup, alone, at_equal_accuracy, pictures, rows, versus, with_accuracy
from openpose_ros.commands.end_to_end import end_to_end_flags, end_to_end_plan
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation import textbook
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.options import BackendOptions

SYNTHETIC = BackendOptions(backend="synthetic")


def asked(*given: str) -> Any:
    parser = argparse.ArgumentParser()
    end_to_end_flags(parser)
    BackendOptions.add_arguments(parser)
    return end_to_end_plan(parser.parse_args(given))


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (97, 331)])
def test_the_camera_shows_photos_of_its_size(size: tuple[int, int]) -> None:
    try:
        shown = pictures(*size)
    except ValueError as error:
        pytest.skip(str(error))
    assert len(shown) >= 2
    for picture in shown:
        assert picture.shape == (size[1], size[0], 3)
        assert picture.flags.c_contiguous
        assert picture.std() > 20.0


def test_one_network_and_the_textbook_s_decoder_are_measured_unless_asked_otherwise() -> None:
    plan = asked("--backend", "openvino", "--precision", "float32", "--model", "some")
    options = BackendOptions(backend="openvino", precision="float32")
    assert plan.setups == (Setup("some", options), Setup("some", options, textbook=True))
    assert plan.sizes == ((256, 456), (368, 656))
    assert plan.cameras == ((640, 480), (1280, 720))
    assert (plan.rates, plan.loss, plan.photos) == ((10.0, 30.0), 0.02, None)


def test_more_networks_and_another_baseline_can_be_asked_for() -> None:
    plan = asked("--also", "openvino:int8", "torch:float32:other", "--baseline", "int8:zoo", "--threads", "2")
    assert plan.setups == (
        Setup("", BackendOptions(threads=2)),
        Setup("", BackendOptions("openvino", precision="int8", threads=2)),
        Setup("other", BackendOptions("torch", precision="float32", threads=2)),
        Setup("zoo", BackendOptions("openvino", precision="int8", threads=2), textbook=True),
    )
    assert [setup.textbook for setup in asked("--baseline", "none").setups] == [False]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--also", "caffe:float32"), "backend is 'caffe'"),
        (("--baseline", "float7"), "precision is 'float7'"),
        (("--annotations", "a.json"), "--annotations and --images go together"),
        (("--accuracy-only",), "--accuracy-only needs --annotations and --images"),
        (("--annotations", "a.json", "--images", "nowhere"), "no annotation file a.json"),
    ],
)
def test_what_cannot_be_measured_is_told_before_the_work(given: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        asked(*given)


@pytest.mark.parametrize("is_textbook", [False, True])
def test_the_network_alone_and_the_accuracy_stand_beside_each_configuration(
    is_textbook: bool, coco_folder: Callable[..., tuple[Path, Path]]
) -> None:
    blank = np.zeros((48, 64, 3), np.uint8)
    found = alone(Setup("", SYNTHETIC, is_textbook), (64, 96), blank, None)
    assert found["network_ms_median"] > 0.0
    assert (found["backend"], found["precision"], found["size"]) == ("synthetic", "float32", "64x96")
    assert found["decoder"] == ("textbook" if is_textbook else "openpose_ros")
    people = Estimator.load("", "synthetic")(np.zeros((480, 640, 3), np.uint8))
    photos = AnnotatedPhotos(*coco_folder([((480, 640), people)]))
    assert 50.0 < alone(Setup("", SYNTHETIC, is_textbook), (368, 656), blank, photos)["AP"] <= 100.0


def test_the_baseline_finds_what_the_textbook_decoder_finds() -> None:
    estimator = TextbookEstimator.load("", "synthetic")
    image = np.zeros((480, 640, 3), np.uint8)
    job = estimator.submit([image])
    job.wait()
    (found,) = job.result()
    expected = textbook.decode(estimator.fields([image]))
    assert len(found) > 0
    np.testing.assert_array_equal(found.xy, expected.xy)
    assert set(job.milliseconds) == {"preprocess", "network", "textbook"}


def test_decoders_are_compared_at_equal_sizes_only() -> None:
    row = {"size": "64x96", "camera": "64x48", "mode": "peak", "model": "some", "precision": "int8"}
    measured = [
        {**row, "decoder": "openpose_ros", "fps": 30.0},
        {**row, "decoder": "openpose_ros", "fps": 90.0, "size": "32x48"},
        {**row, "decoder": "openpose_ros", "fps": 10.0, "mode": "10 Hz"},
        {**row, "decoder": "textbook", "fps": 12.0, "model": "plain"},
    ]
    (sentence,) = versus(measured)
    assert "30.0 frames/s, 2.50 times those of plain in int8" in sentence


CONFIGURED = {"backend": "openvino", "precision": "int8", "model": "some"}


def a_peak(decoder: str, size: str, fps: float, ap: float | None = None, **more: Any) -> dict[str, Any]:
    return {
        **CONFIGURED,
        "mode": "peak",
        "camera": "64x48",
        "decoder": decoder,
        "size": size,
        "fps": fps,
        "AP": ap,
        **more,
    }


def test_accuracy_of_another_run_stands_beside_the_speed_of_the_same_configuration() -> None:
    accuracy = {**CONFIGURED, "mode": "accuracy", "decoder": "openpose_ros", "size": "64x96", "AP": 50.0}
    speeds = [
        a_peak("openpose_ros", "64x96", 9.0),
        a_peak("openpose_ros", "32x48", 20.0),
        a_peak("textbook", "64x96", 8.0),
    ]
    assert [row["AP"] for row in with_accuracy([*speeds, accuracy])] == [50.0, None, None]


def test_at_equal_accuracy_the_fastest_configuration_that_is_as_good_is_compared() -> None:
    measured = [
        a_peak("openpose_ros", "64x96", 10.0, 52.0),
        a_peak("openpose_ros", "48x72", 20.0, 47.0),
        a_peak("openpose_ros", "32x48", 40.0, 45.9),
        a_peak("openpose_ros", "48x72", 90.0, 47.0, camera="1x1"),
        a_peak("textbook", "64x96", 8.0, 46.0),
        a_peak("textbook", "128x192", 1.0, 60.0),
    ]
    (sentence,) = at_equal_accuracy(measured)
    assert "some at 48x72 is as accurate" in sentence
    assert "at 2.50 times its frames/s" in sentence


def test_accuracy_alone_needs_no_ros(coco_folder: Callable[..., tuple[Path, Path]]) -> None:
    people = Estimator.load("", "synthetic")(np.zeros((480, 640, 3), np.uint8))
    annotations, images = coco_folder([((480, 640), people)])
    given = ("--annotations", str(annotations), "--images", str(images))
    plan = asked("--backend", "synthetic", "--accuracy-only", "--size", "368x656", "--baseline", "none", *given)
    assert plan.cameras == ()
    (row,) = rows(plan)
    assert row["mode"] == "accuracy"
    assert 50.0 < row["AP"] <= 100.0
    assert "network_ms_median" not in row
