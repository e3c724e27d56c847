"""What the launch files start, for which arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from openpose_ros.commands import COMMANDS
from openpose_ros.ros.fastdds import VARIABLES
from openpose_ros.ros.interface import POSE_NODE, SOURCE_NODE

ROOT = Path(__file__).resolve().parents[2]
LEAST = {
    "pose.launch.py": {},
    "multi_camera.launch.py": {"cameras": "left,right"},
    "demo.launch.py": {"source": "0", "rviz": "false"},
}

Load = Callable[[str], Any]


@pytest.fixture(params=LEAST)
def least(request: pytest.FixtureRequest, load: Load) -> Any:
    """A launch file called with what it must be given, and what else one likes."""
    return lambda **given: load(request.param)(**{**LEAST[request.param], **given})


def test_only_executables_parameters_and_topics_that_exist(least: Any) -> None:
    nodes = least(model="mine", backend="synthetic", device="cpu", log_level="warn").nodes
    interfaces = {interface.name: interface for interface in (POSE_NODE, SOURCE_NODE)}
    assert "pose_node" in nodes
    for name, node in nodes.items():
        assert node.package == "openpose_ros"
        assert name in COMMANDS
        known = {option.name: option.kind for option in interfaces[name].parameters()}
        assert {parameter: type(value) for parameter, value in node.given.items()}.items() <= known.items()
        assert node.ros_arguments == ["--log-level", "warn"]
    topics = {topic.rpartition("/")[2] for topic, _ in nodes["pose_node"].remappings}
    assert topics <= set(POSE_NODE.subscribes)
    assert nodes["pose_node"].given.items() >= {"model": "mine", "backend": "synthetic", "device": "cpu"}.items()


def test_the_parameter_file_is_ours_unless_another_one_is_given(least: Any) -> None:
    (ours, *_) = least().nodes["pose_node"].parameters
    assert yaml.safe_load(Path(ours).read_text())["/**"]["ros__parameters"]["backend"] == "auto"
    assert least(params_file="mine.yaml").nodes["pose_node"].parameters[0] == "mine.yaml"


def test_every_node_is_in_the_namespace(least: Any) -> None:
    started = least(namespace="robot", rviz="true")
    assert {node.namespace for node in started.nodes.values()} == {"robot"}
    assert {topic[0] for node in started.nodes.values() for _, topic in node.remappings} & {"/"} == set()


@pytest.mark.parametrize("argument", [{"backend": "torhc"}, {"rviz": "treu"}])
def test_a_value_that_cannot_be_ends_the_launch_with_a_sentence(least: Any, argument: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"is '(torhc|treu)'; expected"):
        least(**argument)


def test_pose_sets_nothing_and_remaps_nothing_by_itself(load: Load) -> None:
    nodes = load("pose.launch.py")().nodes
    assert set(nodes) == {"pose_node"}
    assert len(nodes["pose_node"].parameters) == 1
    assert nodes["pose_node"].remappings == []
    assert nodes["pose_node"].ros_arguments == []


def test_pose_takes_topics_and_a_depth_image_switches_depth_on(load: Load) -> None:
    nodes = load("pose.launch.py")(
        image="/c/image_raw", camera_info="/c/info", depth="/c/depth", use_sim_time="true", image_transport="compressed"
    ).nodes
    assert nodes["pose_node"].remappings == [
        ("image", "/c/image_raw"),
        ("camera_info", "/c/info"),
        ("depth", "/c/depth"),
    ]
    assert nodes["pose_node"].given == {"depth": True, "use_sim_time": True, "image_transport": "compressed"}


@pytest.mark.parametrize("name", ["pose.launch.py", "multi_camera.launch.py"])
def test_the_node_is_started_anew_only_on_request(load: Load, name: str) -> None:
    launch = load(name)
    assert not launch(**LEAST[name]).nodes["pose_node"].respawn
    assert launch(**LEAST[name], respawn="true").nodes["pose_node"].respawn
    with pytest.raises(ValueError, match="respawn is 'ture'; expected true or false"):
        launch(**LEAST[name], respawn="ture")


def test_a_model_that_looks_like_a_number_stays_a_text(load: Load) -> None:
    node = load("pose.launch.py")(model="2024").nodes["pose_node"]
    assert node.given == {"model": "2024"}
    assert node.parameters[1]["model"].value_type is str


def test_cameras_share_one_node_and_each_has_its_topics(load: Load) -> None:
    file = load("multi_camera.launch.py")
    nodes = file(cameras="left, right").nodes
    assert set(nodes) == {"pose_node"}
    assert nodes["pose_node"].given == {"cameras": "left, right"}
    assert nodes["pose_node"].remappings == [("left/image", "left/image_raw"), ("right/image", "right/image_raw")]
    given = file(cameras="left,right", images="/a, /b", depths="/c,/d").nodes["pose_node"]
    assert given.given["depth"] is True
    assert given.remappings == [
        ("left/image", "/a"),
        ("right/image", "/b"),
        ("left/depth", "/c"),
        ("right/depth", "/d"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cameras": "left,right", "images": "/a"}, "images is '/a'; expected 2 topics .* for each of left, right"),
        ({"cameras": "left", "depths": "/a,/b"}, "depths is '/a,/b'; expected 1 topics"),
        ({"cameras": "left,right", "images": "/a,"}, "images is '/a,'"),
        ({"cameras": "left,left"}, "cameras is 'left,left'"),
        ({"cameras": ""}, "cameras is empty; expected names such as left,right"),
    ],
)
def test_cameras_that_do_not_fit_their_topics_are_refused(load: Load, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load("multi_camera.launch.py")(**arguments)


def test_demo_gives_the_source_its_settings_and_ends_with_it(load: Load) -> None:
    file = load("demo.launch.py")
    nodes = file(source="0", rate="5", loop="false").nodes
    assert nodes["source_node"].given == {"source": "0", "rate": 5.0, "loop": False, "wait": True}
    assert nodes["source_node"].parameters[-1]["source"].value_type is str
    assert [type(action).__name__ for action in nodes["source_node"].on_exit] == ["Shutdown"]
    assert [type(action).__name__ for action in nodes["rviz2"].on_exit] == ["Shutdown"]
    assert nodes["pose_node"].on_exit is None
    assert "rviz2" not in file(source="0", rviz="false").nodes
    with pytest.raises(ValueError, match="rate is 'fast'; expected a number"):
        file(source="0", rate="fast")


def test_demo_brings_the_fast_dds_profile_unless_the_user_has_one(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    file = load("demo.launch.py")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert file(source="0").environment == dict.fromkeys(VARIABLES, str(ROOT / "config" / "fastdds.xml"))
    monkeypatch.setenv(VARIABLES[1], "mine.xml")
    assert file(source="0").environment == {}


def test_rviz_is_started_on_request_and_finds_what_the_node_publishes(load: Load) -> None:
    file = load("pose.launch.py")
    assert "rviz2" not in file(rviz="false").nodes
    rviz = file(rviz="true", image="/c/image_raw", fixed_frame="base_link").nodes["rviz2"]
    assert rviz.arguments == ["-d", str(ROOT / "config" / "pose.rviz"), "-f", "base_link"]
    remaps = dict(rviz.remappings)
    assert remaps["/annotated"] == "annotated"
    assert remaps["/poses/markers"] == "poses/markers"
    assert {"annotated", "poses/markers"} <= set(POSE_NODE.publishes)
    if "/image" in remaps:
        assert (remaps["/image"], remaps["/camera_info"]) == ("/c/image_raw", "/c/camera_info")


def test_rviz_shows_every_camera(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rviz = load("multi_camera.launch.py")(cameras="left,right", rviz="true").nodes["rviz2"]
    assert dict(rviz.remappings) == {
        f"/{camera}/{topic}": f"{camera}/{topic}"
        for camera in ("left", "right")
        for topic in ("annotated", "poses/markers")
    }
    displays = yaml.safe_load(Path(rviz.arguments[1]).read_text())["Visualization Manager"]["Displays"]
    topics = [display["Topic"]["Value"] for display in displays if "Topic" in display]
    assert sorted(topics) == sorted(name for name, _ in rviz.remappings)
    assert len({display["Name"] for display in displays}) == len(displays)
    assert any(display["Class"] == "rviz_default_plugins/Grid" for display in displays)
