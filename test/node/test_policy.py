"""What a running node really has on the ROS graph is what config/security/policy.xml allows it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")

from openpose_msgs.msg import People
from visualization_msgs.msg import MarkerArray

from openpose_ros.ros.pose_node import PoseNode
from openpose_ros.ros.source_node import SourceNode

POLICY = Path(__file__).resolve().parents[2] / "config" / "security" / "policy.xml"


def allowed(node: str, kind: str, right: str) -> set[str]:
    """Full names."""
    (profile,) = (p for p in ElementTree.parse(POLICY).iter("profile") if p.attrib["node"] == node)
    lists = [entry for entry in profile.iter(kind) if entry.get(right) == "ALLOW"]
    names = {str(name.text) for entry in lists for name in entry}
    return {name.replace("~", f"/{node}") if name[0] == "~" else f"/{name.lstrip('/')}" for name in names}


def there(node: Any) -> dict[tuple[str, str], set[str]]:
    """What a node has, by its own knowledge: others may learn of it late."""
    name = node.get_name()
    queries = {
        ("topics", "publish"): node.get_publisher_names_and_types_by_node,
        ("topics", "subscribe"): node.get_subscriber_names_and_types_by_node,
        ("services", "reply"): node.get_service_names_and_types_by_node,
    }
    return {key: {found for found, _ in query(name, "/")} for key, query in queries.items()}


def test_pose_node_has_nothing_on_the_graph_that_the_policy_forbids(graph: Any, loader: Any) -> None:
    node = graph.run(PoseNode, ["-p", "depth:=true"], load=loader)
    graph.listen(People, "poses")
    graph.listen(MarkerArray, "poses/markers")
    graph.until(lambda: {"/image", "/depth", "/camera_info"} <= there(node)["topics", "subscribe"])
    graph.until(lambda: "/pose_node/set_enabled" in there(node)["services", "reply"])
    for (kind, right), names in there(node).items():
        rights = allowed("pose_node", kind, right)
        assert [name for name in names if not any(fnmatch(name, pattern) for pattern in rights)] == [], right


def test_source_node_has_nothing_on_the_graph_that_the_policy_forbids(graph: Any, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    node = graph.run(SourceNode, ["-p", f"source:={tmp_path}"])
    graph.until(lambda: {"/image", "/camera_info"} <= there(node)["topics", "publish"])
    for (kind, right), names in there(node).items():
        assert names <= allowed("source_node", kind, right), right
