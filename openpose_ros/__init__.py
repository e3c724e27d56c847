"""Multi-person pose estimation for ROS 2: image in, people out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator as Estimator
    from openpose_ros.people import People as People

__version__ = "0.1.0"
__all__ = ["Estimator", "People"]

_HOMES = {"Estimator": "openpose_ros.estimator", "People": "openpose_ros.people"}


def __getattr__(name: str) -> Any:
    """Import on first use: ``import openpose_ros`` and ``--help`` stay instant."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
