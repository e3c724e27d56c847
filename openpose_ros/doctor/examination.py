"""The whole examination: all questions asked, all answers judged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from openpose_ros.doctor import cuda, gpu, libraries, machine, network, ros, transport
from openpose_ros.doctor.ask import Answer, Question, ask_all
from openpose_ros.doctor.finding import Finding, guarded

MESSAGES = ("middleware", "numpy", "messages", "own_messages")
"""Questions whose answers tell whether messages work."""


@dataclass(frozen=True)
class Section:
    """A part of the machine, and what was found there."""

    name: str
    findings: Sequence[Finding]


@dataclass(frozen=True)
class Examination:
    """All that was found.

    Attributes:
        can_run: an image has gone through the network.
        with_what: what ran it, in words; empty when nothing did.
    """

    sections: Sequence[Section]
    can_run: bool
    with_what: str


def questions(model: str) -> list[list[Question]]:
    """What is asked, a process for each list: one for PyTorch, because it is slow to import, one for the others, one
    for ROS, and one for cv_bridge, which is known to end its process."""
    return [
        [("driver",), ("torch",), ("tensorrt",), ("cupy",), ("engines",), ("network", model)],
        [("numpy",), ("processor",), ("opencv",), ("openvino",), ("numba",), ("onnx",), ("model", model)],
        [("middleware",), ("messages",), ("own_messages",)],
        [("cv_bridge",)],
    ]


def examine(
    model: str = "",
    environment: Mapping[str, str] = os.environ,
    ask: Callable[[Sequence[Sequence[Question]]], Mapping[str, Answer]] = ask_all,
) -> Examination:
    """Ask and judge. Nothing is downloaded, and nothing is changed.

    Args:
        model: path or name of a model; empty takes the one that runs where none is named.
        environment: of this process.
        ask: who answers.
    """
    told = ask(questions(model))
    card = gpu.card()
    on_gpu = any(not one["error"] for one in told["torch"].facts.get("gpus", ()))
    checks: dict[str, list[tuple[str, Callable[[], Iterator[Finding]]]]] = {
        "Machine": [
            ("Python", partial(machine.python, environment)),
            ("processor", partial(machine.processor, told["processor"])),
            ("memory", machine.memory),
        ],
        "ROS 2": [
            ("ROS 2", partial(ros.distribution, environment, told["middleware"])),
            ("middleware", partial(ros.middleware, environment, told["middleware"])),
            ("messages", partial(ros.messages, *(told[name] for name in MESSAGES))),
            ("Fast DDS profile", partial(transport.fast_dds, environment, told["middleware"])),
            ("shared memory", partial(transport.shared_memory, told["middleware"])),
            ("cv_bridge", partial(ros.cv_bridge, told["numpy"], told["cv_bridge"])),
        ],
        "GPU": [
            ("GPU", partial(gpu.hardware, card, told["driver"])),
            ("PyTorch", partial(cuda.torch, card, told["driver"], told["torch"])),
            ("CuPy", partial(cuda.cupy, told["torch"], told["cupy"])),
            ("TensorRT", partial(cuda.tensorrt, card, told["torch"], told["tensorrt"])),
        ],
        "Python packages": [
            ("packages", libraries.versions),
            ("NumPy", partial(libraries.numpy, told["numpy"])),
            ("OpenCV", partial(libraries.opencv, told["opencv"])),
            ("OpenVINO", partial(libraries.openvino, told["openvino"], on_gpu)),
            ("Numba", partial(libraries.numba, told["numba"])),
            ("ONNX", partial(libraries.onnx, told["onnx"])),
        ],
        "Network": [
            ("model", partial(network.model, told["model"])),
            ("engines", partial(network.engines, told["engines"], told["tensorrt"], told["torch"])),
            ("backend auto", partial(network.chosen, told["network"], on_gpu)),
        ],
    }
    sections = [
        Section(name, [finding for what, check in of_it for finding in guarded(what, check)])
        for name, of_it in checks.items()
    ]
    ran = told["network"]
    with_what = "{backend} on {device} in {precision}".format(**ran.facts) if ran.given else ""
    return Examination(sections, ran.given, with_what)
