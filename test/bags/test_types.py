"""The types that bags hold: ours are those that the nodes publish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")

from openpose_ros.bags import types

SOURCES = Path(__file__).resolve().parents[2] / "openpose_msgs" / "msg"


@pytest.mark.parametrize("file", sorted(types.TEXTS.glob("*.msg")), ids=lambda file: file.stem)
def test_texts_are_those_of_openpose_msgs(file: Path) -> None:
    assert file.read_text() == (SOURCES / file.name).read_text(), f"cp openpose_msgs/msg/{file.name} {types.TEXTS}"


def test_people_and_skeletons_are_known() -> None:
    fields = dict(types.ros2().fielddefs[types.PEOPLE][1])
    assert set(fields) == {"header", "skeleton", "image_width", "image_height", "people"}
    assert types.SKELETON in types.ros2().fielddefs


@pytest.mark.parametrize("name", ["Keypoint", "Person", "People", "Skeleton"])
def test_digests_are_those_that_ros_gives_the_types(name: str) -> None:
    packages = pytest.importorskip("ament_index_python.packages", reason="needs ROS 2")
    try:
        share = Path(packages.get_package_share_directory("openpose_msgs"))
    except packages.PackageNotFoundError:
        pytest.skip("needs openpose_msgs to be built")
    described = share / "msg" / f"{name}.json"
    if not described.is_file():
        pytest.skip("this ROS 2 has no digests")
    kind = f"openpose_msgs/msg/{name}"
    digests = {entry["type_name"]: entry["hash_string"] for entry in json.loads(described.read_text())["type_hashes"]}
    assert types.ros2().hash_rihs01(kind) == digests[kind]
