"""What may change while the node runs, as one value that whoever works on an image holds on to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openpose_ros.options import (
    DecodeOptions,
    DepthOptions,
    DrawOptions,
    HealthOptions,
    InputOptions,
    MarkerOptions,
    PoseNodeOptions,
    TrackOptions,
)


@dataclass(frozen=True)
class Settings:
    """All live options of the pose node."""

    node: PoseNodeOptions
    inputs: InputOptions
    decode: DecodeOptions
    track: TrackOptions
    depth: DepthOptions
    markers: MarkerOptions
    draw: DrawOptions
    health: HealthOptions

    @classmethod
    def read(cls, values: Callable[[Any], Any]) -> Settings:
        """From a function that gives the current values of an option class."""
        return cls(
            node=values(PoseNodeOptions),
            inputs=values(InputOptions),
            decode=values(DecodeOptions),
            track=values(TrackOptions),
            depth=values(DepthOptions),
            markers=values(MarkerOptions),
            draw=values(DrawOptions),
            health=values(HealthOptions),
        )
