from __future__ import annotations

from pathlib import Path

import pytest

from openpose_ros.training.config import ConfigError, load, save
from openpose_ros.training.plugin import build, locate


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_later_files_and_words_win(tmp_path: Path) -> None:
    base = written(tmp_path, "base.yaml", "name: base\ncard: /a.yaml\noptimiser: {rate: 0.1, weight_decay: 0.2}\n")
    mine = written(tmp_path, "mine.yaml", "name: mine\noptimiser: {rate: 0.3}\n")
    config = load([base, mine], ["optimiser.weight_decay=0.5", "data.sources=[{images: a}, {images: b}]"])
    assert (config.name, config.optimiser.rate, config.optimiser.weight_decay) == ("mine", 0.3, 0.5)
    assert [source.images for source in config.data.sources] == ["a", "b"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("optimizer.rate=1", "optimizer.*not in 'RunConfig'"),
        ("data.sources=[{image: a}]", "image.*not in 'SourceConfig'"),
        ("optimiser.rate=fast", "optimiser.rate: Value 'fast'.*could not be converted to Float"),
        ("steps=1.5", "steps: Value '1.5'.*could not be converted to Integer"),
        ("steps", "'steps' is no setting; expected key=value"),
    ],
)
def test_unknown_keys_and_wrong_types_are_refused_by_name(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load([], ["name=a", "card=b", word])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration .*absent.yaml"):
        load([tmp_path / "absent.yaml"])
    with pytest.raises(ConfigError, match="torn.yaml is not readable as YAML"):
        load([written(tmp_path, "torn.yaml", "a: [1, 2")])
    with pytest.raises(ConfigError, match="list.yaml is no configuration"):
        load([written(tmp_path, "list.yaml", "- 1\n")])
    with pytest.raises(ConfigError, match="missing: card, name"):
        load([])


def test_the_saved_configuration_repeats_the_run(tmp_path: Path) -> None:
    words = ["name=a", "card=/b.yaml", "optimiser.groups=[{modules: [backbone], rate: 0.1}]"]
    config = load([], words)
    save(config, tmp_path / "config.yaml")
    assert load([tmp_path / "config.yaml"]) == config


def test_a_card_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    written(tmp_path, "net.card.yaml", "{}")
    base = written(tmp_path, "base.yaml", "name: a\ncard: net.card.yaml\n")
    assert load([base]).card == str(tmp_path / "net.card.yaml")
    assert load([base], ["card=other.yaml"]).card == "other.yaml"


def test_things_of_ones_own_are_imported_never_evaluated() -> None:
    assert locate("cosine", {"cosine": 1}, "schedule") == 1
    assert build({"type": "fractions.Fraction", "numerator": 3, "denominator": 6}, "thing") * 2 == 1
    with pytest.raises(ConfigError, match="no schedule 'cosin'; expected one of cosine, or a dotted path"):
        locate("cosin", {"cosine": 1}, "schedule")
    with pytest.raises(ConfigError, match="cannot be imported"):
        locate("__import__('os').system", {}, "schedule")
    with pytest.raises(ConfigError, match="has no type"):
        build({"numerator": 3}, "thing")
