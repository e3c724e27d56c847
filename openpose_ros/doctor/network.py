"""The network: its file, the engines that were built of it, and what ``auto`` takes to run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openpose_ros.doctor.ask import Answer
from openpose_ros.doctor.finding import Finding, State


def model(answer: Answer) -> Iterator[Finding]:
    """Whether the weights are those of the card."""
    if not answer.given:
        remedy = "name another with --model, or install the package anew: its model/ folder holds one"
        yield Finding("model", State.FIX, answer.error, remedy)
        return
    facts = answer.facts
    digest = f"sha256 {facts['digest'][:12]} as its card says" if facts["digest"] else "its card names no digest"
    yield Finding("model", State.OK, f"{facts['name']}, {facts['bytes'] / 1e6:.1f} MB, {digest}, {facts['card']}")


def chosen(answer: Answer, on_gpu: bool) -> Iterator[Finding]:
    """What ``auto`` takes and why, after an image has gone through it.

    Args:
        on_gpu: PyTorch computes on a GPU here.
    """
    if not answer.given:
        remedy = "mend what is marked above, beginning at the top; docs/install.md goes through it"
        yield Finding("backend auto", State.FIX, f"no network runs here: {answer.error}", remedy)
        return
    facts = answer.facts
    why = "" if on_gpu else "; there is no GPU that PyTorch can use"
    if on_gpu and facts["device"] == "cpu":
        remedy = "name the backend that should run on the GPU (--backend torch), which then says why it does not"
        yield Finding("backend auto", State.BETTER, facts["said"], remedy)
    else:
        yield Finding("backend auto", State.OK, f"{facts['said']}{why}")


def engines(answer: Answer, tensorrt: Answer, torch: Answer) -> Iterator[Finding]:
    """Engines that fit this TensorRT and GPU, and those that are of no use any more."""
    if not answer.given:
        yield Finding("engines", State.NOTE, f"cannot be listed: {answer.error}")
        return
    gpus = torch.facts.get("gpus", [])
    if not answer.facts["engines"]:
        fast = tensorrt.given and gpus
        remedy = "python -m openpose_ros export --precision float16 --engine builds one, in minutes" if fast else ""
        yield Finding("engines", State.BETTER if fast else State.NOTE, f"none in {answer.facts['folder']}", remedy)
        return
    for row in answer.facts["engines"]:
        if not row.get("card"):
            yield Finding("engine", State.BETTER, f"{row['file']} is torn or no engine", "remove it")
            continue
        wrong = _why_not(row, tensorrt, gpus)
        about = f"{row['card']} in {row['precision']} for {row['gpu']}, {row['package']} {row['version']}"
        remedy = "export --engine builds it again; the file is removed when there are too many" if wrong else ""
        yield Finding("engine", State.NOTE if wrong else State.OK, about + (f": {wrong}" if wrong else ""), remedy)


def _why_not(row: Mapping[str, Any], tensorrt: Answer, gpus: list[Mapping[str, Any]]) -> str:
    """What an engine was built for that is not here, in words."""
    here = (tensorrt.facts.get("package"), tensorrt.facts.get("version"))
    if not gpus:
        return "there is no GPU to run it"
    wrong = []
    if (row.get("package"), row.get("version")) != here:
        wrong.append("TensorRT")
    if not any((row.get("gpu"), row.get("capability")) == (gpu["name"], gpu["capability"]) for gpu in gpus):
        wrong.append("GPU")
    return f"it is for another {' and another '.join(wrong)}" if wrong else ""
