"""Compiled networks of OpenVINO in the user's cache: a start reads one instead of building and compiling the network.

For a network that is built in PyTorch that also spares PyTorch, whose import takes longer than all the rest.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from openpose_ros.backends.openvino_graph import Part, ov
from openpose_ros.card import Card, file_digest
from openpose_ros.machine import cpu_features
from openpose_ros.weights.catalogue import cache_folder

_log = logging.getLogger(__name__)

KEPT = 12
"""Files that stay, those that were used last; each is as large as the weights or twice that."""


class Compiled(NamedTuple):
    """A compiled network, and where its answers stand."""

    model: Any
    heatmaps: Part
    pafs: Part


def folder() -> Path:
    """Where they are kept for this user; ``XDG_CACHE_HOME`` moves it."""
    return cache_folder().parent / "openvino"


def place(card: Card, settings: Mapping[str, Any]) -> Path:
    """The file of a network compiled with these settings on this machine.

    Raises:
        CardError: the weights are missing or not what the card says.
    """
    weights = card.verified_weights()
    beside = weights.with_suffix(".bin")  # where OpenVINO's own files keep their numbers
    facts = {
        "weights": [file_digest(file) for file in (weights, beside) if file.is_file()],
        "network": dict(card.network),
        "fed": [card.channels, card.mean, card.scale],
        "channels": [len(card.skeleton.joints), len(card.skeleton.limbs)],
        "settings": dict(settings),
        "openvino": ov.get_version(),
        "machine": [platform.machine(), sorted(cpu_features()), os.cpu_count(), os.environ.get("ONEDNN_MAX_CPU_ISA")],
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return folder() / f"{card.name}-{key[:16]}.blob"


def load(path: Path, settings: Mapping[str, Any]) -> Compiled | None:
    """The compiled network of a file; None, and said in the log, where it is missing, torn or not for this OpenVINO."""
    try:
        head, _, blob = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.info("%s cannot be read (%s): the network is compiled anew", path, error.strerror)
        return None
    try:
        about = json.loads(head)
        if about["sha256"] != hashlib.sha256(blob).hexdigest():
            raise ValueError("it is torn")
        model = ov.Core().import_model(io.BytesIO(blob), "CPU", dict(settings))
        found = Compiled(model, Part(*about["heatmaps"]), Part(*about["pafs"]))
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        _log.info("%s is of no use (%s): the network is compiled anew", path, " ".join(str(error).split())[:200])
        return None
    try:
        os.utime(path)
    except OSError as error:
        _log.debug("%s cannot be marked as used: %s", path, error)
    return found


def keep(path: Path, compiled: Compiled) -> None:
    """Write a compiled network, whole or not at all; where that is impossible, the log says so."""
    blob = compiled.model.export_model().getvalue()
    about = {"sha256": hashlib.sha256(blob).hexdigest(), "heatmaps": compiled.heatmaps, "pafs": compiled.pafs}
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(json.dumps(about).encode() + b"\n" + blob)
        draft.replace(path)
        files = sorted(path.parent.glob("*.blob"), key=lambda file: file.stat().st_mtime)
        for file in files[:-KEPT]:
            file.unlink(missing_ok=True)
    except OSError as error:
        _log.info("the compiled network cannot be kept in %s: %s", path.parent, error.strerror)
