from __future__ import annotations

from pathlib import Path

import pytest

from openpose_ros.doctor import gpu
from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import State

NO_TOOL = ("no-such-nvidia-smi",)
LISTS = ("sh", "-c", "echo 'NVIDIA GeForce RTX 4090, 24564 MiB, 580.95.05'")
MISMATCH = ("sh", "-c", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")


def with_card(root: Path, driver: bool = True) -> Path:
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030000\n")
    if driver:
        (root / "proc/driver/nvidia").mkdir(parents=True)
        (root / "proc/driver/nvidia/version").touch()
    return root


def test_no_gpu_is_no_problem(tmp_path: Path) -> None:
    (finding,) = gpu.hardware(gpu.card(tmp_path, NO_TOOL), Answer({"cuda": None}))
    assert (finding.state, finding.remedy) == (State.NOTE, "")


def test_a_gpu_and_the_cuda_of_its_driver_are_named(tmp_path: Path) -> None:
    (finding,) = gpu.hardware(gpu.card(with_card(tmp_path), LISTS), Answer({"cuda": [13, 0]}))
    assert finding.state is State.OK
    assert "RTX 4090" in finding.found
    assert "CUDA 13.0" in finding.found


def test_another_device_of_nvidia_is_no_gpu(tmp_path: Path) -> None:
    (with_card(tmp_path) / "sys/bus/pci/devices/0000:01:00.0/class").write_text("0x040300\n")  # the sound of a card
    assert not gpu.card(tmp_path, NO_TOOL).there


@pytest.mark.parametrize(
    ("driver", "container", "query", "problem", "remedy"),
    [
        (False, False, NO_TOOL, "driver is not loaded", "ubuntu-drivers"),
        (True, False, NO_TOOL, "nvidia-smi is missing", "restart"),
        (True, False, MISMATCH, "version mismatch", "restart"),
        (True, True, NO_TOOL, "container was not given it", "--gpus all"),
    ],
)
def test_a_gpu_that_cannot_be_used_says_why(
    tmp_path: Path, driver: bool, container: bool, query: tuple[str, ...], problem: str, remedy: str
) -> None:
    root = with_card(tmp_path, driver)
    if container:
        (root / ".dockerenv").touch()
    (finding,) = gpu.hardware(gpu.card(root, query), Answer({"cuda": None}))
    assert finding.state is State.FIX
    assert problem in finding.found
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("release", "number", "state"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64", "36.4.3", State.OK),
        ("# R39 (release), REVISION: 2.0, GCID: 1, BOARD: generic", "39.2.0", State.OK),
        ("# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref", "35.4.1", State.FIX),
    ],
)
def test_a_jetson_is_known_by_its_release(tmp_path: Path, release: str, number: str, state: State) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text(f"{release}\n")
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    found = gpu.card(tmp_path, NO_TOOL)
    assert found.jetson == int(number.split(".")[0])
    (finding,) = gpu.hardware(found, Answer())
    assert finding.state is state
    assert finding.found == f"NVIDIA Jetson Orin Nano Developer Kit, Jetson Linux {number}"
