from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from openpose_ros.doctor import libraries
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State
from openpose_ros.doctor.libraries import Requirement
from workspace.requirements import EXTRAS, declared


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Package -> version, instead of those that are really there."""
    there: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(metadata, "version", version)
    return there


def test_every_requirement_of_setup_is_understood() -> None:
    read = libraries.requirements(declared())
    assert {one.name for one in read} >= {"numpy", "openvino", "lightning"}
    assert all(one.oldest[0].isdigit() for one in read)
    assert set(EXTRAS) - {"test"} >= set(libraries.FOR_WHAT)


def test_extras_are_read_from_the_metadata() -> None:
    lines = ["numpy>=1.21", 'onnx>=1.17; extra == "export"']
    assert libraries.requirements(lines) == [Requirement("numpy", "1.21", ""), Requirement("onnx", "1.17", "export")]
    with pytest.raises(ValueError, match="numpy==2"):
        libraries.requirements(["numpy==2"])


@pytest.mark.parametrize(
    ("version", "oldest", "older"),
    [
        ("1.21.5", "1.21", False), ("1.21", "1.21.0", False), ("1.9", "1.10", True), ("2.1.0a0+nv23.06", "2.1", False),
        ("2024.5.1", "2024.6", True), ("0.4.dev1", "0.4", False), ("14", "13.6", False),
    ],
)  # fmt: skip
def test_versions_compare_by_their_numbers(installed: dict[str, str], version: str, oldest: str, older: bool) -> None:
    installed["some"] = version
    finding = next(libraries.versions([Requirement("some", oldest, "")]))
    assert (finding.state is State.FIX) == older
    if older:
        assert version in finding.found and oldest in finding.found
        assert f"'some>={oldest}'" in finding.remedy


def test_what_is_missing_is_named_with_the_command(installed: dict[str, str]) -> None:
    wanted = [
        Requirement("safetensors", "0.4", ""),
        Requirement("tqdm", "4", ""),
        Requirement("rosbags", "0.11", "bags"),
    ]
    installed["tqdm"] = "4.70"
    needed, extra = libraries.versions(wanted)
    assert (needed.state, needed.remedy) == (State.BETTER, "pip install 'safetensors>=0.4'")
    assert (extra.state, extra.name) == (State.NOTE, "[bags]")
    assert "recorded bags" in extra.remedy
    installed.update(safetensors="0.5", rosbags="0.11.6")
    assert [finding.state for finding in libraries.versions(wanted)] == [State.OK, State.OK]


def test_sources_without_metadata_are_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", none)
    (finding,) = libraries.versions()
    assert finding.state is State.NOTE


def test_two_packages_of_opencv_are_told_to_overwrite_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    works = Answer({"version": "4.12.0", "file": "cv2/__init__.py"})
    (finding,) = libraries.opencv(works)
    assert finding.state is State.OK
    both = [Distribution("opencv-python"), Distribution("opencv_contrib_python_headless"), Distribution("opencv-stubs")]
    monkeypatch.setattr(metadata, "distributions", lambda: both)
    (finding,) = libraries.opencv(works)
    assert finding.state is State.FIX
    assert "opencv-contrib-python-headless and opencv-python overwrite" in finding.found


@pytest.mark.parametrize(
    ("answer", "told"),
    [(Answer(missing=True), "not installed"), (Answer(error="ImportError: libGL.so.1"), "libGL.so.1")],
)
def test_an_opencv_that_does_not_work_is_told(answer: Answer, told: str) -> None:
    (finding,) = libraries.opencv(answer)
    assert finding.state is State.FIX
    assert told in finding.found
    assert finding.remedy


def test_openvino_is_wanted_on_a_cpu_and_not_beside_a_gpu() -> None:
    states = [next(libraries.openvino(Answer(missing=True), on_gpu)).state for on_gpu in (False, True)]
    assert states == [State.BETTER, State.NOTE]


def test_half_of_what_export_needs_names_the_other_half() -> None:
    (finding,) = libraries.onnx(Answer({"version": "1.23", "onnxruntime": None, "onnxscript": True}))
    assert finding.remedy == "pip install onnxruntime"
    (finding,) = libraries.onnx(Answer({"version": "1.23", "onnxruntime": "1.31", "onnxscript": True}))
    assert finding.state is State.OK


class Distribution:
    """What is asked of an installed package."""

    def __init__(self, name: str) -> None:
        self.metadata = {"Name": name}
