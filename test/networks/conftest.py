"""The cards of the networks that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from openpose_ros.card import Card

FOLDER = Path(__file__).resolve().parents[2] / "config" / "train"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than these small networks."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def trainable() -> Callable[..., Card]:
    """Makes a trainable card by its name; a narrow one has the same layers with few channels."""

    def make(name: str, *, narrow: bool = False) -> Card:
        card = Card.load(FOLDER / f"{name}.card.yaml")
        network = dict(card.network)
        if narrow:
            for part, kinds in (("backbone", {"vgg19", "vgg16"}), ("stages", {"two_branch", "dense"})):
                given = network.get(part)
                table = dict(given) if isinstance(given, Mapping) else {"type": given}
                if table["type"] in kinds:
                    network[part] = {**table, "width": 0.0625}
                elif "channels" in table or table["type"] == "lightweight":
                    network[part] = {**table, "channels": 16}
            if "channels" in network:
                network["channels"] = 16
        return replace(card, network=network)

    return make
