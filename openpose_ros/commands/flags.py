"""The flags of every command that looks for people, and the estimator that they describe."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--model``."""
    parser.add_argument(
        "--model", default="", help="card or weight file beside its card, or a name (default: the best there is)"
    )


def add_estimator(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting of input, decoder and backend."""
    InputOptions.add_arguments(parser)
    DecodeOptions.add_arguments(parser, from_card=True)
    BackendOptions.add_arguments(parser)


def check_estimator(arguments: argparse.Namespace) -> None:
    """Look at the values, before anything is loaded; a bad one is a ValueError that says which and why."""
    for kind in (InputOptions, DecodeOptions, BackendOptions):
        kind.from_arguments(arguments)


def load_estimator(arguments: argparse.Namespace, threads: int = 0) -> Estimator:
    """The estimator, with what the model's card knows better where no flag was given.

    Args:
        threads: of the network, where no flag says how many; 0 is all.

    Raises:
        CardError, BackendError: as Estimator.load.
    """
    import cv2

    from openpose_ros.estimator import Estimator

    cv2.setNumThreads(1)  # two pools of threads would take turns at the cores, and the network's gains more by them
    inputs, decode = InputOptions.from_arguments(arguments), DecodeOptions.from_arguments(arguments)
    backend = BackendOptions.from_arguments(arguments)
    backend = replace(backend, threads=backend.threads or threads)
    estimator = Estimator.load(arguments.model, **asdict(backend), inputs=inputs, decode=decode)
    left = {name: value for name, value in estimator.card.thresholds().items() if vars(arguments)[name] is None}
    estimator.decode = DecodeOptions.from_mapping({**asdict(decode), **left})
    return estimator
