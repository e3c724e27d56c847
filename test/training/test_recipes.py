from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.training.config import ConfigError, RunConfig, load
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


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_script_goes_on_from_its_pieces(settings: Callable[..., RunConfig], tmp_path: Path, sticks: Path) -> None:
    settings()  # writes the narrow network's card
    runs, out = tmp_path / "runs", tmp_path / "out"

    def script(steps: int) -> str:
        words = [
            f"card={tmp_path / 'narrow.yaml'}", "start=random", "blend=1", "teacher.model=", "optimiser.groups=[]",
            f"data.sources=[{{annotations: {sticks}/people.json, images: {sticks}/images}}]", f"steps={steps}",
            "batch=2", "accelerator=cpu", "data.workers=0", "data.crop.height=64", "data.crop.width=64",
            "data.crop.min_area=10",
        ]  # fmt: skip
        environment = {
            **os.environ,
            "PHOTOS": str(sticks),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = [str(FOLDER / "bundled.sh"), str(runs), str(out), "5", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    script(2)
    assert {path.name for path in out.iterdir()} >= {"metrics.jsonl", "lightweight.safetensors", "lightweight.yaml"}
    pieces = sorted((out / "state").iterdir())
    assert [path.name for path in pieces] == ["newest-00000002.ckpt.part00", "newest-00000002.ckpt.part01"]
    assert all(path.stat().st_size <= 16_000_000 for path in pieces)
    shutil.rmtree(runs)
    assert "newest-00000002.ckpt" in script(3)
    assert {path.name[:20] for path in (out / "state").iterdir()} == {"newest-00000003.ckpt"}
