from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.networks import build
from openpose_ros.training.checkpoints import newest_readable
from openpose_ros.training.config import ConfigError, RunConfig
from openpose_ros.training.export import export, network_state
from openpose_ros.training.run import train
from openpose_ros.weights.store import load_network


def test_the_exported_network_answers_as_the_trained_one(settings: Callable[..., RunConfig], tmp_path: Path) -> None:
    config = settings("ema=0.5", norm=True)
    train(config)
    found = newest_readable(Path(config.runs) / config.name)
    assert found is not None
    trained = build(Card.load(config.card))
    trained.load_state_dict(network_state(found[1]))
    mean = found[1]["callbacks"]["RunningMean"]["mean"]
    assert torch.equal(trained.state_dict()["backbone.conv1.conv.weight"], mean["backbone.conv1.conv.weight"])
    path = export(config, found[1], tmp_path / "out", {"licence": "Apache-2.0", "accuracy": {"AP": 12.3}})
    card = Card.load(path)
    assert (card.licence, card.accuracy["AP"], card.name) == ("Apache-2.0", 12.3, "run")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted, answer = trained.eval()(x)[-1], load_network(card)(x)[-1]
    # Half precision costs about a thousandth.
    torch.testing.assert_close(answer.heatmaps, wanted.heatmaps, rtol=0.02, atol=0.02)
    torch.testing.assert_close(answer.pafs, wanted.pafs, rtol=0.02, atol=0.02)


def test_a_blend_lies_between_start_and_what_was_learned(
    settings: Callable[..., RunConfig], random_card: Card, tmp_path: Path
) -> None:
    config = settings(f"start={random_card.path}", f"card={random_card.path}", "blend=0.25", "steps=3")
    train(config)
    found = newest_readable(Path(config.runs) / config.name)
    assert found is not None
    start, learned = load_network(random_card).state_dict(), network_state(found[1])
    mixed = load_network(Card.load(export(config, found[1], tmp_path / "out", {}))).state_dict()
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * start[name] + 0.25 * learned[name], rtol=1e-3, atol=1e-4)
    with pytest.raises(ConfigError, match="blend mixes with random, which has nothing for backbone"):
        export(replace(config, start="random"), found[1], tmp_path / "out", {})
    with pytest.raises(ConfigError, match="blend is 1.5; expected a share from 0 to 1"):
        export(replace(config, blend=1.5), found[1], tmp_path / "out", {})
