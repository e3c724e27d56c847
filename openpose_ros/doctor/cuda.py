"""PyTorch, CuPy and TensorRT: whether they are there, and whether they fit the GPU, its driver and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State
from openpose_ros.doctor.gpu import Card

WHERE_TORCH = "https://pytorch.org"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NO_GPU = "which has no GPU to run on here"


def torch(there: Card, driver: Answer, answer: Answer) -> Iterator[Finding]:
    """Whether PyTorch is there and computes on the GPU."""
    right_one = (
        "NVIDIA's own for this JetPack (docs/install.md)" if there.jetson else f"one for CUDA ({WHERE_TORCH})"
        if there.there else f"pip install torch --index-url {CPU_INDEX}"
    )  # fmt: skip
    if not answer.given:
        found = "not installed; networks are built with it" if answer.missing else f"cannot be used: {answer.error}"
        yield Finding("PyTorch", State.FIX, found, f"install {right_one}" if there.there else right_one)
        return
    facts = answer.facts
    about = f"{facts['version']} {'for CUDA ' + facts['cuda'] if facts['cuda'] else 'for CPUs'}"
    if not facts["numpy"]:
        remedy = "pip install --upgrade torch: this one was built for another NumPy"
        yield Finding("PyTorch", State.FIX, f"{about} cannot read NumPy's arrays", remedy)
    elif not there.there or there.problem:
        yield Finding("PyTorch", State.OK, about)
    elif not facts["cuda"]:
        yield Finding("PyTorch", State.FIX, f"{about}: the GPU is not used", f"replace it by {right_one}")
    elif not facts["gpus"]:
        because = f": {facts['why']}" if facts["why"] else ""
        yield Finding("PyTorch", State.FIX, f"{about} finds no GPU{because}", _mend(facts["cuda"], driver))
    for gpu in facts["gpus"]:
        name = "{} (compute capability {}.{}, {:.0f} GB)".format(gpu["name"], *gpu["capability"], gpu["memory"] / 1e9)
        if gpu["error"]:
            remedy = f"install a PyTorch that was built for this GPU, too ({WHERE_TORCH})"
            yield Finding("PyTorch", State.FIX, f"{about} cannot compute on {name}: {gpu['error']}", remedy)
        else:
            yield Finding("PyTorch", State.OK, f"{about} computes on {name}")


def cupy(torch_there: Answer, answer: Answer) -> Iterator[Finding]:
    """Whether CuPy is there, alone, for the same CUDA as PyTorch, and compiles the decoder's kernels."""
    packages = cupy_packages()
    gpus = torch_there.facts.get("gpus")
    major = (torch_there.facts.get("cuda") or "").partition(".")[0]
    wanted = f"cupy-cuda{major}x" if major else "cupy-cuda13x"
    if answer.missing and not gpus:
        yield Finding("CuPy", State.NOTE, "not installed; it is for GPUs")
    elif answer.missing:
        remedy = f"pip install {wanted}: people are then found on the GPU, with one small copy to the host"
        yield Finding("CuPy", State.BETTER, "not installed", remedy)
    elif len(packages) > 1:
        remedy = f"pip uninstall {' '.join(packages)}, then pip install {wanted}"
        yield Finding("CuPy", State.FIX, f"{' and '.join(packages)} overwrite each other", remedy)
    elif answer.error:
        remedy = f"pip install --force-reinstall {wanted}; CuPy 14 needs NumPy 2, CuPy 13.6 is content with NumPy 1.22"
        yield Finding("CuPy", State.FIX if gpus else State.NOTE, f"cannot be used: {answer.error}", remedy)
    else:
        yield _judged(answer, packages, bool(gpus), major, wanted)


def tensorrt(there: Card, torch_there: Answer, answer: Answer) -> Iterator[Finding]:
    """Which TensorRT is there, and whether it has engines for the GPU."""
    gpus = torch_there.facts.get("gpus", ())
    install = "sudo apt install python3-libnvinfer" if there.jetson else "pip install tensorrt"
    if not answer.given and not gpus:
        yield Finding("TensorRT", State.NOTE, "not installed; it is for GPUs" if answer.missing else answer.error)
    elif answer.missing:
        remedy = f"{install}, then build an engine (docs/gpu.md)"
        yield Finding("TensorRT", State.BETTER, "not installed; PyTorch does the work", remedy)
    elif answer.error:
        yield Finding("TensorRT", State.FIX, answer.error, f"{install}, in a newer version")
    elif not gpus:
        yield Finding("TensorRT", State.NOTE, f"{answer.facts['name']}, {NO_GPU}")
    else:
        known = answer.facts["capabilities"]
        unknown = [gpu["name"] for gpu in gpus if known and "SM{}{}".format(*gpu["capability"]) not in known]
        if unknown:
            found = f"{answer.facts['name']} has no engines for {', '.join(unknown)}"
            yield Finding("TensorRT", State.BETTER, found, f"{install}, the full one; until then PyTorch does the work")
        else:
            yield Finding("TensorRT", State.OK, answer.facts["name"])


def cupy_packages() -> list[str]:
    """Installed packages that hold CuPy."""
    names = {(found.metadata["Name"] or "").lower() for found in metadata.distributions()}
    return sorted(name for name in names if re.fullmatch(r"cupy(-cuda\w+)?", name))


def _judged(answer: Answer, packages: list[str], on_gpu: bool, major: str, wanted: str) -> Finding:
    """A CuPy that can be imported."""
    about = " ".join([*packages, answer.facts["version"]])
    if not on_gpu:
        return Finding("CuPy", State.NOTE, f"{about}, {NO_GPU}")
    own = re.search(r"cuda(\d+)x", packages[0]) if packages else None
    if own and own[1] != major:
        remedy = f"pip uninstall {packages[0]}, then pip install {wanted}"
        return Finding("CuPy", State.FIX, f"{about} is for CUDA {own[1]}, PyTorch for CUDA {major}", remedy)
    if not answer.facts["gpu"]:
        remedy = f"pip install --force-reinstall {wanted}, the one for the CUDA of PyTorch"
        return Finding("CuPy", State.FIX, f"{about} sees no GPU, and PyTorch does", remedy)
    if answer.facts["error"]:
        # Before CuPy 14, which needs NumPy 2, NVIDIA's compiler was not found where PyTorch's packages put it.
        finds_it = int(answer.facts["version"].partition(".")[0]) >= 14
        remedy = (
            f"pip install '{wanted}[ctk]', which brings NVIDIA's compiler"
            if finds_it
            else f"put the folder of libnvrtc.so.{major}, site-packages/nvidia/.../lib, into LD_LIBRARY_PATH"
        )
        return Finding("CuPy", State.FIX, f"{about}: {answer.facts['error']}", remedy)
    return Finding("CuPy", State.OK, f"{about} compiles the decoder's kernels")


def _mend(built_for: str, driver: Answer) -> str:
    newest = driver.facts.get("cuda")
    if newest and newest[0] < int(built_for.partition(".")[0]):
        return (
            f"the driver goes up to CUDA {newest[0]}.{newest[1]}: update it, or install a PyTorch for CUDA {newest[0]} "
            f"({WHERE_TORCH})"
        )
    return "look at CUDA_VISIBLE_DEVICES, and at the driver: nvidia-smi must list the GPU"
