"""What the package asks for. setup.py is the only place that says so; this runs it far enough to read it."""

from __future__ import annotations

import setuptools  # noqa: F401  (brings distutils back where Python has dropped it)

# isort: split
from distutils.core import run_setup
from typing import Any

from workspace.once import ROOT

EXTRAS = ("bags", "cpu", "export", "older", "test", "train")


def declared() -> list[str]:
    """The requirements of openpose_ros and of the extras that its tests and the demo use, with lower bounds."""
    package: Any = run_setup(str(ROOT / "setup.py"), stop_after="init")
    return [*package.install_requires, *(name for extra in EXTRAS for name in package.extras_require[extra])]


if __name__ == "__main__":
    print("\n".join(declared()))
