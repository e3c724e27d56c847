from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from openpose_ros.doctor.examination import Examination, Section
from openpose_ros.doctor.finding import Finding, State, guarded
from openpose_ros.doctor.report import as_json, table

LONG = "use " + "every/one/of/these-words " * 12
SEEN = Examination(
    [
        Section("Machine", [Finding("Python", State.OK, "3.12.3")]),
        Section(
            "GPU", [Finding("CuPy", State.FIX, LONG, "pip install cupy-cuda13x"), Finding("GPU", State.NOTE, "none")]
        ),
    ],
    True,
    "openvino on cpu in float32",
)


@pytest.mark.parametrize("width", [60, 100])
def test_the_table_fits_its_width_and_keeps_words_whole(width: int) -> None:
    lines = table(SEEN, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "\n".join(lines).count("every/one/of/these-words") == 12


def test_what_is_to_be_done_stands_below_what_was_found() -> None:
    lines = table(SEEN).splitlines()
    (row,) = (line for line in lines if "CuPy" in line)
    (remedy,) = (line for line in lines if "->" in line)
    assert row.split()[:2] == ["FIX", "CuPy"]
    assert remedy.split("-> ")[1] == "pip install cupy-cuda13x"
    assert lines.index(remedy) > lines.index(row)
    assert lines[-1] == "A network runs here: openvino on cpu in float32. 1 to fix (FIX)."


def test_json_holds_the_same() -> None:
    told = json.loads(as_json(SEEN))
    assert (told["can_run"], told["with"]) == (True, "openvino on cpu in float32")
    assert told["findings"][0] == {
        "section": "Machine", "name": "Python", "state": "ok", "found": "3.12.3", "remedy": ""
    }  # fmt: skip
    assert [row["state"] for row in told["findings"]] == ["ok", "fix", "note"]


def test_a_check_that_fails_by_itself_is_told_and_keeps_what_it_found() -> None:
    def check() -> Iterator[Finding]:
        yield Finding("a", State.OK, "b")
        raise KeyError("surprise")

    kept, failed = guarded("memory", check)
    assert kept.found == "b"
    assert (failed.name, failed.state) == ("memory", State.FIX)
    assert "surprise" in failed.found
