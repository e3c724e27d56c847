"""The decoder's inner loops in both forms, and the array libraries it must run on."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from openpose_ros.decode import assemble, limbs


@pytest.fixture(params=["array form", "compiled"])
def loops(request: pytest.FixtureRequest) -> Any:
    """``score_limbs`` and ``assemble``, once as the array form that is the truth, once compiled."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        from openpose_ros.decode import compiled

        return compiled

    class ArrayForm:
        score_limbs = staticmethod(limbs.score_limbs)
        assemble = staticmethod(assemble.assemble)

    return ArrayForm


@pytest.fixture(params=["torch", "strict", "strict on another device", pytest.param("cuda", marks=pytest.mark.gpu)])
def to_library(request: pytest.FixtureRequest) -> Any:
    """Moves a NumPy array to another library of the array API; ``strict`` has nothing but what the standard names."""
    if request.param.startswith("strict"):
        strict: ModuleType = pytest.importorskip("array_api_strict")
        device = strict.Device("device1" if "another" in request.param else "CPU_DEVICE")
        return lambda array: strict.asarray(array, device=device)
    torch = pytest.importorskip("torch")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU that PyTorch sees")
    return lambda array: torch.from_numpy(array).to("cuda" if request.param == "cuda" else "cpu")


@pytest.fixture(scope="session")
def to_numpy() -> Any:
    """Brings an array of any of these libraries back."""

    def back(array: Any) -> np.ndarray:
        if isinstance(array, np.ndarray):
            return array
        if type(array).__module__.startswith("torch"):
            return array.cpu().numpy()
        strict: ModuleType = pytest.importorskip("array_api_strict")
        return np.asarray(array.to_device(strict.Device("CPU_DEVICE")))

    return back
