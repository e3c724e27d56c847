"""`make lock`: writes lock.txt anew, with the newest versions that go together, for Python 3.10 to 3.13 at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from workspace.once import ROOT
from workspace.requirements import declared

WORKSPACE = ROOT / "workspace"
HEADER = """\
# Written by `make lock`: the exact versions that `make setup` installs where no ROS 2 is sourced.
# PyTorch stands on its own, in torch.txt.
"""


def main() -> int:
    """Compiles the requirements of the package, the tools, PyTorch's plain ones and ROS's wheels into one lock."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    sources = [str(WORKSPACE / name) for name in ("ros.in", "tools.in", "torch.in")]
    with tempfile.TemporaryDirectory() as folder:
        package, lock = Path(folder, "package.in"), Path(folder, "lock.txt")
        package.write_text("\n".join(declared()))
        # Lightning asks for PyTorch, which is kept out of the lock (torch.in).
        without = Path(folder, "without.in")
        without.write_text("torch ; sys_platform == 'none'\n")
        uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-python-downloads"]
        keep_out = ["--override", str(without), "--no-emit-package", "torch"]
        form = ["--universal", "--python-version", "3.10", "--no-header", "--no-annotate", "--no-emit-index-url"]
        subprocess.run([*uv, *keep_out, *form, "--output-file", str(lock), str(package), *sources], check=True)
        (WORKSPACE / "lock.txt").write_text(HEADER + lock.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
