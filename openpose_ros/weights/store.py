"""Our own weight files: safetensors, written whole or not at all, read into a network without a guess."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from openpose_ros.card import Card, CardError
from openpose_ros.networks import build
from openpose_ros.weights.names import difference

if TYPE_CHECKING:
    from openpose_ros.networks.stages import PoseNetwork


def load_network(card: Card) -> PoseNetwork:
    """The card's network with its weights, in float32, ready to answer.

    Raises:
        CardError: the weights are missing, torn, or not those of the card's network.
    """
    import safetensors
    from safetensors.torch import load_file

    path = card.verified_weights()
    try:
        tensors = load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CardError(f"the weights {path} are not readable as safetensors: {error}") from None
    network = build(card)
    own = network.state_dict()
    missing, unused = [name for name in own if name not in tensors], [name for name in tensors if name not in own]
    if missing or unused:
        raise CardError(f"the weights {path} do not fit the network of {card.path}: {difference(missing, unused)}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise CardError(
                f"the weights {path} do not fit the network of {card.path}: {name} has shape {tuple(tensor.shape)}, "
                f"the network needs {tuple(own[name].shape)}"
            )
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in tensors.items()})
    return network.eval().requires_grad_(False)


def parameter_shapes(card: Card) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of a card's network, at no cost: nothing is allocated."""
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build(card).state_dict().items()}


def save_tensors(tensors: Mapping[str, npt.NDArray[Any]], path: Path, about: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all.

    Args:
        tensors: by parameter name.
        path: of the file; one that is there is replaced.
        about: texts that go into the file's header.
    """
    from safetensors.numpy import save

    with replacing(path) as temporary:
        temporary.write_bytes(save(dict(tensors), dict(about)))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that takes ``path``'s place when the block ends well, and vanishes when it does not."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
