"""Settings from the image to people: the input, what runs the network, the decoder."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from openpose_ros.option import OptionSet, option


@dataclass(frozen=True)
class InputOptions(OptionSet):
    """What the network gets to see."""

    input_size: str = option(
        "368",
        "size of the network's input: one number is its short side in pixels, 256x456 a fixed height x width into "
        "which the image is fitted, 368xauto or autox656 a height or a width, the other by the image's shape",
        live=True,
    )
    max_long_side: int = option(
        1312,
        "bound on the long side of the network's input in pixels, so that a panorama costs no more; 0 is none",
        minimum=0,
        maximum=8192,
        live=True,
    )
    scales: str = option(
        "1",
        "several passes at these multiples of the input size, averaged, such as 1,1.5; each costs its own pass",
        live=True,
    )
    flip: bool = option(False, "average with the mirrored image: more accurate, twice the work", live=True)

    def __post_init__(self) -> None:
        self.size()
        self.scale_list()

    def size(self) -> tuple[int, int] | int:
        """(height, width) of a fixed input, one of them 0 where the image's shape decides it; or the short side."""
        match = re.fullmatch(r"([1-9]\d{0,4}|auto(?=x\d))(?:x([1-9]\d{0,4}|auto))?", self.input_size)
        sides = [] if match is None else [0 if side == "auto" else int(side) for side in match.groups() if side]
        if not sides or not all(side == 0 or 16 <= side <= 8192 for side in sides):
            raise ValueError(
                f"input_size is {self.input_size!r}; expected a short side such as 368, height x width such as "
                "256x456, or auto for one of the two, 16 to 8192 pixels"
            )
        return (sides[0], sides[1]) if len(sides) == 2 else sides[0]

    def scale_list(self) -> tuple[float, ...]:
        """The multiples of the input size, first the one whose grid the averaged fields have."""
        try:
            scales = tuple(float(part) for part in self.scales.split(","))
        except ValueError:
            scales = ()
        if not scales or not all(0.1 <= scale <= 8.0 for scale in scales):
            raise ValueError(f"scales is {self.scales!r}; expected numbers from 0.1 to 8 such as 1,1.5")
        return scales


@dataclass(frozen=True)
class AdaptiveOptions(OptionSet):
    """A size of the network's input that follows the load."""

    target_rate: float = option(
        0.0,
        "images a second of each camera to keep up with, by looking at the largest of adaptive_sizes that there is "
        "time for, the same for all cameras; 0 leaves input_size as it is",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )
    adaptive_sizes: str = option(
        "256,320,368,448",
        "the sizes to choose from, instead of input_size, all short sides or all height x width; it begins with the "
        "smallest",
        live=True,
    )

    def __post_init__(self) -> None:
        self.sizes()

    def sizes(self) -> tuple[str, ...]:
        """The sizes as ``input_size`` takes them, the smallest first."""
        names = [part.strip() for part in self.adaptive_sizes.split(",")]
        try:
            sides = {name: InputOptions(input_size=name).size() for name in names}
        except ValueError:
            sides = {}
        kinds = {type(side) for side in sides.values()}
        if len(sides) < 2 or len(sides) < len(names) or len(kinds) > 1 or "auto" in self.adaptive_sizes:
            raise ValueError(
                f"adaptive_sizes is {self.adaptive_sizes!r}; expected two or more different sizes of one kind, such as "
                "256,320,368 or 256x456,368x656"
            )
        return tuple(sorted(names, key=lambda name: math.prod(map(int, name.split("x")))))


@dataclass(frozen=True)
class BackendOptions(OptionSet):
    """What runs the network."""

    backend: str = option(
        "auto",
        "what runs the network; auto takes the fastest that works here and says which",
        choices=("auto", "tensorrt", "torch", "torch_compile", "openvino", "synthetic"),
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU when there is one")
    precision: str = option(
        "auto",
        "arithmetic of the network; int8 is for openvino and tensorrt, for networks that export has written in it, "
        "such as the bundled one; auto takes it on CPUs where it is there, else bfloat16 or float16 where the hardware "
        "is fast at it, else float32",
        choices=("auto", "float32", "bfloat16", "float16", "int8"),
    )
    hint: str = option(
        "latency",
        "what the openvino backend is to be quick at: latency, one image with all threads; throughput, several images "
        "at once with a share of the threads each, for bags, videos and several cameras",
        choices=("latency", "throughput"),
    )
    threads: int = option(0, "CPU threads of the network; 0 takes all cores there are", minimum=0, maximum=1024)


@dataclass(frozen=True)
class DecodeOptions(OptionSet):
    """From heatmaps and part affinity fields to people."""

    heat_threshold: float = option(
        0.01, "heat below which a local maximum is no candidate for a joint", minimum=0.001, maximum=1.0, live=True
    )
    max_candidates: int = option(
        256, "candidates a joint may have in one image, the strongest are kept", minimum=1, maximum=4096, live=True
    )
    samples: int = option(10, "points at which a limb's field is read", minimum=2, maximum=64, live=True)
    sample_threshold: float = option(
        0.0, "projected field above which a point supports the limb", minimum=-1.0, maximum=1.0, live=True
    )
    sample_ratio: float = option(
        0.3, "share of the points that must support a limb", minimum=0.0, maximum=1.0, live=True
    )
    min_joints: int = option(2, "people with fewer joints are dropped", minimum=2, maximum=25, live=True)
    min_person_score: float = option(
        0.0, "people with a lower score are dropped", minimum=0.0, maximum=1.0, live=True, from_card=True
    )
    min_joint_score: float = option(
        0.0,
        "joints with a lower score are unknown, after the people were scored",
        minimum=0.0,
        maximum=1.0,
        live=True,
        from_card=True,
    )
    max_people: int = option(
        0, "keep only so many people, the best-scored; 0 keeps all", minimum=0, maximum=1000, live=True
    )
    complete: bool = option(
        False,
        "place missing joints where the body's shape and the heat suggest; such joints are marked COMPLETED",
        live=True,
    )
