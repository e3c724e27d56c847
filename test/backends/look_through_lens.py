"""Images of many sizes through the kernel of lens.cu in the library that is given: a program, for sanitizers. No test.

Its memory is NumPy's, each piece of exactly the size that is needed, so that a step beyond it is seen.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np

from openpose_ros.grid import Grid
from openpose_ros.preprocess import sampling, taps

path = Path(__file__).parents[1] / "decode" / "shim.py"
spec = importlib.util.spec_from_file_location("openpose_ros_test_shim", path)
assert spec is not None and spec.loader is not None
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)


def main() -> None:
    """Every size on one input, as it is and mirrored."""
    gpu = shim.Shim(Path(sys.argv[1]))
    (show,) = gpu.compile("", ["show"], ())
    total = 0
    for size in ((1, 1), (1, 30), (30, 1), (17, 23), (16, 24), (48, 64), (96, 128), (61, 99)):
        for shown in ((1, 1), (16, 24), (9, 13), (3, 24)):
            grid = Grid(*size, *shown, 16, 24, 8)
            way = sampling(size, shown)
            for mirrored in (False, True):
                pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
                target = np.empty((16, 24, 3), np.uint8)
                rows, columns = taps(size[0], shown[0], way), taps(size[1], shown[1], way, mirrored)
                integer = np.int32
                arguments = (
                    pixels.ctypes.data, integer(size[1]), rows.first.ctypes.data, rows.weights.ctypes.data,
                    integer(rows.weights.shape[1]), columns.first.ctypes.data, columns.weights.ctypes.data,
                    integer(columns.weights.shape[1]), integer(grid.pad_top), integer(grid.pad_left),
                    integer(shown[0]), integer(shown[1]), integer(0), integer(16), integer(24), target.ctypes.data,
                )  # fmt: skip
                with gpu.on(7):
                    gpu.launch(show, 2, 64, arguments)
                total += target.size
    assert total == 2 * 8 * 4 * 16 * 24 * 3
    print(f"as many bytes as expected: {total}")


if __name__ == "__main__":
    main()
