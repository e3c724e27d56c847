"""Weights of CMU's networks, whoever packed them: layers by CMU's names -> a card and parameters of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openpose_ros.card import Card
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15
from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import Table
from openpose_ros.weights.placing import placed, places
from openpose_ros.weights.published import CMU_LICENCE
from openpose_ros.weights.store import parameter_shapes

LICENCE = CMU_LICENCE
SKELETONS = (COCO_18, BODY_25, MPI_15)
PAF_OFFSET = 0.44
"""Cells by which CMU's targets draw PAFs right of and below the heatmaps; not measured on these weights."""
NOTES = "Rebuilt from layers of CMU's names; they are taken for CMU's own, whose licence is above."


@dataclass(frozen=True)
class Architecture:
    """A network of CMU's and the names that its layers go by.

    Attributes:
        network: as in a card.
        names: layer -> module of ours.
        heatmaps, pafs: the layers that answer.
    """

    network: dict[str, Any]
    names: dict[str, str]
    heatmaps: str
    pafs: str


def architecture(layers: Table, source: Path) -> Architecture:
    """Which of CMU's networks has layers of these names; how many stages is counted.

    Raises:
        WeightsError: none has.
    """
    from openpose_ros.weights.layer_names import caffe_2017, caffe_2018, keras_2017  # needs PyTorch

    early = _stages(layers, "L2", 0)
    if early and "prelu4_2/weight" in layers:
        late = _stages(layers, "L1", 0)
        network = {
            "type": "openpose",
            "backbone": {"type": "vgg19", "prelu": True},
            "stages": {"type": "dense", "paf_stages": early, "heatmap_stages": late},
        }
        names = caffe_2018(early, late)
        return Architecture(network, names, f"Mconv7_stage{late - 1}_L1", f"Mconv7_stage{early - 1}_L2")
    refinements = _stages(layers, "L1", 2)
    if refinements:
        names = (keras_2017 if "Mconv1_stage1_L1/weight" in layers else caffe_2017)(refinements)
        network = {
            "type": "openpose",
            "backbone": "vgg19",
            "stages": {"type": "two_branch", "refinements": refinements},
        }
        last = f"Mconv7_stage{refinements + 1}"
        return Architecture(network, names, f"{last}_L2", f"{last}_L1")
    raise WeightsError(
        f"{source} holds none of CMU's body networks: expected layers Mconv7_stage2_L1 and on (COCO, MPI), or "
        f"Mconv7_stage0_L2 and prelu4_2 (BODY_25); it has {', '.join(list(layers)[:3]) or 'none'} and so on"
    )


def converted(layers: Table, source: Path) -> tuple[Card, Table]:
    """The card and the parameters of a network of CMU's.

    Args:
        layers: ``<layer>/weight``, OIHW, and ``<layer>/bias``.
        source: the file, for the card and the text of errors.

    Raises:
        WeightsError: it is none of CMU's networks, or a weight is missing, unused or of another shape.
    """
    found = architecture(layers, source)
    answers = tuple(np.size(layers.get(f"{layer}/bias", ())) for layer in (found.heatmaps, found.pafs))
    fitting = [body for body in SKELETONS if answers == (len(body.joints) + 1, 2 * len(body.limbs))]
    if not fitting:
        raise WeightsError(
            f"{source} answers with {answers[0]} heatmaps ({found.heatmaps}) and {answers[1]} PAFs ({found.pafs}); "
            f"expected those of {', '.join(body.name for body in SKELETONS)}"
        )
    card = Card(
        name=source.name.partition(".")[0],
        network=found.network,
        skeleton=fitting[0],
        stride=8,
        channels="BGR",
        mean=(128.0,) * 3,
        scale=(1 / 256,) * 3,
        pad_value=128,
        paf_offset=PAF_OFFSET,
        licence=LICENCE,
        source=f"CMU-Perceptual-Computing-Lab/openpose, read from {source.name}",
        notes=NOTES,
    )
    shapes = parameter_shapes(card)
    return card, placed(layers, places(found.names, shapes), shapes, source)


def _stages(layers: Table, branch: str, first: int) -> int:
    """How many stages from the first on a branch has without a gap."""
    count = 0
    while f"Mconv7_stage{first + count}_{branch}/weight" in layers:
        count += 1
    return count
