"""What is written down about the nodes is what they do."""

from pathlib import Path

import pytest
import yaml

from openpose_ros.ros.interface import FROM_CARD, INTERFACES, POSE_NODE, Interface
from openpose_ros.ros.manual import page, parameter_file, usage

ROOT = Path(__file__).resolve().parents[2]
REMEDY = "run python -m openpose_ros.ros.manual"


def test_parameter_file_is_that_of_the_options() -> None:
    assert (ROOT / "config" / "pose.yaml").read_text() == parameter_file(), REMEDY


def test_parameter_page_is_that_of_the_options() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == page(), REMEDY


def test_parameter_file_holds_the_default_of_every_parameter() -> None:
    values = yaml.safe_load(parameter_file())["/**"]["ros__parameters"]
    expected = {option.name: option.default for option in POSE_NODE.parameters() if option.name not in FROM_CARD}
    assert values == expected
    assert {name: type(value) for name, value in values.items()} == {n: type(v) for n, v in expected.items()}


def test_what_the_card_decides_is_in_the_parameter_file_as_a_comment() -> None:
    for name in FROM_CARD:
        assert f"# {name}: " in parameter_file()


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.name)
def test_every_parameter_has_one_name_and_a_description(interface: Interface) -> None:
    names = [option.name for option in interface.parameters()]
    assert len(names) == len(set(names))
    assert "use_sim_time" not in names
    assert all(option.description for option in interface.parameters())


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.name)
def test_usage_names_every_topic_and_parameter(interface: Interface) -> None:
    text = usage(interface)
    for name in [*interface.subscribes, *interface.publishes, *interface.services]:
        assert f"  {name} " in text
    for option in interface.parameters():
        assert f"  {option.name}:=" in text
    assert max(map(len, text.splitlines())) <= 110
