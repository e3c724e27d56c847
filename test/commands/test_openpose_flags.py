"""Command lines of CMU's OpenPose, as `predict` understands them."""

from __future__ import annotations

import re

import pytest

from openpose_ros.commands.openpose_flags import FLAGS, MAPS, REFUSED, SCALES, translated


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("--image_dir photos/", "photos/"),
        ("--image_dir=photos/ --display 0", "photos/"),
        ("--video walk.avi --write_json out/", "--video walk.avi --json-to out/ --no-pictures --no-video"),
        ("--video=walk.avi --write_video out.avi", "walk.avi --video-to out.avi --no-pictures --no-video"),
        ("--camera 2", "2"),
        ("--camera -1", "0"),
        ("--ip_camera rtsp://a.b/c", "rtsp://a.b/c"),
        ("-net_resolution 656x368 x.jpg", "--input-size 368x656 x.jpg"),
        ("--net_resolution -1x368 x.jpg", "--input-size 368xauto x.jpg"),
        ("--net_resolution=320x-1 x.jpg", "--input-size autox320 x.jpg"),
        ("x.jpg --scale_number 4 --scale_gap 0.25", "x.jpg --scales 1,0.75,0.5,0.25"),
        ("x.jpg --scale_number 2", "x.jpg --scales 1,0.75"),
        ("x.jpg --number_people_max 3", "x.jpg --max-people 3"),
        ("x.jpg --number_people_max -1 --fps_max -1 --frame_last -1", "x.jpg --last-frame -1"),
        ("v.avi --frame_first 3 --frame_last 9 --frame_step 2", "v.avi --first-frame 3 --last-frame 9 --frame-step 2"),
        ("v.avi --frame_flip --frame_rotate 90 --fps_max 5", "v.avi --mirror --rotate 90 --max-fps 5"),
        ("v.avi --noframe_flip --part_candidates=false", "v.avi"),
        ("v.avi --part_candidates true --keypoint_scale 3", "v.avi --candidates --keypoint-scale unit"),
        (
            "x.jpg --write_heatmaps h/ --heatmaps_add_PAFs --heatmaps_add_parts --heatmaps_scale 1 "
            "--write_heatmaps_format float",
            "x.jpg --maps-to h/ --maps-range unit --maps-format float --maps parts,pafs --no-pictures --no-video",
        ),
        ("x.jpg --part_to_show 3 --alpha_heatmap 0.5", "x.jpg --render pafs --map-opacity 0.5"),
        ("x.jpg --disable_blending", "x.jpg --on-black"),
        ("x.jpg --part_to_show 4", "x.jpg --render 0"),
        ("x.jpg --render_threshold 0.1 --alpha_pose 0.6", "x.jpg --render-threshold 0.1 --opacity 0.6"),
        ("x.jpg --write_images_format jpg", "x.jpg --picture-format jpg"),
        ("x.jpg --write_images o/", "x.jpg --pictures-to o/ --no-pictures --no-video"),
        ("x.jpg --write_coco_json c.json", "x.jpg --coco-json c.json --no-pictures --no-video"),
        ("x.jpg --render_pose 0", "x.jpg --no-pictures --no-video"),
        ("x.jpg --num_gpu 0", "x.jpg --device cpu"),
        ("x.jpg --num_gpu 1 --num_gpu_start 1", "x.jpg --device cuda:1"),
        ("x.jpg --model_pose BODY_25 --display 2", "x.jpg --model cmu_body25 --show"),
        ("x.jpg --face false --hand=0 --logging_level 3 --output_resolution -1x-1", "x.jpg"),
        ("x.jpg --json --video --output out --flip", "x.jpg --json --video --output out --flip"),
    ],
)  # fmt: skip
def test_what_means_the_same_is_taken(theirs: str, ours: str) -> None:
    assert translated(theirs.split()) == ours.split()


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ("--hand", "--hand of OpenPose is 'true': only bodies"),
        ("--face=true", "only bodies"),
        ("--body 0", "--body of OpenPose is '0': only bodies"),
        ("--tracking 5", "ids are given by pose_node"),
        ("--net_resolution 368", "expected width x height"),
        ("--net_resolution -1x-1", "expected width x height"),
        ("--keypoint_scale 9", "--keypoint_scale of OpenPose is '9': expected one of 0, 1, 2, 3, 4"),
        ("--num_gpu 4", "one GPU is used"),
        ("--maximize_positives", "--min-person-score 0"),
        ("--output_resolution 640x480", "the size of their frames"),
        ("--scale_number 5 --scale_gap 0.25", "5 scales of OpenPose"),
        ("--scale_number two", "a whole number"),
        ("--write_heatmaps out", "which maps"),
        ("--caffemodel_path x", "has no counterpart: `convert`"),
        ("--write_keypoint out", "--write_json"),
        ("--frame_step", "--frame_step of OpenPose needs a value"),
        ("--model_pose HAND", "expected one of COCO, BODY_25, MPI"),
    ],
)
def test_what_means_nothing_here_is_refused_with_what_to_do(theirs: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        translated(theirs.split())


def test_our_own_flags_stay_as_they_are() -> None:
    ours = [
        "a.png", "--input-size", "256x456", "--complete", "--no-video", "--pictures", "--min-person-score", "0.2",
        "--last-frame", "-1", "--render=pafs", "--", "-x",
    ]  # fmt: skip
    assert translated(ours) == ours


def test_no_flag_stands_in_two_tables() -> None:
    names = [*FLAGS, *REFUSED, *SCALES, *MAPS]
    assert len(names) == len(set(names))
