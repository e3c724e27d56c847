"""The demo's photos: public-domain portraits out of Python packages, many of them in one picture, and group photos."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from openpose_ros.media import MediaError, read_photo
from openpose_ros.preprocess import Image

PORTRAITS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
"""Name: the package that carries the photo, and where. Eileen Collins (NASA) and Grace Hopper (US Navy); both are works
of the United States government and in the public domain."""

GROUPS = (247917, 448076, 54593, 252219, 156076, 171190)
"""COCO val2017 photos of 3 to 10 people: a team, a trade fair, a baseball game, a street, a meal, an audience."""

PER_ROW = (8, 6, 4)
"""People in each row of the crowd, the farthest on top."""

CROWD_WIDTH = 1280

VALIDATION = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "val" / "images"
"""COCO photos beside the checkout, where developers keep them."""


def demo_photos(folder: Path) -> list[Path]:
    """Put the demo's photos into a folder, their names in the order of showing, and return their paths.

    Raises:
        MediaError: no package with a portrait is installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: image for name in PORTRAITS if (image := portrait(name)) is not None}
    if not found:
        packages = ", ".join(package for package, _ in PORTRAITS.values())
        raise MediaError(f"the demo's portraits come with the packages {packages}, of which none is installed")
    pictures = {**found, "crowd": crowd(list(found.values()))}
    for identity in GROUPS:
        image = read_photo(path) if (path := VALIDATION / f"{identity:012d}.jpg").is_file() else None
        if image is not None:
            pictures[f"coco_{identity}"] = image
    paths = []
    for number, (name, image) in enumerate(pictures.items()):
        paths.append(folder / f"{number}_{name}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths


def portrait(name: str) -> Image | None:
    """(H, W, 3) uint8 BGR; None where its package is missing or does not carry it. The package is not imported."""
    package, inside = PORTRAITS[name]
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / inside
        if path.is_file():
            return read_photo(path)
    return None


def crowd(portraits: Sequence[Image], width: int = CROWD_WIDTH, per_row: Sequence[int] = PER_ROW) -> Image:
    """Portraits in rows, the more in a row the smaller, every other pair mirrored: one picture of many people."""
    mirrored = [cv2.flip(image, 1) for image in portraits]
    endless = cycle([*portraits, *mirrored])
    rows = []
    for count in per_row:
        tiles = list(islice(endless, count))
        height = round(width / sum(tile.shape[1] / tile.shape[0] for tile in tiles))
        edges = np.cumsum([0.0, *(tile.shape[1] / tile.shape[0] for tile in tiles)])
        edges = np.round(edges / edges[-1] * width).astype(int)
        sizes = [(int(right - left), height) for left, right in zip(edges, edges[1:], strict=False)]
        rows.append(
            np.hstack([cv2.resize(t, size, interpolation=cv2.INTER_AREA) for t, size in zip(tiles, sizes, strict=True)])
        )
    picture: Image = np.vstack(rows)
    return picture
