"""``benchmark``: a table to read and rows to keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openpose_ros.commands.benchmark import main


def test_decode_writes_a_row_for_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    arguments = ["decode", "--sizes", "64x96", "64x64", "--people", "1", "2", "--repeats", "2", "--json", str(out)]
    assert main(arguments) == 0
    table = json.loads(out.read_text())
    assert table["command"] == "python -m openpose_ros benchmark " + " ".join(arguments)
    assert table["hardware"]["processor"]
    rows = table["decode"]
    for row in rows:
        assert row.keys() >= {"stage", "people", "size", "median_ms", "p95_ms"}
    assert {row["size"] for row in rows} == {"64x96", "64x64"}
    assert {row["people"] for row in rows} == {None, 1, 2}
    assert {row["stage"] for row in rows} >= {"preprocess", "peaks", "limbs", "assemble", "decode", "textbook"}
    assert all(row["speedup_vs_textbook"] > 0 for row in rows if row["stage"] in ("decode", "textbook"))
    told = capsys.readouterr().out
    assert told.splitlines()[0].split() == ["stage", "size", "people", "median_ms", "p95_ms", "speedup_vs_textbook"]
    assert "64x96, 2 people: everything but the network" in told


def test_decode_measures_a_network_when_there_is_one(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["decode", "--sizes", "64x64", "--people", "1", "--repeats", "1", "--backend", "synthetic"]
    assert main([*arguments, "--json", str(out)]) == 0
    assert "network" in {row["stage"] for row in json.loads(out.read_text())["decode"]}


def test_an_interrupt_ends_it_with_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(wanted: object) -> list[dict[str, object]]:
        raise KeyboardInterrupt

    monkeypatch.setattr("openpose_ros.benchmark.decode.rows", interrupted)
    assert main(["decode"]) == 130
    assert capsys.readouterr().err == "benchmark: ended\n"


def test_memory_writes_the_size_over_the_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    assert main(["memory", "--backend", "synthetic", "--frames", "6", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["memory"]
    assert [row["frames"] for row in rows] == [3, 6]
    assert all(row["resident_mb"] > 0 for row in rows)
    assert "resident_mb" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["speed"],
        ["decode", "--sizes", "large"],
        ["decode", "--sizes", "65x64"],
        ["decode", "--sizes", "0x64"],
        ["decode", "--sizes", "-8x64"],
        ["decode", "--people", "0"],
        ["decode", "--people", "many"],
        ["decode", "--repeats", "0"],
        ["memory", "--frames", "0"],
        ["memory", "--backend", "caffe"],
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: benchmark" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["decode", "memory"])
def test_a_model_that_is_not_there_is_one_sentence(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kind, "--model", "nowhere.yaml"]) in (1, 2)
    err = capsys.readouterr().err
    assert err.startswith("benchmark: ")
    assert "nowhere.yaml" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "kind", ["decode", "end-to-end", "lifting", "loader", "memory", "tracking", "training", "transport"]
)
def test_each_kind_explains_itself(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([kind, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out
