"""hyperpose's .npz of its OpenPose on VGG-19 (TensorLayer's ``save_weights``) as a network of ours, by its order.

TensorLayer writes the weights one after the other and, unless it was told to, without names: a list that NumPy could
only pickle, or, with names that count all layers of the process, an archive of as many entries. Either way the order
is what counts. The backbone stands there twice, since TensorLayer finds its layers under two attributes.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.card import Card
from openpose_ros.networks.vgg import LAYERS
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table
from openpose_ros.weights.pickled_layers import arrays
from openpose_ros.weights.placing import placed, places
from openpose_ros.weights.store import parameter_shapes

PICKLED = "params.npy"
"""The one entry of an archive without names."""

MEAN = (103.939, 116.779, 123.68)
"""What the backbone subtracts, in this order from red, green and blue, as its code has it."""

LICENCE = "Apache-2.0 (tensorlayer/hyperpose) if these are its authors' weights; else ask who trained them"
REFINEMENTS = 5
NETWORK: dict[str, Any] = {
    "type": "openpose",
    "backbone": "vgg19",
    "stages": {"type": "two_branch", "refinements": REFINEMENTS, "prelu": True},
}
"""As in a card."""

BACKBONE = [layer for layer, outputs in LAYERS if outputs]
NOTES = "Read by the order of the tables, since the file has no names that could be checked; shapes were."


def looks_like(path: Path) -> bool:
    """Whether an archive is TensorLayer's."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError):
        return False
    return names == [PICKLED] or any(name.endswith(("filters:0.npy", "biases:0.npy", "alpha:0.npy")) for name in names)


def layers() -> dict[str, str]:
    """Layer -> convolution of ours, or its activation, in the file's order; the names are ours, for messages."""
    table = {layer: f"backbone.{layer}" for layer in BACKBONE}
    for stage in range(REFINEMENTS + 1):
        for theirs, ours in (("conf", "heatmaps"), ("paf", "pafs")):
            for number in range(7 if stage else 5):
                place = f"stages.{stage}.{ours}.{number}"
                table |= {
                    f"stage{stage}_{theirs}_{number}": place,
                    f"stage{stage}_{theirs}_{number}_prelu": place + ".activation",
                }
    return table


def converted(path: Path) -> tuple[Card, Table]:
    """The card and the parameters.

    Raises:
        WeightsError: the file is torn or would execute something, or a table is missing, unused or of another shape.
    """
    given = read(path)
    table = layers()
    expected = [
        f"{layer}/{kind}"
        for layer in table
        for kind in (("weight",) if layer.endswith("prelu") else ("weight", "bias"))
    ]
    once = 2 * (len(BACKBONE) - 2)  # the last two of ours stand behind its backbone
    twice = [np.array_equal(one, other) for one, other in zip(given[:once], given[once : 2 * once], strict=False)]
    if len(given) > len(expected) and len(twice) == once and all(twice):
        given = given[:once] + given[2 * once :]
    if len(given) != len(expected):
        raise WeightsError(
            f"{path} has {len(given)} tables; hyperpose's OpenPose on VGG-19 has {len(expected)}, or {once} more where "
            "the backbone stands there twice; its other networks are not read"
        )
    tables: Table = {}
    for name, entry in zip(expected, given, strict=True):
        layer = name.rpartition("/")[0]
        if layer.endswith("prelu"):
            # The slope is kept between 0 and 1 by a logistic function.
            tables[name] = (1.0 / (1.0 + np.exp(-entry.astype(np.float64).reshape(-1)))).astype(np.float32)
        else:
            tables[name] = (entry.transpose(3, 2, 0, 1) if entry.ndim == 4 else entry).astype(np.float32)
    card = Card(
        name="hyperpose_openpose",
        network=NETWORK,
        skeleton=COCO_18,
        channels="RGB",
        mean=MEAN,
        scale=(1 / 255,) * 3,
        licence=LICENCE,
        source=f"tensorlayer/hyperpose, read from {path.name}",
        notes=NOTES,
    )
    heatmaps, pafs = len(COCO_18.joints) + 1, 2 * len(COCO_18.limbs)
    wide = tables[f"{BACKBONE[-1]}/bias"].size
    for stage in range(1, REFINEMENTS + 1):
        for kind in ("conf", "paf"):
            first = f"stage{stage}_{kind}_0/weight"
            if tables[first].ndim == 4 and tables[first].shape[1] == wide + heatmaps + pafs:
                features, heat, paf = np.split(tables[first], (wide, wide + heatmaps), axis=1)
                tables[first] = np.concatenate([paf, heat, features], 1)
    shapes = parameter_shapes(card)
    return card, placed(tables, places(table, shapes), shapes, path)


def read(path: Path) -> list[npt.NDArray[np.floating]]:
    """The tables in the file's order; an entry that would execute something is refused.

    Raises:
        WeightsError: the file is torn or holds something else than tables of numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.namelist() == [PICKLED]:
                with archive.open(PICKLED) as stream:
                    found = [np.asarray(entry) for entry in arrays(stream)]
            else:
                found = []
                for name in archive.namelist():
                    with archive.open(name) as stream:
                        found.append(np.lib.format.read_array(stream, allow_pickle=False))
    except Exception as error:  # of any kind: torn bytes break an unpickler anywhere
        raise WeightsError(f"{path} is not readable as TensorLayer's weights: {' '.join(str(error).split())}") from None
    if any(entry.dtype.kind != "f" for entry in found):
        raise WeightsError(f"{path} holds something else than tables of numbers")
    return found
