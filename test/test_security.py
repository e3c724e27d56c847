"""config/security/policy.xml allows what the nodes do, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from openpose_ros.ros.interface import INTERFACES, Interface

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "config" / "security" / "policy.xml"
PAGE = ROOT / "docs" / "security.md"

OF_LIFECYCLE = {
    "change_state",
    "get_state",
    "get_available_states",
    "get_available_transitions",
    "get_transition_graph",
}
OF_EVERY_NODE = {
    "describe_parameters", "get_parameter_types", "get_parameters", "list_parameters", "set_parameters",
    "set_parameters_atomically", "get_type_description",
}  # fmt: skip


def profiles() -> dict[str, ElementTree.Element]:
    """By the names of their nodes."""
    return {profile.attrib["node"]: profile for profile in ElementTree.parse(FILE).iter("profile")}


def allowed(node: str, kind: str, right: str) -> set[str]:
    """The names in all lists of one kind (topics, services) with one right."""
    lists = [entry for entry in profiles()[node].iter(kind) if entry.get(right) == "ALLOW"]
    return {str(name.text) for entry in lists for name in entry}


def covered(name: str, names: set[str]) -> bool:
    return any(fnmatch(name.replace("...", "x"), pattern) for pattern in names)


def wanted(interface: Interface) -> Iterator[tuple[str, str, str]]:
    """Kind of list, right and name of everything that the interface tells of."""
    for name in interface.subscribes:
        yield "topics", "subscribe", name
    for name in interface.publishes:
        yield "topics", "publish", name
    for name in interface.services:
        yield "services", "reply", name


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.name)
def test_every_topic_and_service_of_a_node_is_allowed(interface: Interface) -> None:
    missing = [
        (right, name)
        for kind, right, name in wanted(interface)
        if not covered(name, allowed(interface.name, kind, right))
    ]
    assert missing == []


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.name)
def test_nothing_is_allowed_that_the_node_does_not_do(interface: Interface) -> None:
    lifecycle = interface.name == "pose_node"
    known = {
        ("topics", "subscribe"): {*interface.subscribes, "/clock"},
        ("topics", "publish"): {*interface.publishes, "/rosout", "/parameter_events"}
        | ({"~/transition_event"} if lifecycle else set()),
        ("services", "reply"): {*interface.services}
        | {f"~/{name}" for name in OF_EVERY_NODE | (OF_LIFECYCLE if lifecycle else set())},
        ("topics", "request"): set(),
        ("services", "request"): set(),
    }
    for (kind, right), names in known.items():
        too_much = {
            pattern
            for pattern in allowed(interface.name, kind, right)
            if not any(fnmatch(name.replace("...", "x"), pattern) for name in names)
        }
        assert too_much == set(), right


def test_the_file_has_the_form_that_sros2_reads() -> None:
    # policy.xsd of sros2: policy/enclaves/enclave/profiles/profile, and lists with ALLOW or DENY of expressions.
    root = ElementTree.parse(FILE).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    assert [child.tag for child in root] == ["enclaves"]
    for enclave in root[0]:
        assert enclave.tag == "enclave"
        assert [child.tag for child in enclave] == ["profiles"]
        (profile,) = enclave[0]
        assert enclave.attrib["path"] == f"/openpose_ros/{profile.attrib['node']}"
        assert set(profile.attrib) == {"ns", "node"}
        for entry in profile:
            rights = {"topics": {"publish", "subscribe"}, "services": {"reply", "request"}}[entry.tag]
            assert set(entry.attrib) <= rights
            assert set(entry.attrib.values()) == {"ALLOW"}
            assert {child.tag for child in entry} == {entry.tag.removesuffix("s")}
    assert set(profiles()) == {interface.name for interface in INTERFACES}


def test_the_page_names_the_enclaves_and_the_file() -> None:
    page = PAGE.read_text()
    assert "config/security/policy.xml" in page
    for node in profiles():
        assert f"/openpose_ros/{node}" in page
