"""What a network costs: its parameters, and its work for one image. Nothing of it is allocated or computed."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from openpose_ros.card import Card
from openpose_ros.networks import build


class Cost(NamedTuple):
    """Parameters, and floating-point operations of one image in thousand millions: a multiplication and an addition
    count as two, and only those of convolutions count."""

    parameters: int
    gflops: float


def cost(card: Card, height: int, width: int) -> Cost:
    """The cost of a card's network as it runs, batch normalisation folded in.

    Args:
        card: of a network that is built here, with or without weights.
        height, width: of the network's input; rounded up to multiples of the card's stride.

    Raises:
        CardError: the network cannot be built.
    """
    settings = dict(card.network)
    if "batch_norm" in settings:
        settings["batch_norm"] = False
    with torch.device("meta"):
        network = build(replace(card, network=settings)).eval()
        image = torch.zeros(1, 3, *(-(-side // card.stride) * card.stride for side in (height, width)))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(image)
    return Cost(sum(tensor.numel() for tensor in network.parameters()), counter.get_total_flops() / 1e9)
