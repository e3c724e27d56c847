"""A ROS domain of these tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def domain() -> Iterator[int]:
    """Its number, also in the environment of child processes; on this machine only."""
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")
    domains = pytest.importorskip("domain_coordinator", reason="needs domain_coordinator of ROS 2")
    with pytest.MonkeyPatch.context() as patch, domains.domain_id() as number:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        if os.environ.get("ROS_DISTRO") != "humble":
            patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number
