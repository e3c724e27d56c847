from __future__ import annotations

from typing import Any

import pytest

from openpose_ros.doctor import network
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State

TENSORRT = Answer({"package": "tensorrt", "version": "10.16", "name": "TensorRT 10.16", "capabilities": []})
GPU = {"name": "RTX 4090", "capability": [8, 9], "error": ""}
ENGINE = {
    "file": "one.engine", "card": "lightweight", "precision": "float16", "package": "tensorrt", "version": "10.16",
    "gpu": "RTX 4090", "capability": [8, 9],
}  # fmt: skip


def engines(*rows: dict[str, Any], gpus: list[dict[str, Any]]) -> Any:
    return network.engines(Answer({"folder": "cache", "engines": list(rows)}), TENSORRT, Answer({"gpus": gpus}))


def test_weights_that_are_not_the_cards_are_told() -> None:
    (finding,) = network.model(Answer(error="the weights a.safetensors are not those of a.yaml"))
    assert finding.state is State.FIX
    assert "not those of" in finding.found


def test_what_auto_takes_is_told_with_its_reason() -> None:
    said = "openvino runs lightweight on cpu in float32"
    told = Answer({"backend": "openvino", "device": "cpu", "precision": "float32", "said": said})
    (finding,) = network.chosen(told, on_gpu=False)
    assert finding.state is State.OK
    assert said in finding.found and "no GPU" in finding.found
    (finding,) = network.chosen(told, on_gpu=True)
    assert finding.state is State.BETTER


def test_a_network_that_does_not_run_is_the_last_word() -> None:
    (finding,) = network.chosen(Answer(error="nothing here can run lightweight"), on_gpu=False)
    assert finding.state is State.FIX
    assert "no network runs here: nothing here can run lightweight" in finding.found


@pytest.mark.parametrize(
    ("changed", "gpus", "state", "told"),
    [
        ({}, [GPU], State.OK, "float16 for RTX 4090"),
        ({"version": "10.3"}, [GPU], State.NOTE, "for another TensorRT"),
        ({"gpu": "RTX 3060"}, [GPU], State.NOTE, "for another GPU"),
        ({"gpu": "RTX 3060", "package": "tensorrt_rtx"}, [GPU], State.NOTE, "another TensorRT and another GPU"),
        ({}, [], State.NOTE, "no GPU"),
    ],
)
def test_engines_that_are_of_no_use_are_told(
    changed: dict[str, Any], gpus: list[dict[str, Any]], state: State, told: str
) -> None:
    (finding,) = engines(ENGINE | changed, gpus=gpus)
    assert finding.state is state
    assert told in finding.found


def test_a_torn_engine_is_told() -> None:
    (finding,) = engines({"file": "torn.engine"}, gpus=[GPU])
    assert finding.state is State.BETTER
    assert "torn.engine" in finding.found


def test_no_engine_names_the_command_where_there_is_a_gpu_for_it() -> None:
    assert next(engines(gpus=[])).state is State.NOTE
    finding = next(engines(gpus=[GPU]))
    assert finding.state is State.BETTER
    assert "export" in finding.remedy
