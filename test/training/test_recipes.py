from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.training.config import ConfigError, load
from openpose_ros.training.optimise import freeze

FOLDER = Path(__file__).resolve().parents[2] / "config" / "train"


@pytest.mark.parametrize(
    "files", [["coco.yaml"], ["finetune.yaml"], ["bundled.yaml"], ["bundled.yaml", "gpu.yaml"]], ids="+".join
)
def test_every_recipe_fits_its_network(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOS", "/photos")
    config = load([FOLDER / name for name in files], ["name=recipe"])
    network = build(Card.load(config.card))
    freeze(network, config.optimiser)
    assert any(parameter.requires_grad for parameter in network.parameters())


def test_no_recipe_is_left_out_above() -> None:
    cards = {path.name for path in FOLDER.glob("*.card.yaml")}
    recipes = {path.name for path in FOLDER.glob("*.yaml")} - cards
    assert recipes == {"coco.yaml", "finetune.yaml", "bundled.yaml", "gpu.yaml"}
    for name in cards:
        with torch.device("meta"):
            build(Card.load(FOLDER / name))


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHOTOS", raising=False)
    with pytest.raises(ConfigError, match="PHOTOS"):
        load([FOLDER / "bundled.yaml"], ["name=recipe"])


def test_the_script_says_how_it_is_used() -> None:
    script = FOLDER / "bundled.sh"
    assert os.access(script, os.X_OK)
    done = subprocess.run([script], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "PHOTOS=folder config/train/bundled.sh RUNS OUT MINUTES" in done.stderr
