"""Which build of PyTorch to install.

The Linux wheels of the package index ask for gigabytes of CUDA packages. A machine without an NVIDIA GPU takes the
same version from PyTorch's own CPU index, unless what pip would install anyway (from a local folder, a mirror, or for
another processor) asks for no CUDA.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIN = Path(__file__).parent / "torch.txt"


def install(pip_install: list[str], index: str) -> None:
    """Installs the pinned PyTorch; `index` wins over the choice made here, and '' leaves it to that choice."""
    if not index and shutil.which("nvidia-smi") is None and asks_for_cuda(pip_install):
        print("No NVIDIA GPU here: PyTorch comes from its CPU index.", flush=True)
        index = CPU_INDEX
    subprocess.run([*pip_install, *(["--index-url", index] if index else []), "-r", str(PIN)], check=True)


def asks_for_cuda(pip_install: list[str]) -> bool:
    """Whether the PyTorch that pip would take requires NVIDIA's packages; only its metadata is fetched."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        look = ["--dry-run", "--ignore-installed", "--no-deps", "--report", report.name, "-r", str(PIN)]
        subprocess.run([*pip_install, *look], check=True)
        found = json.loads(Path(report.name).read_text())["install"]
    required = [name for item in found for name in item["metadata"].get("requires_dist", [])]
    return any(name.startswith(("nvidia", "cuda", "triton")) and "extra ==" not in name for name in required)
