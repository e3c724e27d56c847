"""What ``calibrate card`` learned of known networks, for the cards that ``convert`` writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from openpose_ros.card import Card

FOLDER = Path(__file__).parent


def calibrated(card: Card) -> Card:
    """The card with everything that is known of the network it names; unknown networks stay as they are.

    Its ``person_score`` lies in this package and must be copied to where the card goes.
    """
    path = FOLDER / f"{card.name}.yaml"
    if not path.is_file():
        return card
    facts = yaml.safe_load(path.read_text())
    across, down = facts.pop("heat_offset")
    return replace(card, **facts, heat_offset=(across, down), person_score=FOLDER / f"{card.name}.safetensors")
