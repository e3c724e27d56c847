"""Libraries that die, hang or talk at import take nothing with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openpose_ros.doctor.ask import Answer, ask, ask_all
from openpose_ros.doctor.examination import questions


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `numba` that is found before any other; the test writes what it does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "numba.py"


def test_a_library_that_kills_its_process_costs_only_its_own_answer(library: Path) -> None:
    library.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    told = ask([("driver",), ("numba",), ("processor",)])
    assert told["driver"].given
    assert "SIGSEGV" in told["numba"].error
    assert told["processor"].given


def test_a_library_that_hangs_is_given_up(library: Path) -> None:
    library.write_text("import time\ntime.sleep(60)\n")
    assert ask([("numba",)], patience=1.5) == {"numba": Answer(error="no answer within 1.5 seconds")}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise ImportError('Numba needs NumPy 2.3 or less')", "ImportError: Numba needs NumPy 2.3 or less"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("pass", "AttributeError: module 'numba' has no attribute '__version__'"),
        ("import os; print('bye'); os._exit(7)", "its process ended with exit status 7"),
    ],
)
def test_a_library_that_refuses_is_quoted(library: Path, source: str, told: str) -> None:
    library.write_text(source)
    assert told in ask([("numba",)])["numba"].error


def test_a_library_that_talks_is_not_taken_for_an_answer(library: Path) -> None:
    library.write_text("import os\nprint('{}')\nos.write(1, b'welcome\\n')\n__version__ = '1.0'\n")
    assert ask([("numba",)]) == {"numba": Answer({"version": "1.0"})}


def test_what_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2]), *(p for p in sys.path if "-packages" not in p)])
    told = ask([("cv_bridge",), ("tensorrt",)])
    assert told["cv_bridge"].missing
    assert told["tensorrt"].missing


def test_the_doctor_itself_imports_no_library() -> None:
    code = "import sys, openpose_ros.doctor.examination, openpose_ros.doctor.report; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "yaml", "torch", "cv2", "rclpy", "openvino"} & set(run.stdout.split())


def test_all_questions_have_an_answer_and_a_name_of_their_own() -> None:
    from openpose_ros.doctor.answers import QUESTIONS

    asked = [question[0] for group in questions("") for question in group]
    assert sorted(asked) == sorted(QUESTIONS)


def test_groups_answer_side_by_side() -> None:
    told = ask_all([[("numpy",), ("opencv",)], [("driver",)]])
    assert told["numpy"].facts["version"]
    assert told["opencv"].facts["file"]
    assert set(told["driver"].facts) == {"cuda"}
