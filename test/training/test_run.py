from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from openpose_ros.estimator import Estimator
from openpose_ros.training import checkpoints
from openpose_ros.training.checkpoints import Checkpoints, newest_readable, read
from openpose_ros.training.config import ConfigError, RunConfig, load
from openpose_ros.training.module import NotFiniteError, PoseTraining
from openpose_ros.training.replay import replay
from openpose_ros.training.run import exported, train

Settings = Callable[..., RunConfig]


def lines(config: RunConfig) -> list[dict[str, Any]]:
    text = (Path(config.runs) / config.name / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def weights(config: RunConfig) -> dict[str, torch.Tensor]:
    found = newest_readable(Path(config.runs) / config.name)
    assert found is not None
    state: dict[str, torch.Tensor] = found[1]["state_dict"]
    return state


def test_a_run_leaves_a_network_that_runs(settings: Settings, sticks: Path) -> None:
    config = settings(f"validation.annotations={sticks}/people.json", f"validation.images={sticks}/images",
                      "validation.every=4", "validation.short_side=64", "ema=0.9", norm=True)  # fmt: skip
    outcome = train(config)
    assert outcome.interrupted == 0
    assert [line["step"] for line in lines(config)] == [0, 4, 6]
    assert lines(config)[1]["crops"] == 16
    assert {"loss", "AP", "rate", "crops_per_second", "labels/stage1/pafs"} <= set(lines(config)[1])
    assert load([outcome.folder / "config.yaml"]) == config
    assert list((outcome.folder / "tensorboard").glob("events.*"))
    assert outcome.card is not None
    estimator = Estimator.load(outcome.card, backend="torch", precision="float32")
    assert not estimator.card.network["batch_norm"]
    assert len(estimator(torch.zeros((64, 64, 3), dtype=torch.uint8).numpy()).skeleton.joints) == 18
    estimator.close()


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = ("accumulate=2", "ema=0.9", "photometric.enabled=true", "clip=50")
    whole = settings("name=whole", *extra)
    train(whole)
    halved = settings("name=halved", *extra)
    end = Checkpoints.on_train_batch_end

    def power_cut(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        end(self, trainer, *rest)
        if trainer.global_step == 4:
            raise KeyError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_train_batch_end", power_cut)
        with pytest.raises(KeyError, match="power cut"):
            train(halved)
    found = newest_readable(Path(halved.runs) / "halved")
    assert found is not None
    assert found[0].name == "newest-00000003.ckpt"
    train(halved)
    assert set(weights(whole)) == set(weights(halved))
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(halved)[name]), name
    folders = [Path(config.runs) / config.name / checkpoints.FOLDER for config in (whole, halved)]
    ends = [read(folder / "newest-00000006.ckpt") for folder in folders]
    means = [end["callbacks"]["RunningMean"]["mean"] for end in ends]
    assert all(torch.equal(value, means[1][name]) for name, value in means[0].items())
    assert ends[0]["batches_seen"] == ends[1]["batches_seen"] == 12


def test_other_settings_after_an_interruption_are_named(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    train(settings())
    with caplog.at_level(logging.INFO):
        train(settings("steps=7", "optimiser.rate=2e-3"))
    assert "steps was 6 before the interruption and is 7 now" in caplog.text
    assert "optimiser.rate was 0.001 before the interruption and is 0.002 now" in caplog.text
    assert "going on from" in caplog.text


def test_rotation_keeps_the_newest_and_the_best(settings: Settings, sticks: Path) -> None:
    config = settings("checkpoints.every=1", "checkpoints.newest=2", "validation.every=2", "validation.limit=2",
                      f"validation.annotations={sticks}/people.json", f"validation.images={sticks}/images",
                      "validation.short_side=64")  # fmt: skip
    train(config)
    names = sorted(path.name for path in (Path(config.runs) / "run" / "checkpoints").iterdir())
    assert [name for name in names if name.startswith("newest")] == ["newest-00000005.ckpt", "newest-00000006.ckpt"]
    assert len([name for name in names if name.startswith("best")]) == 1


def test_a_loss_that_is_no_number_stops_and_can_be_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings("checkpoints.every=1")
    answers = PoseTraining.answers

    def broken(self: PoseTraining, *rest: Any) -> Any:
        found = answers(self, *rest)
        if self.global_step == 2:
            found[-1].pafs.data[0, 0, 0, 0] = torch.inf
        return found

    with monkeypatch.context() as patch:
        patch.setattr(PoseTraining, "answers", broken)
        with pytest.raises(NotFiniteError, match="the loss of step 2 is inf") as error:
            train(config)
    kept = Path(config.runs) / "run" / "not-finite-00000002.pt"
    assert f"--replay {kept}" in str(error.value)
    text = replay(config, kept)
    assert "weights that are not finite: none" in text
    assert "loss in float32" in text
    assert "000000000" in text
    with pytest.raises(ConfigError, match="cannot be replayed"):
        replay(config, Path(config.runs) / "run" / "config.yaml")


def test_weights_in_bfloat16_learn_what_float32_learns(settings: Settings) -> None:
    train(settings("name=full"))
    train(settings("name=half", "precision=bf16-pure"))
    full, half = lines(settings("name=full"))[-1]["loss"], lines(settings("name=half"))[-1]["loss"]
    assert half == pytest.approx(full, rel=0.02)


def test_a_teacher_teaches_unlabelled_photos(settings: Settings, sticks: Path, random_card: Any) -> None:
    config = settings(f"data.sources=[{{type: photos, images: {sticks}/images}}]", f"teacher.model={random_card.path}")
    train(config)
    line = lines(config)[-1]
    assert line["labels/stage1/heatmaps"] == line["labels/stage1/pafs"] == 0.0
    assert line["teacher/stage1/pafs"] > 0.0


def test_a_checkpoint_can_be_exported_by_hand(settings: Settings) -> None:
    config = settings()
    outcome = train(config)
    first = outcome.folder / "checkpoints" / "newest-00000003.ckpt"
    path = exported(config, first)
    assert "3 steps" in path.read_text()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("precision=half", "precision is 'half'; expected one of fp32, bf16, fp16, bf16-pure"),
        ("batch=0", "batch is 0; expected 1 or more"),
        ("ema=1", "ema is 1.0; expected 0 for none"),
        ("name=a/b", "name is 'a/b'; expected a plain name"),
        ("optimiser.groups=[{modules: [trunk]}]", "no parameter begins with 'trunk'"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(
    settings: Settings, word: str, message: str
) -> None:
    config = settings(word)
    with pytest.raises(ConfigError, match=message):
        train(config)
    assert not Path(config.runs).exists()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_few_photos_can_be_learned_by_heart(settings: Settings) -> None:
    bundled = Path(__file__).resolve().parents[2] / "model" / "lightweight.yaml"
    config = settings("overfit=2", "steps=60", "batch=2", "data.crop.height=256", "data.crop.width=256",
                      "validation.every=60", "checkpoints.every=60", "optimiser.rate=1e-4", "schedule.warmup=20",
                      "schedule.type=cosine", f"card={bundled}", f"start={bundled}")  # fmt: skip
    train(config)
    assert lines(config)[0]["AP"] < 50.0
    assert lines(config)[-1]["AP"] > 95.0
