"""Python packages: versions against what this package's metadata asks for, and those that overwrite each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import NamedTuple

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State

PACKAGE = "openpose_ros"

REQUIREMENT = re.compile(r"([\w.-]+?)\s*>=\s*([\d.]+)\s*(?:;\s*extra\s*==\s*['\"]([\w-]+)['\"])?")
"""The only form that setup.py uses: a lower bound, perhaps for an extra."""

JUDGED_ELSEWHERE = ("test", "gpu")
"""Extras that are for developers, or that ``gpu.py`` looks at: which CuPy is right depends on PyTorch."""


FOR_WHAT = {"bags": "recorded bags"}
"""Extras whose names are not those of commands."""


class Requirement(NamedTuple):
    """A package, the oldest version that will do, and the extra that asks for it (empty: all)."""

    name: str
    oldest: str
    extra: str


def requirements(lines: Iterable[str] | None = None) -> list[Requirement]:
    """What the package asks for.

    Args:
        lines: as in the metadata; the installed package's where none are given.

    Raises:
        metadata.PackageNotFoundError: it runs without being installed.
        ValueError: a line is not of the form that setup.py uses.
    """
    found = []
    for line in (metadata.requires(PACKAGE) or ()) if lines is None else lines:
        match = REQUIREMENT.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"a requirement of {PACKAGE} is {line!r}; expected NAME>=VERSION")
        found.append(Requirement(match[1], match[2], match[3] or ""))
    return found


def versions(asked: Iterable[Requirement] | None = None) -> Iterator[Finding]:
    """Packages that are older than the metadata allows, or missing."""
    try:
        wanted = [one for one in (requirements() if asked is None else asked) if one.extra not in JUDGED_ELSEWHERE]
    except metadata.PackageNotFoundError:
        found = "openpose_ros runs from its sources, so that nobody has checked what it asks for"
        yield Finding("packages", State.NOTE, found, "pip install -e . in the checkout, or build it with colcon")
        return
    there = {one: _installed(one.name) for one in wanted}
    old = {one: version for one, version in there.items() if version and _older(version, one.oldest)}
    for one, version in old.items():
        found = f"{version} is too old, expected {one.oldest} or newer"
        yield Finding(one.name, State.FIX, found, _pip_install([one]))
    missing = [one for one, version in there.items() if version is None and not one.extra]
    if missing:
        found = f"{', '.join(one.name for one in missing)} not installed"
        yield Finding("packages", State.BETTER, found, _pip_install(missing))
    elif not old:
        always = sum(not one.extra for one in wanted)
        yield Finding("packages", State.OK, f"all {always} that are always needed")
    for extra in dict.fromkeys(one.extra for one in wanted if one.extra not in ("", "torch", "cpu")):
        gaps = [one for one in wanted if one.extra == extra and there[one] is None]
        found = f"{', '.join(one.name for one in gaps)} not installed" if gaps else "complete"
        remedy = f"{_pip_install(gaps)}, if you need {FOR_WHAT.get(extra, extra)}" if gaps else ""
        yield Finding(f"[{extra}]", State.NOTE if gaps else State.OK, found, remedy)


def numpy(answer: Answer) -> Iterator[Finding]:
    """NumPy, without which nothing runs."""
    if answer.given:
        yield Finding("NumPy", State.OK, f"{answer.facts['version']}, {answer.facts['file']}")
    else:
        found = "not installed" if answer.missing else f"cannot be used: {answer.error}"
        yield Finding("NumPy", State.FIX, found, "sudo apt install python3-numpy, or pip install numpy")


def opencv(answer: Answer) -> Iterator[Finding]:
    """OpenCV, which comes as one of several packages that share their files."""
    several = opencv_packages()
    if len(several) > 1:
        remedy = f"pip uninstall {' '.join(several)}, then install one: apt's python3-opencv or opencv-python-headless"
        yield Finding("OpenCV", State.FIX, f"{' and '.join(several)} overwrite each other", remedy)
    elif answer.missing:
        remedy = "sudo apt install python3-opencv, or pip install opencv-python-headless"
        yield Finding("OpenCV", State.FIX, "not installed", remedy)
    elif answer.error:
        remedy = "take the one that fits this NumPy: apt's python3-opencv for apt's NumPy, else opencv-python-headless"
        yield Finding("OpenCV", State.FIX, f"cannot be used: {answer.error}", remedy)
    else:
        yield Finding("OpenCV", State.OK, f"{answer.facts['version']}, {answer.facts['file']}")


def opencv_packages() -> list[str]:
    """Packages of pip's that hold OpenCV."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in metadata.distributions()}
    return sorted(name for name in names if re.fullmatch(r"opencv(-contrib)?-python(-headless)?", name))


def openvino(answer: Answer, on_gpu: bool) -> Iterator[Finding]:
    """OpenVINO, the fastest on a CPU."""
    yield _optional("OpenVINO", answer, "networks run several times faster on a CPU with it", not on_gpu)


def numba(answer: Answer) -> Iterator[Finding]:
    """Numba, which compiles the decoder's loops."""
    yield _optional("Numba", answer, "people are put together several times faster with it", True)


def onnx(answer: Answer) -> Iterator[Finding]:
    """What ``export`` needs."""
    if not answer.given or (answer.facts["onnxruntime"] and answer.facts["onnxscript"]):
        runtime = f", ONNX Runtime {answer.facts['onnxruntime']}" if answer.given else ""
        yield _optional("ONNX", answer, "export needs it", False, runtime)
        return
    missing = "onnxscript" if answer.facts["onnxruntime"] else "onnxruntime"
    found = f"{answer.facts['version']}, but no {missing}, which export needs"
    yield Finding("ONNX", State.NOTE, found, f"pip install {missing}")


def _optional(name: str, answer: Answer, use: str, wanted: bool, more: str = "") -> Finding:
    package = name.lower()
    if answer.given:
        return Finding(name, State.OK, answer.facts["version"] + more)
    if answer.missing:
        remedy = f"pip install {package}: {use}"
        return Finding(name, State.BETTER if wanted else State.NOTE, "not installed", remedy)
    remedy = f"pip install --force-reinstall {package}, in a version that fits this NumPy"
    return Finding(name, State.FIX if wanted else State.NOTE, f"cannot be used: {answer.error}", remedy)


def _pip_install(wanted: Iterable[Requirement]) -> str:
    return "pip install " + " ".join(f"'{one.name}>={one.oldest}'" for one in wanted)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _older(version: str, oldest: str) -> bool:
    """Whether a version lies below a bound, by the numbers before anything else: 2.4.0a1+cpu counts as 2.4.0."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0])]
    bound = [int(part) for part in oldest.split(".")]
    length = max(len(numbers), len(bound))
    return numbers + [0] * (length - len(numbers)) < bound + [0] * (length - len(bound))
