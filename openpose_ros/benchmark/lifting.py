"""``benchmark lifting``: how far places in space are from the truth in rendered rooms, and what they cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from openpose_ros.benchmark.depth_scene import CAMERA, Scene, scene
from openpose_ros.benchmark.table import summary, timed
from openpose_ros.lifting import lift
from openpose_ros.options import DepthOptions
from openpose_ros.people import People

Places = npt.NDArray[np.float32]

ROOMS: dict[str, dict[str, Any]] = {
    "room": {},
    "near wall": {"wall": 2.5},
    "counter": {"counter": True},
    "half size": {"depth_size": (240, 320)},
}
"""Kinds of rooms: 7 m deep; a wall close behind everybody; half hidden by a counter; a depth image of 320x240."""

OUTLIER = 0.15
"""Metres of depth between a place and the surface at the joint, from which the place is on something else."""

ASTRAY = 0.3
"""Metres between the place of a hidden joint and the joint, from which the place misleads."""


def rows(counts: Sequence[int], scenes: int, repeats: int) -> Iterator[dict[str, Any]]:
    """One row a room, number of people and way of reading: :func:`lift`, and the joint's pixel alone beside it.

    The errors are those of joints that the camera sees and the network tells: ``surface_mm`` along the axis to the
    surface, median and 95th percentile; ``centre_mm`` to the joint inside the body, which includes what the network
    misses it by. ``median_ms`` is for all people, whole, whether or not they hide each other.
    """
    for room, settings in ROOMS.items():
        for count in counts:
            quiet = not sys.stderr.isatty()
            seeds = tqdm(range(scenes), desc=f"{room}, {count} people", unit="scene", leave=False, disable=quiet)
            shown = [scene(count, seed, **settings) for seed in seeds]
            everybody = People.from_arrays(
                shown[0].people.skeleton, CAMERA.project(shown[0].joints), shown[0].people.image_size
            )
            for reading, places in (("pixel", by_pixel), ("lift", by_lift)):
                found = [places(each.people, each) for each in shown]
                spent = timed(partial(places, everybody, shown[0]), repeats)
                yield {"room": room, "people": count, "reading": reading, **errors(shown, found), **summary(spent)}


def by_lift(people: People, shown: Scene) -> Places:
    """(P, J, 3) metres as the node tells them."""
    xyz = lift(people, shown.depth, CAMERA, DepthOptions()).xyz
    assert xyz is not None
    return xyz


def by_pixel(people: People, shown: Scene) -> Places:
    """(P, J, 3) metres by the depth at the joint's own pixel."""
    height, width = shown.depth.shape
    scale = np.array([width / CAMERA.width, height / CAMERA.height])
    pixels = np.rint(np.nan_to_num((people.xy + 0.5) * scale - 0.5)).astype(int)
    depth = shown.depth[pixels[..., 1].clip(0, height - 1), pixels[..., 0].clip(0, width - 1)]
    return np.asarray(CAMERA.rays(people.xy) * depth[..., None], np.float32)


def errors(shown: Sequence[Scene], found: Sequence[Places]) -> dict[str, Any]:
    """What :func:`rows` tells of places (P, J, 3) found in each scene; a ValueError where none was found."""
    told = np.concatenate([each.people.known.ravel() for each in shown])
    visible = told & np.concatenate([each.visible.ravel() for each in shown])
    surface = np.concatenate(
        [np.abs(places - each.surface)[..., 2].ravel() for each, places in zip(shown, found, strict=True)]
    )
    centre = np.concatenate(
        [np.linalg.norm(places - each.joints, axis=-1).ravel() for each, places in zip(shown, found, strict=True)]
    )
    placed, hidden = visible & np.isfinite(surface), told & ~visible
    if not placed.any():
        raise ValueError(f"no joint was placed in {len(shown)} scenes; expected at least one, try more scenes")
    middle, late = np.percentile(surface[placed], (50, 95))
    return {
        "joints": int(visible.sum()),
        "placed": round(float(placed.sum() / visible.sum()), 4),
        "surface_mm": round(1e3 * float(middle), 1),
        "surface_p95_mm": round(1e3 * float(late), 1),
        "outliers": round(float((surface[placed] > OUTLIER).mean()), 4),
        "centre_mm": round(1e3 * float(np.median(centre[placed])), 1),
        "hidden": int(hidden.sum()),
        "hidden_astray": round(float((centre[hidden] > ASTRAY).mean()), 4) if hidden.any() else None,
    }
