"""An exported graph as a file that says what it is, and the card beside it."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import onnx

from openpose_ros import __version__
from openpose_ros.card import Card, file_digest
from openpose_ros.export.graph import HEATMAPS, INPUT, PAFS


def write(
    model: onnx.ModelProto, folder: Path, name: str, source: Card, precision: str, in_float: Sequence[str]
) -> Card:
    """Write ``NAME.onnx``, ``NAME.yaml`` and the file of person scores that it names, and return the card.

    Args:
        model: the graph; it is labelled.
        folder: where to.
        name: of the file and the card.
        source: of the network that was exported.
        precision: of the graph.
        in_float: convolutions that stayed in float32 in an int8 graph.
    """
    takes_bytes = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    digest = file_digest(source.verified_weights())
    onnx.helper.set_model_props(model, _about(source, digest, name, precision, in_float, takes_bytes))
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))
    joints, limbs = len(source.skeleton.joints) + 1, 2 * len(source.skeleton.limbs)
    network: dict[str, Any] = {
        "type": "graph",
        "precision": precision,
        "of": digest,
        "input": INPUT,
        "layout": "NCHW",
        "heatmaps": {"output": HEATMAPS, "channels": [0, joints]},
        "pafs": {"output": PAFS, "channels": [0, limbs]},
    }
    notes = f"{source.name} (sha256 {digest[:12]}...) as an ONNX file in {precision}."
    if in_float:
        notes += f" In float32 stayed {', '.join(in_float)}."
    if source.notes:
        notes += f" Of that network: {source.notes}"
    card = replace(
        source, name=name, network=network, weights=path, sha256=file_digest(path), accuracy={}, notes=notes,
        path=folder / f"{name}.yaml",
    )  # fmt: skip
    if takes_bytes:
        network["input_layout"] = "NHWC"
        card = replace(card, channels="BGR", mean=(0.0,) * 3, scale=(1.0,) * 3)
    if source.person_score is not None:
        score = folder / source.person_score.name
        shutil.copyfile(source.person_score, score)
        card = replace(card, person_score=score)
    card.save(folder / f"{name}.yaml")
    return card


def _about(
    source: Card, digest: str, name: str, precision: str, in_float: Sequence[str], takes_bytes: bool
) -> dict[str, str]:
    """What the file says of itself; tables are JSON."""
    return {
        "name": name,
        "precision": precision,
        "source": source.name,
        "source_sha256": digest,
        "skeleton": source.skeleton.name,
        "joints": json.dumps(source.skeleton.joints),
        "limbs": json.dumps(source.skeleton.limbs),
        "stride": str(source.stride),
        "channels": source.channels,
        "mean": json.dumps(source.mean),
        "scale": json.dumps(source.scale),
        "normalises_bytes": json.dumps(takes_bytes),
        "pad_value": str(source.pad_value),
        "paf_offset": str(source.paf_offset),
        "heat_offset": json.dumps(source.heat_offset),
        "licence": source.licence,
        "in_float32": json.dumps(list(in_float)),
        **_versions(),
    }


def _versions() -> dict[str, str]:
    """Of what made the file."""
    found = {"openpose_ros": __version__, "python": platform.python_version()}
    for package in ("torch", "onnx", "onnxscript", "onnxruntime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # put there by hand, as on a Jetson
            found[package] = "unknown"
    return {f"version_{package}": number for package, number in found.items()}
