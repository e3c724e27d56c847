"""What may change while the node runs, as one value that whoever works on an image holds on to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openpose_ros.options import (
    AdaptiveOptions,
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
    adaptive: AdaptiveOptions
    decode: DecodeOptions
    track: TrackOptions
    depth: DepthOptions
    markers: MarkerOptions
    draw: DrawOptions
    health: HealthOptions

    @property
    def size_in_words(self) -> str:
        """Of the network's input."""
        rate = self.adaptive.target_rate
        if not rate:
            return self.inputs.input_size
        return f"{' or '.join(self.adaptive.sizes())} for {rate:g} images/s of each camera"

    @classmethod
    def read(cls, values: Callable[[Any], Any]) -> Settings:
        """From a function that gives the current values of an option class."""
        return cls(
            node=values(PoseNodeOptions),
            inputs=values(InputOptions),
            adaptive=values(AdaptiveOptions),
            decode=values(DecodeOptions),
            track=values(TrackOptions),
            depth=values(DepthOptions),
            markers=values(MarkerOptions),
            draw=values(DrawOptions),
            health=values(HealthOptions),
        )
