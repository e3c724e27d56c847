"""What ``--versus`` understands."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pycocotools")

from openpose_ros.evaluation.versus import Other, read_other
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

INPUTS, DECODE, BACKEND = InputOptions(flip=True), DecodeOptions(samples=7), BackendOptions(precision="float32")


def other(*words: str) -> Other:
    return read_other(words, "model", INPUTS, DECODE, BACKEND)


def test_settings_change_the_model_itself() -> None:
    b = other("complete=true", "scales=1,1.5", "heat-threshold=0.05", "precision=bfloat16")
    assert (b.model, b.results) == ("model", None)
    assert b.decode == DecodeOptions(samples=7, complete=True, heat_threshold=0.05)
    assert b.inputs == InputOptions(flip=True, scales="1,1.5")
    assert b.backend == BackendOptions(precision="bfloat16")


def test_several_settings_may_stand_in_one_word() -> None:
    assert other("complete=true samples=3").decode == DecodeOptions(samples=3, complete=True)


def test_another_model_keeps_the_settings_it_is_not_told_to_change() -> None:
    b = other("flip=false", "models/other.yaml")
    assert (b.name, b.model) == ("models/other.yaml flip=false", "models/other.yaml")
    assert (b.inputs, b.decode, b.backend) == (InputOptions(), DECODE, BACKEND)


def test_a_json_file_holds_people_found_earlier() -> None:
    assert other("earlier.json").results == Path("earlier.json")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compleat=true"], "compleat=true is no setting; expected one of input_size"),
        (["complete=maybe"], "complete is 'maybe'; expected true or false"),
        (["samples=many"], "samples is 'many'; expected a whole number"),
        (["samples=1"], "samples is 1; expected 2 to 64"),
        (["scales=big"], "scales is 'big'"),
        (["one", "two"], "names 'one' and 'two'; expected one"),
        (["earlier.json", "complete=true"], "complete=true cannot change earlier.json"),
    ],
)
def test_words_that_make_no_sense_are_told(words: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        other(*words)
