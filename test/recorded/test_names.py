"""Where the people of each image topic are."""

from __future__ import annotations

import pytest

from openpose_ros.bags import BagError
from openpose_ros.recorded.names import names_for


def test_one_camera_has_the_topics_of_the_node() -> None:
    assert names_for(["/camera/image_raw"])["/camera/image_raw"] == (
        "/poses",
        "/poses/skeleton",
        "/annotated/compressed",
    )


def test_several_cameras_have_theirs_beside_the_image() -> None:
    names = names_for(["/front/image_raw", "/back/image_raw/compressed"])
    assert names["/front/image_raw"] == ("/front/poses", "/front/poses/skeleton", "/front/annotated/compressed")
    assert names["/back/image_raw/compressed"].poses == "/back/poses"


def test_images_of_one_namespace_are_told_apart() -> None:
    names = names_for(["/stereo/left", "/stereo/right", "/image"])
    assert [name.poses for name in names.values()] == ["/stereo/left/poses", "/stereo/right/poses", "/poses"]


def test_the_name_may_be_chosen() -> None:
    assert names_for(["/a/image"], "/robot/people")["/a/image"].annotated == "/robot/annotated/compressed"
    assert names_for(["/a/image"], "people")["/a/image"].poses == "/a/people"
    assert names_for(["/a/image", "/b/image"], "who/poses")["/b/image"].skeleton == "/b/who/poses/skeleton"


@pytest.mark.parametrize(
    ("images", "poses", "told"),
    [
        (["/a/image", "/b/image"], "/poses", "/poses cannot hold the people of 2 image topics"),
        (
            ["/image", "/image/compressed"],
            "",
            "the people of /image and /image/compressed would both be on /image/poses",
        ),
        (["/image"], "my poses", "'my poses' is no name of a topic"),
        (["/image"], "/", "is no name of a topic"),
        (["/image"], "a//b", "is no name of a topic"),
    ],
)
def test_names_that_cannot_be_are_told(images: list[str], poses: str, told: str) -> None:
    with pytest.raises(BagError, match=told):
        names_for(images, poses)
