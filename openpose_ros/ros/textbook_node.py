"""pose_node with the decoder of the textbooks; ``benchmark end-to-end`` starts it as a module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import cv2

from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions
from openpose_ros.ros import loading, program
from openpose_ros.ros.interface import POSE_NODE
from openpose_ros.ros.pose_node import PoseNode

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator


def load(model: str, backend: BackendOptions, inputs: InputOptions, decode: DecodeOptions) -> Estimator:
    """As ``loading.network``, with the textbook's decoder."""
    from openpose_ros.benchmark.baseline import TextbookEstimator

    return loading.network(model, backend, inputs, decode, TextbookEstimator)


def main(argv: list[str] | None = None) -> int:
    """As ``pose_node.main``."""
    cv2.setNumThreads(1)
    return program.run(POSE_NODE, lambda: PoseNode(load=load), argv)


if __name__ == "__main__":
    sys.exit(main())
